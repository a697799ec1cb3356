"""A layout of two roles, and a finished run that lies in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto_kedro.core.layout import Layout

#: A T cell and a cancer cell, each on a channel of its own; no death marker.
TWO_ROLES: dict[str, Any] = {
    "data_root": "a",
    "scratch_root": "b",
    "output_root": "c",
    "dataset": "d",
    "sheet": "e",
    "channels": {"green": {"files": "g"}, "red": {"files": "r"}},
    "roles": {
        "tcell": {"kind": "effector", "channels": ["green"]},
        "cancer": {"kind": "target", "channels": ["red"]},
    },
}
DEATH: dict[str, Any] = {"markers": {"death": {"channel": "red", "kind": "death"}}}


def two_roles(**changes: Any) -> Layout:
    """The layout of :data:`TWO_ROLES` with other or further entries."""
    return Layout.model_validate(TWO_ROLES | changes)


class RunInMemory:
    """Answers like a ``FinishedRun``.

    Args:
        folder: Of the run.
        data: Dataset by name; a dict with the movie as a key holds one of each.
        layout: Channels and roles.
        movies: Movies that finished.
        parameters: Of the run, by pipeline.
    """

    def __init__(
        self,
        folder: Path,
        data: Mapping[str, Any],
        layout: Layout | None = None,
        movies: tuple[str, ...] = ("m1",),
        **parameters: Any,
    ) -> None:
        self.folder, self.data = folder, dict(data)
        self.layout = layout or two_roles()
        self.record = {"parameters": parameters}
        self._movies = movies

    def load(self, name: str, movie: str | None = None) -> Any:
        found = self.data[name]
        return found[movie] if isinstance(found, dict) and movie in found else found

    def has(self, name: str, movie: str | None = None) -> bool:
        return name in self.data

    def path(self, name: str, movie: str | None = None) -> Path:
        return self.folder / name.replace(".", "_")

    def movies(self, only: str | None = None) -> list[str]:
        return [only] if only else list(self._movies)
