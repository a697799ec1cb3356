"""A folder of small text files of one kind: SVG drawings, CSV tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.base import PathDataset


class TextsDataset(PathDataset[dict[str, str], dict[str, str]]):
    """Texts by name, one UTF-8 file each.

    The folder is replaced as a whole: files of an earlier run do not linger.

    Args:
        filepath: The folder.
        suffix: File suffix, such as ``.svg``.
        metadata: Free content for plugins.
    """

    data_type: str = "Arbitrary"

    def __init__(
        self,
        filepath: str | Path,
        suffix: str = ".txt",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if not suffix.startswith(".") or len(suffix) < 2:
            raise ConfigError(
                f"'{suffix}' is no file suffix, such as .svg", where=str(filepath)
            )
        self._suffix = suffix

    def load(self) -> dict[str, str]:
        """Content of each file."""
        if not self.path.is_dir():
            raise FileNotFoundError(self.path)
        return {
            path.name.removesuffix(self._suffix): path.read_text("utf-8")
            for path in sorted(self.path.iterdir())
            if path.name.endswith(self._suffix) and not path.name.startswith(".")
        }

    def save(self, data: dict[str, str]) -> None:
        """Write all files.

        Raises:
            InputError: A name is not usable as a file name.
        """
        for name in data:
            if not name or Path(name).name != name or name.startswith("."):
                raise InputError(
                    f"'{name}' is not usable as a file name", where=str(self.path)
                )
        with staged(self.path) as stage:
            stage.mkdir()
            for name, text in data.items():
                (stage / f"{name}{self._suffix}").write_text(
                    text, encoding="utf-8", newline=""
                )

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path), "suffix": self._suffix}
