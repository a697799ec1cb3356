"""What was checked in a movie and what was found, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.results.quality import drift_um, signal_loss

_COLUMNS = ["check", "finding"]
_VERDICTS = {
    "aligned": "lie on their reference",
    "shifted": "are still displaced as a whole",
    "deformed": "are deformed: places move alike, but not as a whole",
    "own_motion": "differ only by what moves in them, each thing its own way",
    "unknown": "could not be judged (too little structure)",
}


def check_movie(
    calibration: Calibration,
    frame_stats: pd.DataFrame,
    drift: pd.DataFrame,
    residual: pd.DataFrame,
    counts: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """One row per check: what was looked at, and the finding in a sentence.

    Args:
        calibration: Geometry and time base.
        frame_stats: Table FRAME_STATS.
        drift: Table DRIFT.
        residual: Table RESIDUAL_MOTION.
        counts: FRAME_COUNTS by role.
    """
    rows = [
        ("stage drift", _drift(drift, calibration)),
        ("after registration", residual_words(residual)),
    ]
    for channel, stats in frame_stats.groupby("channel", sort=False):
        rows.append((f"channel {channel}", _channel(stats.sort_values("frame"))))
    for role, table in counts.items():
        rows.append((f"{role} cells in view", _cells(table)))
    return pd.DataFrame(rows, columns=_COLUMNS)


def residual_words(residual: pd.DataFrame) -> str:
    """The verdicts of RESIDUAL_MOTION in a sentence."""
    judged = residual[residual["reference_frame"].notna()]
    if judged.empty:
        return "There is no other frame to compare with."
    counted = judged["verdict"].value_counts()
    parts = [f"{n} {_VERDICTS.get(str(v), str(v))}" for v, n in counted.items()]
    text = f"Of {len(judged)} sampled frames {'; '.join(parts)}."
    rest = judged["rms_px"].max()
    if np.isfinite(rest):
        text += f" Local displacement at most {rest:.2g} px (rms)."
    return text


def _drift(drift: pd.DataFrame, calibration: Calibration) -> str:
    distance = drift_um(drift, calibration)
    if not np.isfinite(distance.max()):
        return "Not known."
    lost = _lost_area(drift, calibration)
    return (
        f"Up to {distance.max():.2g} µm (frame {distance.idxmax()}), taken out; "
        f"{lost:.0%} of the image are missing in some frame."
    )


def _lost_area(drift: pd.DataFrame, calibration: Calibration) -> float:
    height = drift["valid_y1"].min() - drift["valid_y0"].max()
    width = drift["valid_x1"].min() - drift["valid_x0"].max()
    whole = calibration.height_px * calibration.width_px
    return float(1 - max(height, 0) * max(width, 0) / whole)


def _channel(stats: pd.DataFrame) -> str:
    loss = signal_loss(stats)
    parts = []
    if np.isfinite(loss):
        change = "lost" if loss >= 0 else "gained"
        parts.append(f"signal {change} over the movie: {abs(loss):.0%}")
    focus = stats["focus"].to_numpy(np.float64)
    sharp = focus[np.isfinite(focus) & (focus > 0)]
    if len(sharp):
        least = sharp.min() / np.median(sharp)
        parts.append(f"blurriest frame {least:.0%} as sharp as the median")
    full = stats["saturated_fraction"].max()
    if np.isfinite(full):
        parts.append(f"saturated pixels at most {full:.2%}")
    return ("; ".join(parts) or "nothing could be measured") + "."


def _cells(counts: pd.DataFrame) -> str:
    n = counts["n_cells"]
    if n.empty:
        return "No frame."
    return (
        f"{n.iloc[0]} at first, {n.iloc[-1]} at last, {n.min()} to {n.max()} between."
    )
