"""Tracks from and for napari's Tracks layer, and Ultrack's CSV, which is alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from cyto_kedro.core.atomic import staged, write_text
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.base import PathDataset
from cyto_kedro.datasets.exchange import (
    checked_tracks,
    links_of,
    positive,
    read_calibration,
    tracks_from_links,
)

_LAYER = ["track_id", "t", "y", "x"]
_PARENT = "parent_track_id"
Graph = dict[int, list[int]]


class NapariTracksDataset(PathDataset[pd.DataFrame, pd.DataFrame]):
    """Tracks as a CSV in the layout of napari's Tracks layer, and its graph.

    The CSV has the columns ``track_id, t, y, x`` (``t`` is the frame) and then
    ``label``; ``<stem>.graph.json`` beside it maps each daughter to its parents:
    ``{"2": [1], "3": [1]}``; a merged track names all that lead into it.
    https://napari.org/stable/howtos/layers/tracks.html

    Loading gives table EXCHANGED_TRACKS; track ids are numbered anew. A file without
    graph may have a column ``parent_track_id`` (Ultrack's CSV; -1 or blank for none);
    without both it has no divisions. Without ``label`` the cells of a frame are counted
    in file order. A column ``id`` becomes ``source_id``.

    Args:
        filepath: The ``.csv`` file.
        unit: What ``y`` and ``x`` are: ``px``, which lie on the image and its masks, or
            ``um``.
        calibration: ``calibration.json`` of the movie.
        pixel_size_um: Pixel size instead of it, for ``px``.
        frame_interval_min: Frame interval instead of it, for loading.
        metadata: Free content for plugins.
    """

    data_type: str = "Table"

    def __init__(
        self,
        filepath: str | Path,
        unit: Literal["px", "um"] = "px",
        calibration: str | Path | None = None,
        pixel_size_um: float | None = None,
        frame_interval_min: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if self.path.suffix != ".csv" or unit not in ("px", "um"):
            raise ConfigError(
                "Tracks for napari need a .csv path, and unit one of px and um",
                where=str(filepath),
            )
        self._unit = unit
        self._calibration = None if calibration is None else Path(calibration)
        self._pixel = positive(pixel_size_um, "pixel_size_um", self.path)
        self._step = positive(frame_interval_min, "frame_interval_min", self.path)
        self._graph = self.path.with_suffix(".graph.json")

    @property
    def paths(self) -> list[Path]:
        """The table and its graph."""
        return [self.path, self._graph]

    def load(self) -> pd.DataFrame:
        """Read the tracks."""
        where = str(self.path)
        points, graph = self._read(where)
        known = read_calibration(self._calibration)
        height, width = self._spacing(known)
        frame = points["frame"].to_numpy()
        table = points.assign(
            time_min=self._times(known, frame),
            y_um=points["y"] * height,
            x_um=points["x"] * width,
        )
        table = checked_tracks(_related(table, graph, where), where)
        return tracks_from_links(table, links_of(table), where)

    def _read(self, where: str) -> tuple[pd.DataFrame, Graph]:
        """Points in the unit of the file, and the parents of each track."""
        points = points_of(read_csv(self.path), where)
        if self._graph.exists():
            return points, _read_graph(self._graph)
        return points, parents_of(points)

    def save(self, data: pd.DataFrame) -> None:
        """Write the graph, then the table: where that is, both are whole."""
        table = checked_tracks(data, str(self.path))
        layer = self._layer(table).assign(label=table["label"])
        write_text(self._graph, json.dumps(_graph_of(table), indent=0) + "\n")
        with staged(self.path) as stage:
            layer.to_csv(stage, index=False)

    def _layer(self, table: pd.DataFrame) -> pd.DataFrame:
        """The columns of the Tracks layer, in the unit of the file."""
        height, width = self._spacing(read_calibration(self._calibration))
        return pd.DataFrame(
            {
                "track_id": table["track_id"],
                "t": table["frame"],
                "y": table["y_um"] / height,
                "x": table["x_um"] / width,
            }
        )

    def _spacing(self, known: Calibration | None) -> tuple[float, float]:
        """um per unit of the file along y and x."""
        if self._unit == "um":
            return 1.0, 1.0
        if known is not None:
            return known.spacing_um
        if self._pixel is None:
            raise ConfigError(
                "Positions in px need a pixel size",
                where=str(self.path),
                fix="give 'calibration' or 'pixel_size_um', or 'unit: um'",
            )
        return self._pixel, self._pixel

    def _times(self, known: Calibration | None, frame: np.ndarray) -> np.ndarray:
        if known is not None:
            if frame.max(initial=0) >= known.n_frames:
                raise InputError(
                    f"The tracks reach frame {frame.max()}, but the movie has "
                    f"{known.n_frames} frames",
                    where=str(self.path),
                    fix="give the calibration of the movie that these tracks are of",
                )
            return known.times_min[frame]
        if self._step is None:
            raise ConfigError(
                "The file has frames but no times",
                where=str(self.path),
                fix="give 'calibration' or 'frame_interval_min'",
            )
        return frame * self._step

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path), "unit": self._unit}


def _graph_of(table: pd.DataFrame) -> Graph:
    """Each daughter or merged track of a checked table to its parents."""
    first = table.drop_duplicates("track_id")
    pairs = first[["track_id", "parent_track_id"]].dropna().to_numpy(dtype=np.int64)
    if "merged_into_track_id" in first:
        into = first[["merged_into_track_id", "track_id"]].dropna()
        pairs = np.concatenate([pairs, into.to_numpy(dtype=np.int64)])
    graph: Graph = {}
    for own, above in sorted(pairs.tolist()):
        graph.setdefault(own, []).append(above)
    return graph


def read_csv(
    path: Path, separator: str = ",", needed: Sequence[str] = _LAYER
) -> pd.DataFrame:
    """A table with at least the needed columns.

    Raises:
        InputError: It is no such table.
    """
    try:
        # Patterns as separators are understood by the Python parser alone.
        table = (
            pd.read_csv(path, float_precision="round_trip")
            if separator == ","
            else pd.read_csv(path, sep=separator, engine="python")
        )
    except (ValueError, UnicodeDecodeError) as exc:
        raise InputError(f"Not a CSV table: {exc}", where=str(path)) from exc
    missing = [name for name in needed if name not in table]
    if missing:
        raise InputError(
            f"The table lacks {', '.join(missing)}",
            where=str(path),
            fix=f"its first line names the columns: {','.join(needed)}",
        )
    return table


def points_of(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The columns of EXCHANGED_TRACKS that need no unit, and y and x as they are."""
    if "z" in table and table["z"].ne(0).any():
        raise InputError(
            "The tracks are three-dimensional",
            where=where,
            fix="remove the column z, or set it to 0, to take their y and x",
        )
    frame = _whole(table["t"], "t", where)
    counted = frame.groupby(frame).cumcount() + 1
    label = _whole(table.get("label", counted), "label", where, least=1)
    blank = pd.Series(np.nan, table.index)
    return pd.DataFrame(
        {
            "frame": frame,
            "label": label,
            "y": _number(table["y"], "y", where),
            "x": _number(table["x"], "x", where),
            "z_um": 0.0,
            "radius_um": np.nan,
            "quality": np.nan,
            "source_id": _number(table.get("id", blank), "id", where).astype("Int64"),
            "track_id": _whole(table["track_id"], "track_id", where),
            "above": _number(table.get(_PARENT, blank), _PARENT, where),
        }
    )


def _number(column: pd.Series, name: str, where: str) -> pd.Series:
    try:
        return column.astype(np.float64)
    except ValueError as exc:
        raise InputError(f"Column {name}: {exc}", where=where) from exc


def _whole(column: pd.Series, name: str, where: str, least: int = 0) -> pd.Series:
    """Integers; programs that keep all columns in one array write them as 3.0."""
    value = _number(column, name, where)
    bad = ~(np.isfinite(value) & (value >= least) & (value % 1 == 0))
    if bad.any():
        raise InputError(
            f"Column {name}: {value[bad].iloc[0]} is no whole number from {least}",
            where=where,
            fix="frames count from 0; ids are whole numbers",
        )
    return value.astype(np.int64)


def parents_of(points: pd.DataFrame) -> Graph:
    """The graph of a file that has a column of parents, or none at all."""
    rows = points.loc[points["above"] >= 0, ["track_id", "above"]].drop_duplicates()
    return {int(own): [int(above)] for own, above in rows.itertuples(index=False)}


def _read_graph(path: Path) -> Graph:
    try:
        read = json.loads(path.read_text("utf-8"))
        # napari takes a bare number for a single parent too.
        return {
            int(own): [
                int(one) for one in (above if isinstance(above, list) else [above])
            ]
            for own, above in read.items()
        }
    except (ValueError, TypeError, AttributeError) as exc:
        raise InputError(
            f"Not a graph of tracks: {exc}",
            where=str(path),
            fix='it maps each daughter to its parents: {"2": [1], "3": [1]}',
        ) from exc


def _related(table: pd.DataFrame, graph: Graph, where: str) -> pd.DataFrame:
    """Add the parent of each daughter, and of merging tracks what they lead into."""
    unknown = set(graph) - set(table["track_id"].tolist())
    if unknown:
        raise InputError(
            f"The graph names track {min(unknown)}, which has no points", where=where
        )
    parent = {own: above[0] for own, above in graph.items() if len(above) == 1}
    into: dict[int, int] = {}
    for own, above in graph.items():
        for one in above if len(above) > 1 else ():
            if one in into:
                raise InputError(
                    f"Track {one} merges into tracks {into[one]} and {own} at once, "
                    "which no table of tracks can say",
                    where=where,
                )
            into[one] = own
    track = table["track_id"]
    return table.assign(
        parent_track_id=track.map(parent).astype("Int64"),
        merged_into_track_id=track.map(into).astype("Int64"),
    )
