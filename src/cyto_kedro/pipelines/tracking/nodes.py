"""Nodes of the tracking pipeline."""

from __future__ import annotations

import dask.array as da
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking import TRACKERS, relink, suspicious_events
from cyto_kedro.pipelines.tracking.params import TrackingAuditParams, TrackingParams


def track(
    detections: pd.DataFrame,
    labels: da.Array,
    calibration: Calibration,
    params: TrackingParams,
) -> pd.DataFrame:
    """Follow the cells of one role.

    Args:
        detections: Table DETECTIONS.
        labels: TYX masks; read only where their overlap counts.
        calibration: Geometry of the movie.
        params: Method and options.

    Returns:
        Table TRACKS.
    """
    tracker = TRACKERS[params.method.name]
    tracks = tracker.track(detections, calibration, params.method, labels)
    if params.relinking is None:
        return tracks
    return relink(tracks, calibration, params.relinking)


def audit(
    tracks: pd.DataFrame, calibration: Calibration, params: TrackingAuditParams
) -> pd.DataFrame:
    """List what in the tracks of one role is unlikely to be true.

    Args:
        tracks: Table TRACKS.
        calibration: Geometry of the movie.
        params: From where on an event is suspicious.

    Returns:
        Table SUSPICIOUS_EVENTS.
    """
    return suspicious_events(
        tracks,
        calibration,
        edge_margin_um=params.edge_margin_um,
        jump_factor=params.jump_factor,
        swap_ratio=params.swap_ratio,
    )
