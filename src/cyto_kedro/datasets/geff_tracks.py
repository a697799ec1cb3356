"""Tracks as geff, the graph exchange file format of the tracking community."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.base import PathDataset
from cyto_kedro.datasets.exchange import (
    Links,
    checked_tracks,
    links_of,
    positive,
    read_calibration,
    tracks_from_links,
    without_merges,
)
from cyto_kedro.datasets.geff_axes import points_of, wanted_props
from cyto_kedro.datasets.geff_props import node_props, props_metadata

_AXES = ("t", "y", "x")


class GeffDataset(PathDataset[pd.DataFrame, pd.DataFrame]):
    """Tracks as a geff group (https://liveimagetrackingtools.org/geff), zarr format 2.

    A node is a cell in a frame, an edge leads to the cell's next point, to its
    daughters, or into a merge. Axes are ``t`` (frame), ``y`` and ``x`` (um); every
    numeric column that is known for some cell is a node property.

    Loading gives table EXCHANGED_TRACKS. It takes files of other programs: axes by
    type and name, lengths in any physical unit, or in pixels with a pixel size; edges
    directed or not. Track ids are numbered anew; ``source_id`` is the node's id.

    Args:
        filepath: The folder, ``.geff`` or ``.zarr``.
        calibration: ``calibration.json`` of the movie; needed where the file does not
            say its sizes and times.
        pixel_size_um: Pixel size instead of it, for files in pixels.
        frame_interval_min: Frame interval instead of it, for files in frames.
        merges: ``keep``, or ``cut`` so that of several edges into a node only that
            from the latest, nearest one remains.
        labels: Path of the masks relative to the folder, named in the file so that
            viewers find them.
        metadata: Free content for plugins.

    Raises:
        ConfigError: The package geff is not installed.
    """

    data_type: str = "Table"

    def __init__(
        self,
        filepath: str | Path,
        calibration: str | Path | None = None,
        pixel_size_um: float | None = None,
        frame_interval_min: float | None = None,
        merges: str = "keep",
        labels: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if self.path.suffix not in (".geff", ".zarr") or merges not in ("keep", "cut"):
            raise ConfigError(
                "A geff needs a path that ends in .geff or .zarr, and merges one of "
                "keep and cut",
                where=str(filepath),
            )
        self._calibration = None if calibration is None else Path(calibration)
        self._pixel = positive(pixel_size_um, "pixel_size_um", self.path)
        self._step = positive(frame_interval_min, "frame_interval_min", self.path)
        self._merges, self._labels = merges, labels

    def load(self) -> pd.DataFrame:
        """Read the tracks."""
        _need_geff(self.path)
        from geff import GeffMetadata
        from geff.core_io import read_to_memory

        where = str(self.path)
        try:
            about = GeffMetadata.read(where)
            names = sorted(wanted_props(about) & set(about.node_props_metadata))
            graph = read_to_memory(where, node_props=names, edge_props=[])
        except (ValueError, TypeError, KeyError, OSError) as exc:
            raise InputError(f"Not a geff: {exc}", where=where) from exc
        known = read_calibration(self._calibration)
        points = points_of(graph, known, self._pixel, self._step, where)
        links = _links(graph["edge_ids"], points, where)
        if self._merges == "cut":
            links = without_merges(points, links)
        return tracks_from_links(points, links, where)

    def save(self, data: pd.DataFrame) -> None:
        """Write the tracks."""
        _need_geff(self.path)
        from geff.core_io import write_arrays

        table = checked_tracks(data, str(self.path))
        links = links_of(table)
        props, renamed = node_props(table)
        with staged(self.path) as stage:
            write_arrays(
                str(stage),
                node_ids=np.arange(len(table), dtype=np.uint64),
                node_props=props,
                edge_ids=np.column_stack([links.source, links.target]).astype(
                    np.uint64
                ),
                edge_props={},
                metadata=self._metadata(table, links, props, renamed),
                structure_validation=False,  # a third of the time; loading does it
            )

    def _metadata(
        self,
        table: pd.DataFrame,
        links: Links,
        props: dict[str, Any],
        renamed: dict[str, str],
    ) -> Any:
        from geff import GeffMetadata
        from geff_spec import Axis

        units = {"t": "frame", "y": "micrometer", "x": "micrometer"}
        axes = [
            Axis(name=name, type="time" if name == "t" else "space", unit=units[name])
            for name in _AXES
        ]
        extra: dict[str, Any] = {}
        if self._labels:
            masks = {"type": "labels", "path": self._labels, "node_prop": "label"}
            extra["related_objects"] = [masks]
        # A mother with one daughter has no tracklet of her own in the format.
        if (np.bincount(links.source, minlength=len(table))[_ends(table)] != 1).all():
            extra["track_node_props"] = {"tracklet": "track_id"}
        if "radius_um" in props and props["radius_um"]["missing"] is None:
            extra["sphere"] = "radius_um"
        return GeffMetadata(
            directed=True,
            axes=axes,
            node_props_metadata=props_metadata(props, renamed),
            edge_props_metadata={},
            **extra,
        )


def _need_geff(path: Path) -> None:
    try:
        import geff  # noqa: F401
    except ImportError as exc:
        raise ConfigError(
            "The package geff is not installed",
            where=str(path),
            fix="pip install 'cyto-kedro[exchange]'",
        ) from exc


def _ends(table: pd.DataFrame) -> np.ndarray:
    """Rows at which the tracks of a sorted table end."""
    return np.flatnonzero(~table.duplicated("track_id", keep="last").to_numpy())


def _links(edges: np.ndarray, points: pd.DataFrame, where: str) -> Links:
    """Edges as rows of ``points``, forward in time."""
    row = pd.Series(np.arange(len(points)), index=points["source_id"].to_numpy())
    ends = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    one, other = (row.reindex(ends[:, k]).to_numpy(dtype=np.float64) for k in (0, 1))
    if not np.isfinite(one).all() or not np.isfinite(other).all():
        raise InputError("An edge names a node that does not exist", where=where)
    first_end, second_end = one.astype(np.int64), other.astype(np.int64)
    frame = points["frame"].to_numpy()
    same = np.flatnonzero(frame[first_end] == frame[second_end])
    if len(same):
        raise InputError(
            f"Nodes {ends[same[0], 0]} and {ends[same[0], 1]} of one frame are linked",
            where=where,
            fix="edges lead from one time to a later one",
        )
    back = frame[first_end] > frame[second_end]
    source = np.where(back, second_end, first_end)
    target = np.where(back, first_end, second_end)
    return Links(source, target, np.full(len(source), np.nan))
