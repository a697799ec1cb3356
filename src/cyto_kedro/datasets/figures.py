"""Matplotlib figures as PNG and SVG files in one folder."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kedro_datasets._typing import ImagePreview

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.base import PathDataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]


class FiguresDataset(PathDataset["dict[str, Figure]", dict[str, dict[str, bytes]]]):
    """Figures by name: saved from matplotlib, loaded as ``{name: {format: bytes}}``.

    The folder is replaced as a whole: figures of an earlier run do not linger.

    Args:
        filepath: The folder.
        formats: File formats of each figure.
        dpi: Resolution of the PNGs.
        main: Figure shown by Kedro-Viz, by the start of its name; the first by default.
        metadata: Free content for plugins.
    """

    data_type: str = "Arbitrary"

    def __init__(
        self,
        filepath: str | Path,
        formats: list[Format] | tuple[Format, ...] = ("png", "svg"),
        dpi: int = 150,
        main: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if not formats or set(formats) - {"png", "svg"}:
            raise ConfigError("formats must be among png, svg", where=str(filepath))
        self._formats, self._dpi, self._main = tuple(formats), dpi, main

    def load(self) -> dict[str, dict[str, bytes]]:
        """Content of each figure's files."""
        if not self.path.is_dir():
            raise FileNotFoundError(self.path)
        found: dict[str, dict[str, bytes]] = {}
        for path in sorted(self.path.iterdir()):
            if path.suffix[1:] in self._formats:
                found.setdefault(path.stem, {})[path.suffix[1:]] = path.read_bytes()
        return found

    def save(self, data: dict[str, Figure]) -> None:
        """Draw and close all figures."""
        for name in data:
            if not name or Path(name).name != name or name.startswith("."):
                raise InputError(
                    f"'{name}' is not usable as a file name", where=str(self.path)
                )
        with staged(self.path) as stage:
            stage.mkdir()
            for name, figure in data.items():
                for suffix in self._formats:
                    self._draw(figure, stage / f"{name}.{suffix}")
        self._close(data)

    def preview(self) -> ImagePreview:
        """The main figure."""
        pngs = sorted(self.path.glob("*.png"))
        pngs = [png for png in pngs if png.name.startswith(self._main)] or pngs
        if not pngs:
            raise InputError("There is no PNG to show", where=str(self.path))
        return ImagePreview(base64.b64encode(pngs[0].read_bytes()).decode("ascii"))

    def _draw(self, figure: Figure, path: Path) -> None:
        from matplotlib import rc_context

        # Equal figures give equal files: no date, no random ids; and text stays text.
        fixed: Any = {"svg.hashsalt": "cyto_kedro", "svg.fonttype": "none"}
        stamp = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        with rc_context(fixed):
            figure.savefig(path, dpi=self._dpi, bbox_inches="tight", metadata=stamp)

    @staticmethod
    def _close(data: dict[str, Figure]) -> None:
        # pyplot keeps every figure it made alive until it is closed.
        from matplotlib import pyplot

        for figure in data.values():
            pyplot.close(figure)
