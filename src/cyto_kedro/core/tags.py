"""Node tags that runners and hooks understand."""

from __future__ import annotations

from collections.abc import Iterable

#: Runs once per run, after all movies, and reads every movie's results.
EXPERIMENT = "experiment"
#: Returns a lazy TYX array whose frames do not depend on each other.
FRAME_WISE = "frame_wise"
#: Runs in the process that drives the run, never in one of its workers.
DRIVER = "driver"

_MOVIE = "movie."


def movie_tag(movie: str) -> str:
    """The tag that a runner puts on a node while it works on one movie."""
    return f"{_MOVIE}{movie}"


def movie_of(tags: Iterable[str]) -> str | None:
    """Movie id of a tagged node; None for experiment-level nodes."""
    for tag in tags:
        if tag.startswith(_MOVIE):
            return tag[len(_MOVIE) :]
    return None
