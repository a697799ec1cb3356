"""Tables with planted deaths and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION, CONTACTS, DEATHS, TRACKS
from cyto_kedro.methods.killing.attribution import Dose, attribute
from cyto_kedro.methods.killing.hits import DelayPrior, fit_hits
from cyto_kedro.methods.killing.touches import gather_touches

#: 60 frames, 5 min apart, 200 x 200 um.
CALIBRATION = Calibration.regular(
    (60, 400, 400), pixel_size_um=0.5, frame_interval_min=5.0
)


def track_rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A TRACKS table from the columns that matter; the others hold fillers."""
    table = pd.DataFrame(rows)
    if table.empty:
        return TRACKS.empty()
    filled: dict[str, Any] = {}
    for name, col in TRACKS.columns.items():
        if name in table:
            filled[name] = table[name]
        elif name in {"touches_border", "in_valid_region"}:
            filled[name] = name == "in_valid_region"
        elif col.dtype in {"Int64", "boolean"}:
            filled[name] = pd.array([pd.NA] * len(table), dtype=col.dtype)
        elif col.dtype == "object":
            filled[name] = "cancer"
        else:
            filled[name] = 1
    rest = {name: table[name] for name in table if name not in filled}
    return TRACKS.validate(TRACKS.conform(pd.DataFrame(filled | rest)))


def cell(
    track_id: int,
    signal: np.ndarray,
    first_frame: int = 0,
    background: np.ndarray | float = 100.0,
    at_um: tuple[float, float] = (100.0, 100.0),
    parent: int | None = None,
    minutes: float = 5.0,
) -> list[dict[str, Any]]:
    """Rows of one track; ``signal`` is above background, NaN = no detection."""
    back = np.broadcast_to(background, len(signal))
    return [
        {
            "track_id": track_id,
            "label": track_id,
            "frame": first_frame + i,
            "time_min": (first_frame + i) * minutes,
            "y_um": at_um[0],
            "x_um": at_um[1],
            "parent_track_id": pd.NA if parent is None else parent,
            "mean_death": back[i] + signal[i],
            "background_death": back[i],
        }
        for i in range(len(signal))
        if np.isfinite(signal[i])
    ]


def died(rows: dict[int, int], calibration: Calibration = CALIBRATION) -> pd.DataFrame:
    """A DEATHS table: frame of death by track, watched from first to last frame."""
    times = calibration.times_min
    end = calibration.n_frames - 1
    table = pd.DataFrame(
        {
            "role": "cancer",
            "track_id": list(rows),
            "entry_frame": 0,
            "exit_frame": end,
            "entry_min": 0.0,
            "exit_min": times[end],
            "death_frame": list(rows.values()),
            "death_time_min": [times[f] for f in rows.values()],
            "censored": False,
            "reason": "died",
            "peak_signal": 1000.0,
            "threshold": 100.0,
        }
    )
    return DEATHS.validate(DEATHS.conform(table)) if rows else DEATHS.empty()


def touching(
    rows: list[tuple[int, int, int, float]],
    effector: str = "tcell",
    calibration: Calibration = CALIBRATION,
) -> pd.DataFrame:
    """A CONTACTS table from (frame, effector track, target track, distance)."""
    if not rows:
        return CONTACTS.empty()
    frame, a, b, distance = zip(*rows, strict=True)
    table = pd.DataFrame(
        {
            "frame": frame,
            "time_min": calibration.times_min[list(frame)],
            "effector": effector,
            "target": "cancer",
            "effector_label": a,
            "target_label": b,
            "effector_track_id": a,
            "target_track_id": b,
            "distance_um": distance,
            "centroid_distance_um": 10.0,
            "boundary_um": 1.0,
            "overlap_px": 0,
            "in_contact": True,
        }
    )
    return CONTACTS.validate(CONTACTS.conform(table))


DOSE = Dose(hit_min=15.0, memory_min=50.0, max_hits=3.0, length_um=10.0)


def credited(
    deaths: pd.DataFrame,
    contacts: Mapping[str, pd.DataFrame],
    window_min: float,
    dose: Dose = DOSE,
    calibration: Calibration = CALIBRATION,
) -> pd.DataFrame:
    """The ATTRIBUTION table, with the hit model at its default prior."""
    touches = gather_touches(contacts)
    asked = (calibration, "cancer", window_min)
    model = fit_hits(deaths, touches, *asked, DelayPrior())
    return ATTRIBUTION.validate(attribute(deaths, touches, *asked, dose, model))
