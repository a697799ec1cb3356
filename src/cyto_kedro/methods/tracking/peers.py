"""Other people's trackers behind the same door."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.tracking.confidence import link_margins
from cyto_kedro.methods.tracking.lineage import tracks_table
from cyto_kedro.methods.tracking.links import Links
from cyto_kedro.methods.tracking.options import LaptrackOptions, TrackpyOptions
from cyto_kedro.methods.tracking.overlaps import Stack
from cyto_kedro.methods.tracking.points import Points, read_points


def track_laptrack(
    detections: pd.DataFrame,
    calibration: Calibration,
    options: LaptrackOptions,
    labels: Stack | None = None,
) -> pd.DataFrame:
    """Track with the laptrack package; costs are squared distances in um2.

    Args:
        detections: Table DETECTIONS.
        calibration: Not needed; every tracker takes it.
        options: Limits.
        labels: Not needed either.

    Returns:
        Table TRACKS.

    Raises:
        InputError: A position is not finite, or a (frame, label) repeats.
    """
    from laptrack import LapTrack

    points = read_points(detections)

    def cutoff(limit: float | None) -> float | bool:
        return False if limit is None else limit**2

    settings: dict[str, Any] = {
        "cutoff": options.linking_max_distance_um**2,
        "gap_closing_cutoff": cutoff(options.gap_closing_max_distance_um),
        "gap_closing_max_frame_count": options.max_gap_frames + 1,
        "splitting_cutoff": cutoff(options.splitting_max_distance_um),
        "merging_cutoff": cutoff(options.merging_max_distance_um),
    }
    tracker = LapTrack(**settings)
    bounds = _frame_bounds(points)
    edges = np.empty((0, 2), dtype=np.int64)
    if len(points) > 1:
        frames = np.split(points.position_um, bounds[1:-1])
        tree = tracker.predict(frames)
        found = [[bounds[f] + i, bounds[g] + j] for (f, i), (g, j) in tree.edges]
        edges = np.array(found, dtype=np.int64).reshape(-1, 2)
    return _table(detections, points, edges, options.linking_max_distance_um)


def track_trackpy(
    detections: pd.DataFrame,
    calibration: Calibration,
    options: TrackpyOptions,
    labels: Stack | None = None,
) -> pd.DataFrame:
    """Track with the trackpy package.

    Args:
        detections: Table DETECTIONS.
        calibration: Not needed; every tracker takes it.
        options: Limits.
        labels: Not needed either.

    Returns:
        Table TRACKS without parents.

    Raises:
        InputError: A position is not finite, a (frame, label) repeats, or so many
            cells are within reach of each other that trackpy gives up.
    """
    from trackpy import SubnetOversizeException, link_iter, quiet

    quiet()  # trackpy logs a line per frame to its own handler
    points = read_points(detections)
    bounds = _frame_bounds(points)
    track = np.empty(len(points), dtype=np.int64)
    if len(points):
        frames = np.split(points.position_um, bounds[1:-1])
        try:
            for index, ids in link_iter(
                frames, options.linking_max_distance_um, memory=options.max_gap_frames
            ):
                track[bounds[index] : bounds[index + 1]] = ids
        except SubnetOversizeException as exc:
            raise InputError(
                f"trackpy cannot resolve so many close cells: {exc}",
                where="parameter linking_max_distance_um",
                fix="make it smaller than the cell spacing, or use the method lap",
            ) from exc
    order = np.lexsort((points.frame, track))
    same = track[order[:-1]] == track[order[1:]]
    edges = np.column_stack([order[:-1][same], order[1:][same]])
    return _table(detections, points, edges, options.linking_max_distance_um)


def _frame_bounds(points: Points) -> np.ndarray:
    """Index of the first point of every frame from the first on, and the end."""
    if not len(points):
        return np.zeros(1, dtype=np.int64)
    every = np.arange(points.frame[0], points.frame[-1] + 2)
    return np.searchsorted(points.frame, every)


def _table(
    detections: pd.DataFrame, points: Points, edges: np.ndarray, limit_um: float
) -> pd.DataFrame:
    source, target = edges[:, 0], edges[:, 1]
    moved = points.position_um[target] - points.position_um[source]
    cost = (moved**2).sum(axis=1) / limit_um**2
    # Where tracks merge the nearest cell of the frame before carries the track on.
    order = np.lexsort((source, cost, points.frame[target] - points.frame[source]))
    links = Links(source, target, 1.0 - cost).take(order)
    margin = link_margins(points, points.position_um, links.source, links.target)
    return tracks_table(detections, points, links, margin)
