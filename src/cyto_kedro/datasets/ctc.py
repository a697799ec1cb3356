"""Tracks and masks from and for the Cell Tracking Challenge."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.frames import as_frames, over_frames
from cyto_kedro.core.labels import label_stack
from cyto_kedro.datasets.base import PathDataset
from cyto_kedro.datasets.ctc_tracks import (
    in_um,
    joined,
    measured,
    read_listing,
    relabelled,
    segments,
)
from cyto_kedro.datasets.exchange import checked_tracks, positive, read_calibration
from cyto_kedro.datasets.sources import files_of, read_stack

# Name of the table and pattern of the masks: a result, the truth.
_FORMS = (("res_track.txt", "mask*.tif"), ("man_track.txt", "man_track*.tif"))


class LabelledTracks(NamedTuple):
    """Masks and the table that says which label of a frame is which track.

    Attributes:
        labels: TYX labels, lazy.
        tracks: Table TRACKS or EXCHANGED_TRACKS; (frame, label) joins to ``labels``.
    """

    labels: da.Array | np.ndarray
    tracks: pd.DataFrame


class CtcTracksDataset(PathDataset[LabelledTracks, LabelledTracks]):
    """A result folder of the Cell Tracking Challenge: masks and ``res_track.txt``.

    In its masks (16 bit) a cell has the number of its track in every frame, and
    ``res_track.txt`` holds per track L B E P: number, first and last frame, parent (0
    for none). https://celltrackingchallenge.net

    The format knows no gap and no merge. A track with gaps is saved as several, each
    the only child of the one before; loading joins an only child that starts after a
    gap again. Merges are refused. The truth (``man_track.txt``) can be loaded as well.

    Saving takes the pair (labels, tracks), such as the outputs of the segmentation and
    of the tracking; frames are relabelled and written one at a time.

    Args:
        filepath: The folder, such as ``01_RES``. Saving replaces it whole.
        calibration: ``calibration.json`` of the movie, for loading.
        pixel_size_um: Pixel size instead of it: the format has none.
        frame_interval_min: Frame interval instead of it.
        untracked: What to do with masks that no row of the table names: ``refuse``,
            or ``drop`` them to save a part of the tracks.
        metadata: Free content for plugins.
    """

    data_type: str = "Label"

    def __init__(
        self,
        filepath: str | Path,
        calibration: str | Path | None = None,
        pixel_size_um: float | None = None,
        frame_interval_min: float | None = None,
        untracked: Literal["refuse", "drop"] = "refuse",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if untracked not in ("refuse", "drop"):
            raise ConfigError(
                f"untracked: {untracked} is neither refuse nor drop",
                where=str(filepath),
            )
        self._calibration = None if calibration is None else Path(calibration)
        self._pixel = positive(pixel_size_um, "pixel_size_um", self.path)
        self._step = positive(frame_interval_min, "frame_interval_min", self.path)
        self._untracked = untracked

    def load(self) -> LabelledTracks:
        """The masks as uint32, lazily, and table EXCHANGED_TRACKS."""
        listing, pattern = self._form()
        raw = read_stack(self.path / pattern, None, None)
        labels = label_stack(raw.data, raw.source)
        first = min(_number(path) for path in files_of(self.path / pattern))
        table = read_listing(listing)
        table[["first", "last"]] -= first
        tracks = joined(measured(labels), table, str(listing))
        return LabelledTracks(labels, self._calibrated(tracks, len(labels)))

    def save(self, data: LabelledTracks) -> None:
        """Write the folder."""
        if not isinstance(data, tuple) or len(data) != 2:
            raise InputError("Expected the pair (labels, tracks)", where=str(self.path))
        labels, tracks = data
        where = str(self.path)
        table = segments(checked_tracks(tracks, where), where)
        if len(table) and table["frame"].max() >= len(labels):
            raise InputError(
                f"The table reaches frame {table['frame'].max()}, the masks have "
                f"{len(labels)} frames",
                where=where,
                fix="save the tracks of these masks",
            )
        with staged(self.path) as stage:
            stage.mkdir()
            self._write_masks(stage, as_frames(labels), table)
            rows = table.groupby("segment").agg(
                first=("frame", "min"), last=("frame", "max"), parent=("above", "first")
            )
            rows.to_csv(stage / "res_track.txt", sep=" ", header=False)

    def _write_masks(self, folder: Path, labels: da.Array, table: pd.DataFrame) -> None:
        from tifffile import imwrite

        number = {
            frame: (own["label"].to_numpy(), own["segment"].to_numpy())
            for frame, own in table.sort_values("label").groupby("frame")
        }
        nothing = np.empty(0, np.int64), np.empty(0, np.int64)
        digits = max(3, len(str(len(labels) - 1)))

        def write(frame: int, plane: np.ndarray) -> None:
            known, segment = number.get(frame, nothing)
            where = f"{self.path}, frame {frame}"
            mask = relabelled(plane, known, segment, where, self._untracked == "drop")
            path = folder / f"mask{frame:0{digits}d}.tif"
            imwrite(path, mask, compression="zlib", compressionargs={"level": 1})

        for _ in over_frames(write, labels):
            pass

    def _form(self) -> tuple[Path, str]:
        for name, pattern in _FORMS:
            if (self.path / name).is_file() and any(self.path.glob(pattern)):
                return self.path / name, pattern
        raise InputError(
            "This is no folder of the Cell Tracking Challenge",
            where=str(self.path),
            fix="it holds res_track.txt and mask000.tif ..., or man_track.txt and "
            "man_track000.tif ...",
        )

    def _calibrated(self, tracks: pd.DataFrame, n_frames: int) -> pd.DataFrame:
        """Physical units for a table in pixels and frames."""
        known = read_calibration(self._calibration)
        if known is not None:
            if known.n_frames != n_frames:
                raise InputError(
                    f"{n_frames} masks, but the movie has {known.n_frames} frames",
                    where=str(self.path),
                    fix="give the calibration of the movie that these masks belong to",
                )
            return in_um(tracks, known.spacing_um, known.times_min)
        if self._pixel is None or self._step is None:
            raise ConfigError(
                "The format has no pixel size and no frame interval",
                where=str(self.path),
                fix="give 'calibration', or 'pixel_size_um' and 'frame_interval_min'",
            )
        return in_um(tracks, (self._pixel,) * 2, np.arange(n_frames) * self._step)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path), "untracked": self._untracked}


def _number(path: Path) -> int:
    """The frame number at the end of a file name."""
    found = re.search(r"(\d+)$", path.stem)
    return int(found.group(1)) if found else 0
