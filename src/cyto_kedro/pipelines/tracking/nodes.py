"""Nodes of the tracking pipeline."""

from __future__ import annotations

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking import TRACKERS
from cyto_kedro.pipelines.tracking.params import TrackingParams


def track(
    detections: pd.DataFrame, calibration: Calibration, params: TrackingParams
) -> pd.DataFrame:
    """Follow the cells of one role.

    Args:
        detections: Table DETECTIONS.
        calibration: Geometry of the movie.
        params: Method and options.

    Returns:
        Table TRACKS.
    """
    tracker = TRACKERS[params.method.name]
    return tracker.track(detections, calibration, params.method)
