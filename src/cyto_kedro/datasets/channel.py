"""Raw channels and ready masks of one movie: read-only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.experiment import Movie, read_experiment
from cyto_kedro.core.labels import label_stack
from cyto_kedro.core.layout import Channel, Layout
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.datasets.base import ReadOnlyDataset
from cyto_kedro.datasets.sources import files_of, read_stack

# Files of the Cell Tracking Challenge: tracking truth, results, segmentation truth.
_CTC_PATTERNS = ("man_track*.tif", "mask*.tif", "man_seg*.tif")


class _MovieDataset(ReadOnlyDataset[RawChannel]):
    """Raw data of one movie, found through the layout and the experiment sheet."""

    data_type: str = "Image"

    def __init__(
        self,
        layout: dict[str, Any],
        movie: str,
        name: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._layout, self._movie, self._name = layout, movie, name
        self.metadata = metadata

    @property
    def path(self) -> Path:
        """File, glob or folder; the sheet is read for it."""
        raise NotImplementedError

    def source_files(self) -> list[Path]:
        """Files (or the Zarr folder) that are read."""
        return files_of(self.path)

    def _typed(self) -> Layout:
        return Layout.model_validate(self._layout)

    def _row(self) -> Movie:
        return read_experiment(self._typed())[self._movie]

    def _exists(self) -> bool:
        return bool(self.source_files())

    def _describe(self) -> dict[str, Any]:
        return {"movie": self._movie, "name": self._name}


class ChannelDataset(_MovieDataset):
    """One raw channel of one movie as a :class:`cyto_kedro.core.raw.RawChannel`.

    Args:
        layout: Content of ``globals.yml``.
        movie: Movie id of the sheet.
        channel: Channel name.
        metadata: Free content for plugins.
    """

    def __init__(
        self,
        layout: dict[str, Any],
        movie: str,
        channel: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(layout, movie, channel, metadata)

    @property
    def path(self) -> Path:
        """File, glob or folder of the channel; the sheet is read for it."""
        self._spec()
        return self._row().paths[self._name]

    def load(self) -> RawChannel:
        """Open the channel; pixels are read when computed."""
        spec = self._spec()
        scene = self._row().scenes.get(self._name)
        raw = read_stack(self.path, spec.index, spec.axes, scene, spec.z)
        return replace(raw, movie=self._movie, channel=self._name)

    def selection(self) -> dict[str, Any]:
        """What is taken of the files where they hold more: part of their identity."""
        spec, scene = self._spec(), self._row().scenes.get(self._name)
        chosen = {"index": spec.index, "axes": spec.axes, "scene": scene, "z": spec.z}
        return {key: value for key, value in chosen.items() if value is not None}

    def _spec(self) -> Channel:
        channels = self._typed().channels
        if self._name not in channels:
            raise InputError(
                f"There is no channel '{self._name}'",
                where="globals.yml",
                fix=f"channels: {', '.join(channels)}",
            )
        return channels[self._name]


class MasksDataset(_MovieDataset):
    """Ready masks of one role of one movie, as uint32 labels in a RawChannel.

    A TIFF stack, a glob or folder of one-frame TIFFs, a Cell Tracking Challenge folder
    or OME-Zarr labels. Nothing is ever unpickled.

    Args:
        layout: Content of ``globals.yml``.
        movie: Movie id of the sheet.
        role: Role name; its ``masks`` names the path.
        metadata: Free content for plugins.
    """

    data_type: str = "Label"

    def __init__(
        self,
        layout: dict[str, Any],
        movie: str,
        role: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(layout, movie, role, metadata)

    @property
    def path(self) -> Path:
        """File, glob or folder of the masks; the sheet is read for it."""
        layout = self._typed()
        role = layout.roles.get(self._name)
        if role is None or role.masks is None:
            raise InputError(
                f"The role '{self._name}' has no ready masks",
                where="globals.yml",
                fix=f"write 'masks: <path>' of the role '{self._name}'",
            )
        movie = self._row()
        text = role.masks.replace("<movie>", movie.id)
        return _ctc_files(layout.data_root / movie.dataset / text)

    def load(self) -> RawChannel:
        """Open the masks; labels are read when computed.

        Raises:
            InputError: The masks are not integers, or a label is out of range.
        """
        raw = read_stack(self.path, None, None)
        return replace(
            raw,
            data=label_stack(raw.data, raw.source),
            movie=self._movie,
            channel=self._name,
        )


def _ctc_files(path: Path) -> Path:
    """The mask files of a Cell Tracking Challenge folder; any other path as it is."""
    for pattern in _CTC_PATTERNS:
        if path.is_dir() and any(path.glob(pattern)):
            return path / pattern
    return path
