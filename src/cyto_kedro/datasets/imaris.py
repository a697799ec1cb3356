"""Tracks that Imaris exported as statistics: one CSV per measure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import IMARIS_TRACKS
from cyto_kedro.datasets.base import ReadOnlyDataset
from cyto_kedro.datasets.exchange import (
    Links,
    positive,
    read_calibration,
    tracks_from_links,
)
from cyto_kedro.datasets.units import to_um

_AXES = {"Position X": "x_um", "Position Y": "y_um", "Position Z": "z_um"}
_KEYS = ["Time", "ID"]
#: Imaris writes a blank line, the name of the measure and a rule above the header.
_LINES_SEARCHED = 10


class ImarisTracksDataset(ReadOnlyDataset[pd.DataFrame]):
    """Tracks from Imaris' *Position* statistics, with other statistics beside them.

    Loading gives table IMARIS_TRACKS: EXCHANGED_TRACKS with ``source_track_id``, the id
    in Imaris, and one column per statistic. Imaris counts time points from 1, so frame
    0 is its time point 1. Labels count the objects of a frame in file order: Imaris'
    surfaces are not our masks. An object without a track is a track of one point.

    Args:
        filepath: The ``Position`` CSV.
        statistics: Column name -> further CSV of the same export, in the same folder;
            its first column is taken (``{dead_dye: "Intensity_Mean_Ch=3_Img=1.csv"}``).
        calibration: ``calibration.json`` of the movie, for the frame times.
        frame_interval_min: Frame interval instead of it.
        metadata: Free content for plugins.
    """

    data_type: str = "Table"
    why = "Imaris exports are only read"

    def __init__(
        self,
        filepath: str | Path,
        statistics: Mapping[str, str] | None = None,
        calibration: str | Path | None = None,
        frame_interval_min: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.path = Path(filepath)
        self.statistics = dict(statistics or {})
        self.calibration = Path(calibration) if calibration else None
        self.frame_interval_min = positive(
            frame_interval_min, "frame_interval_min", self.path
        )
        self.metadata = metadata
        taken = {*self.statistics} & {*IMARIS_TRACKS.columns}
        if taken:
            raise ConfigError(
                f"statistics: {', '.join(sorted(taken))} is a column already",
                where=str(self.path),
                fix="give the statistic another name",
            )

    @property
    def paths(self) -> list[Path]:
        """The positions and the other statistics."""
        return [self.path, *(self.path.parent / f for f in self.statistics.values())]

    def load(self) -> pd.DataFrame:
        """Read all files.

        Raises:
            InputError: A file is no Imaris statistic, its rows do not match those of
                the positions, a unit is unknown, or a track is in two places at once.
            ConfigError: Nothing says when the frames were taken.
        """
        read = _read(self.path, "Position X")
        where = str(self.path)
        frame = read["Time"].to_numpy(np.int64) - 1
        source = read["TrackID"].astype("Int64")
        points = pd.DataFrame({name: read[axis] for axis, name in _AXES.items()})
        points = points.mul(_unit(read, where)).assign(
            frame=frame,
            label=read.groupby("Time").cumcount() + 1,
            time_min=self._times(frame),
            radius_um=np.nan,
            quality=np.nan,
            source_id=read["ID"].astype("Int64"),
        )
        tracks = tracks_from_links(points, _links(frame, source, where), where)
        row = points.assign(source_track_id=source)
        for name, file in self.statistics.items():
            row[name] = _statistic(self.path.parent / file, read)
        extra = ["source_track_id", *self.statistics]
        # (frame, label) names a point; the tracks come back in another order.
        joined = tracks.merge(row[["frame", "label", *extra]], on=["frame", "label"])
        return IMARIS_TRACKS.conform(joined)

    def _times(self, frame: np.ndarray) -> np.ndarray:
        known = read_calibration(self.calibration)
        if self.frame_interval_min is not None:
            return frame * self.frame_interval_min
        if known is None:
            raise ConfigError(
                "The file has time points but no times",
                where=str(self.path),
                fix="give frame_interval_min or calibration",
            )
        if len(frame) and frame.max() >= known.n_frames:
            raise InputError(
                f"Time point {frame.max() + 1} is beyond the movie's {known.n_frames}",
                where=str(self.path),
                fix="give the calibration of this movie",
            )
        return known.times_min[frame]

    def _exists(self) -> bool:
        return self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path), "statistics": self.statistics}


def _read(path: Path, column: str | None = None) -> pd.DataFrame:
    """An Imaris statistic: rows below the line that names Time and ID."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = [line for line, _ in zip(file, range(_LINES_SEARCHED), strict=False)]
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"Cannot read: {exc}", where=str(path)) from exc
    names = [[name.strip() for name in line.split(",")] for line in head]
    needed = {"Time", "ID", "TrackID"} | ({column} if column else set())
    at = next((k for k, found in enumerate(names) if needed <= {*found}), None)
    if at is None:
        raise InputError(
            f"No line of the first {_LINES_SEARCHED} names {', '.join(sorted(needed))}",
            where=str(path),
            fix="export this statistic for all objects of the tracks",
        )
    table = pd.read_csv(path, skiprows=at, encoding="utf-8-sig", skipinitialspace=True)
    whole = table["Time"].notna() & table["ID"].notna()
    if not whole.all() or (table["Time"] < 1).any():
        raise InputError(
            "Some rows have no time point from 1, or no ID",
            where=f"{path}, row {int((~whole).to_numpy().argmax()) + 1}",
            fix="export the statistic again",
        )
    if table.duplicated(_KEYS).any():
        row = table.loc[table.duplicated(_KEYS), _KEYS].iloc[0]
        raise InputError(
            f"Object {row['ID']} occurs twice at time point {row['Time']}",
            where=str(path),
            fix="one file holds one statistic of one channel: export it again",
        )
    return table


def _unit(table: pd.DataFrame, where: str) -> float:
    """um per unit of the positions."""
    if table.empty:
        return 1.0
    units = list(table["Unit"].dropna().unique()) if "Unit" in table else []
    factor = to_um(1.0, str(units[0])) if len(units) == 1 else None
    if factor is None:
        raise InputError(
            f"Positions in {', '.join(map(str, units)) or 'no unit'}",
            where=f"{where}, column Unit",
            fix="set the unit to um in Imaris and export again",
        )
    return factor


def _links(frame: np.ndarray, source: pd.Series, where: str) -> Links:
    """From each point of a track to the next one of the same track."""
    rows = np.flatnonzero(source.notna())
    track = source.iloc[rows].to_numpy(np.int64)
    order = np.lexsort((frame[rows], track))
    rows, track = rows[order], track[order]
    same = track[1:] == track[:-1]
    twice = same & (frame[rows][1:] == frame[rows][:-1])
    if twice.any():
        at = int(twice.argmax())
        raise InputError(
            f"Track {track[at]} has two objects at time point {frame[rows[at]] + 1}",
            where=where,
            fix="the CSV does not say who came from whom where a track divides: cut "
            "divisions in Imaris, or exchange the tracks by another format",
        )
    cost = np.full(int(same.sum()), np.nan)
    return Links(rows[:-1][same], rows[1:][same], cost)


def _statistic(path: Path, positions: pd.DataFrame) -> np.ndarray:
    """Values of a further statistic in the order of the positions."""
    table = _read(path)
    value = str(table.columns[0])
    joined = positions[_KEYS].merge(table[[*_KEYS, value]], on=_KEYS, how="left")
    if len(table) != len(positions) or joined[value].isna().any():
        raise InputError(
            f"'{value}' is not known for the same objects as the positions",
            where=str(path),
            fix="export all statistics together",
        )
    return joined[value].to_numpy(np.float64)
