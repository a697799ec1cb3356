"""Folders of scratch that may be purged, and which of them are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW

_AGE = re.compile(r"^(\d+)([hdw])$")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Wanted:
    """What to purge; None matches everything."""

    dataset: str | None = None
    movie: str | None = None
    workflow: str | None = None
    run: str | None = None
    jobs: int | None = None
    older_than: timedelta | None = None


@dataclass(frozen=True)
class Candidate:
    """One folder of scratch, or one output elsewhere; and why it stays, if it must.

    An output elsewhere has a ``uri``, with files beside it in ``also``, and no parts.
    """

    parts: tuple[str, ...]
    dataset: str | None
    movie: str | None
    workflow: str
    jobs: int | None = None
    run: str | None = None
    files: int = 0
    size_bytes: int = 0
    refused: str = ""
    uri: str = ""
    data_type: str = ""
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Path below the scratch root or URI, fit for a terminal."""
        text = self.uri or "/".join(self.parts)
        return text if text.isprintable() else repr(text)

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self) | {"parts": list(self.parts), "also": list(self.also)}


def age_of(text: str) -> timedelta:
    """``36h``, ``30d`` or ``4w`` as a time span.

    Raises:
        ConfigError: It is none of these.
    """
    found = _AGE.match(text)
    if found is None:
        raise ConfigError(
            f"'{text}' is not an age", fix="write 36h, 30d or 4w (hours, days, weeks)"
        )
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def total(candidates: Iterable[Candidate]) -> tuple[int, int]:
    """(files, bytes) of those that may go."""
    free = [candidate for candidate in candidates if not candidate.refused]
    return sum(c.files for c in free), sum(c.size_bytes for c in free)


def matches(candidate: Candidate, wanted: Wanted) -> bool:
    """Whether a folder is among the wanted, by name; age and run are judged later."""
    pairs = (
        (wanted.dataset, candidate.dataset),
        (wanted.movie, candidate.movie),
        (wanted.jobs, candidate.jobs),
    )
    workflow = wanted.workflow in (None, candidate.workflow)
    # The benchmark's runs are in benchmark/master: both names are understood.
    workflow |= (
        candidate.workflow == BENCHMARK_WORKFLOW
        and wanted.workflow == (BENCHMARK_WORKFLOW.partition("/")[0])
    )
    return workflow and all(want in (None, have) for want, have in pairs)
