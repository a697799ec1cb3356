"""Reference runs of the benchmark: JSON files that the user puts into a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.datasets.base import ReadOnlyDataset

_KEYS = ("hardware", "stages")
_STAGE_KEYS = ("method", "backend", "total_frames", "net_s")


class ReferencesDataset(ReadOnlyDataset[dict[str, dict[str, Any]]]):
    """All ``*.json`` of a folder by file name; empty if the folder is not there.

    Each is a copy of the ``reference.json`` of a benchmark run.

    Args:
        filepath: The folder.
        metadata: Free content for plugins.
    """

    why = "reference runs are the user's files"
    data_type: str = "Arbitrary"

    def __init__(
        self, filepath: str | Path, metadata: dict[str, Any] | None = None
    ) -> None:
        self.folder, self.metadata = Path(filepath), metadata

    def source_files(self) -> list[Path]:
        """The files, for the provenance of the verdict."""
        return sorted(self.folder.glob("*.json"))

    def load(self) -> dict[str, dict[str, Any]]:
        """Reference runs by name.

        Raises:
            ConfigError: A file is not the reference of a benchmark run.
        """
        return {path.stem: _read(path) for path in self.source_files()}

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.folder)}


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        missing = [key for key in _KEYS if key not in values]
        for name, stage in values.get("stages", {}).items():
            missing += [f"stages.{name}.{k}" for k in _STAGE_KEYS if k not in stage]
    except (ValueError, TypeError, AttributeError) as exc:
        raise ConfigError(f"Not a reference run: {exc}", where=str(path)) from exc
    if missing:
        raise ConfigError(
            f"Not a reference run: {', '.join(missing)} is missing",
            where=str(path),
            fix="copy the reference.json of a benchmark run",
        )
    return values
