"""Tracks from and for TrackMate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.base import PathDataset
from cyto_kedro.datasets.exchange import (
    Links,
    checked_tracks,
    positive,
    read_calibration,
    tracks_from_links,
    without_merges,
)
from cyto_kedro.datasets.trackmate_reader import BY_HAND, TrackMateFile, read_trackmate
from cyto_kedro.datasets.trackmate_writer import write_trackmate
from cyto_kedro.datasets.units import to_min, to_um

# Sizes that programs round when they write them agree within this part.
_AGREE = 1e-3


class TrackMateDataset(PathDataset[pd.DataFrame, pd.DataFrame]):
    """Tracks as a TrackMate XML file.

    Loading gives table EXCHANGED_TRACKS. Where a cell divides, its track ends and each
    daughter has a track of its own; where tracks merge, they end and name the one that
    follows in ``merged_into_track_id``. A spot without a link is a track of one point.
    Track ids are numbered anew; ``source_id`` is the id of the spot in TrackMate.

    Saving takes TRACKS or EXCHANGED_TRACKS and writes lengths in micron and times in
    minutes. TrackMate knows no label: it is kept as a spot feature and comes back.

    Args:
        filepath: The ``.xml`` file.
        calibration: ``calibration.json`` of the movie; needed to save.
        pixel_size_um: Pixel size, for a file in pixels and without ``calibration``.
        frame_interval_min: Frame interval, for a file in frames and without it.
        merges: ``keep``, or ``cut`` so that of several links into a spot only the one
            from the latest, nearest spot remains, as in our own tracking.
        hidden: Load spots and tracks too that TrackMate's filters hide.
        image: Image that TrackMate shows behind exported tracks; absolute, or beside
            the file.
        radius_um: Radius of exported spots whose size the table does not know.
        metadata: Free content for plugins.
    """

    data_type: str = "Table"

    def __init__(
        self,
        filepath: str | Path,
        calibration: str | Path | None = None,
        pixel_size_um: float | None = None,
        frame_interval_min: float | None = None,
        merges: Literal["keep", "cut"] = "keep",
        hidden: bool = False,
        image: str = "",
        radius_um: float = 5.0,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if self.path.suffix != ".xml" or merges not in ("keep", "cut"):
            raise ConfigError(
                "A TrackMate file needs an .xml path, and merges one of keep and cut",
                where=str(filepath),
            )
        self._calibration = None if calibration is None else Path(calibration)
        self._pixel = positive(pixel_size_um, "pixel_size_um", self.path)
        self._step = positive(frame_interval_min, "frame_interval_min", self.path)
        self._merges, self._hidden, self._image = merges, hidden, image
        self._radius = float(positive(radius_um, "radius_um", self.path) or 0.0)

    def load(self) -> pd.DataFrame:
        """Read the tracks."""
        where = str(self.path)
        file = read_trackmate(self.path)
        if not self._hidden:
            file = file.visible()
        points = self._points(file)
        links = _links(file, where)
        if self._merges == "cut":
            links = without_merges(points, links)
        return tracks_from_links(points, links, where)

    def save(self, data: pd.DataFrame) -> None:
        """Write the tracks."""
        calibration = read_calibration(self._calibration)
        if calibration is None:
            raise ConfigError(
                "TrackMate needs the size of the movie",
                where=str(self.path),
                fix="name its calibration.json as 'calibration' of this dataset",
            )
        table = checked_tracks(data, str(self.path))
        with staged(self.path) as stage, stage.open("w", encoding="utf-8") as stream:
            write_trackmate(
                table, calibration, self._radius, self._image, stream, str(self.path)
            )

    def _points(self, file: TrackMateFile) -> pd.DataFrame:
        """The spots in um and minutes, with a label each."""
        x_um, y_um = self._um_per_unit(file)
        spots = file.spots.reset_index(drop=True)
        quality = spots["quality"]
        return pd.DataFrame(
            {
                "frame": spots["frame"],
                "label": _labels(spots),
                "time_min": spots["t"] * self._min_per_unit(file),
                "y_um": spots["y"] * y_um,
                "x_um": spots["x"] * x_um,
                "z_um": spots["z"] * x_um,
                "radius_um": spots["radius"] * x_um,
                "quality": quality.where(quality != BY_HAND),
                "source_id": spots["id"],
            }
        )

    def _um_per_unit(self, file: TrackMateFile) -> tuple[float, float]:
        """um per unit of length along x and y."""
        known = read_calibration(self._calibration)
        ours = (
            (known.pixel_size_x_um, known.pixel_size_y_um)
            if known
            else (self._pixel, self._pixel)
        )
        theirs = [file.image.get(k) for k in ("pixelwidth", "pixelheight")]
        unit = to_um(1.0, file.length_unit)
        x, y = (
            self._factor(unit, file.length_unit, own, said, "pixel_size_um")
            for own, said in zip(ours, theirs, strict=True)
        )
        return x, y

    def _min_per_unit(self, file: TrackMateFile) -> float:
        known = read_calibration(self._calibration)
        ours = self._step
        if known is not None and known.n_frames > 1:
            ours = known.frame_interval_min
        unit = to_min(1.0, file.time_unit)
        said = file.image.get("timeinterval")
        return self._factor(unit, file.time_unit, ours, said, "frame_interval_min")

    def _factor(
        self,
        physical: float | None,
        unit: str,
        ours: float | None,
        said: float | None,
        name: str,
    ) -> float:
        """Our unit per unit of the file, where ``said`` is a pixel or a frame."""
        if physical is None:
            if ours is None or not said:
                raise InputError(
                    f"The file measures in '{unit}', which is no physical unit",
                    where=str(self.path),
                    fix=f"give 'calibration' or '{name}' of this dataset",
                )
            return ours / said
        if ours and said and abs(said * physical / ours - 1) > _AGREE:
            raise InputError(
                f"The file says {said} {unit}, this dataset {name}: {ours:g}",
                where=str(self.path),
                fix=f"correct '{name}' (or the calibration), or the file",
            )
        return physical

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path), "merges": self._merges}


def _links(file: TrackMateFile, where: str) -> Links:
    """The edges as rows of the spots, forward in time."""
    row = pd.Series(np.arange(len(file.spots)), file.spots["id"].to_numpy())
    frame = file.spots["frame"].to_numpy()
    one, other = (row[file.edges[end]].to_numpy() for end in ("source", "target"))
    if (frame[one] == frame[other]).any():
        first = file.edges[frame[one] == frame[other]].iloc[0]
        raise InputError(
            f"Spots {first.source:.0f} and {first.target:.0f} of one frame are linked",
            where=where,
            fix="remove this link in TrackMate",
        )
    swap = frame[one] > frame[other]
    cost = file.edges["cost"].to_numpy()
    return Links(
        np.where(swap, other, one),
        np.where(swap, one, other),
        np.where(cost == BY_HAND, np.nan, cost),
    )


def _labels(spots: pd.DataFrame) -> np.ndarray:
    """Labels that we exported; spots added in TrackMate get the next free ones."""
    order = spots.sort_values("id")
    known = order["label"].where(order["label"] >= 1)
    again = order.assign(label=known).duplicated(["frame", "label"])
    known = known.mask(again)
    highest = known.groupby(order["frame"]).transform("max").fillna(0)
    new = known.isna().groupby(order["frame"]).cumsum()
    return known.fillna(highest + new).sort_index().to_numpy(dtype=np.int64)
