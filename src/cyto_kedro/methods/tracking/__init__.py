"""Trackers: DETECTIONS in, TRACKS out, looked up by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from cyto_kedro.core.params import Params
from cyto_kedro.methods.tracking.events import suspicious_events
from cyto_kedro.methods.tracking.lap import track_lap
from cyto_kedro.methods.tracking.options import (
    LapOptions,
    LaptrackOptions,
    OverlapOptions,
    RelinkingOptions,
    TrackerOptions,
    TrackpyOptions,
)
from cyto_kedro.methods.tracking.overlap import track_overlap
from cyto_kedro.methods.tracking.peers import track_laptrack, track_trackpy
from cyto_kedro.methods.tracking.relinking import relink

__all__ = [
    "TRACKERS",
    "LapOptions",
    "LaptrackOptions",
    "OverlapOptions",
    "RelinkingOptions",
    "Tracker",
    "TrackerOptions",
    "TrackpyOptions",
    "relink",
    "suspicious_events",
]


@dataclass(frozen=True)
class Tracker:
    """One method: its options and ``track(detections, calibration, options, labels)``.

    ``labels``, the TYX masks of the detections, may be left out where no overlap is
    asked for.
    """

    options: type[Params]
    track: Callable[..., pd.DataFrame]


TRACKERS: dict[str, Tracker] = {
    "lap": Tracker(LapOptions, track_lap),
    "laptrack": Tracker(LaptrackOptions, track_laptrack),
    "trackpy": Tracker(TrackpyOptions, track_trackpy),
    "overlap": Tracker(OverlapOptions, track_overlap),
}
