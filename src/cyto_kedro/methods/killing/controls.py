"""What effector-free movies say about the threshold of death."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import CONTROL_THRESHOLD
from cyto_kedro.methods.killing.death import DEAD_AT_ENTRY
from cyto_kedro.methods.killing.thresholds import lower_spread


def control_thresholds(
    deaths: Mapping[str, pd.DataFrame], control: Mapping[str, bool], role: str, k: float
) -> pd.DataFrame:
    """Compare each movie's threshold with the one of the pooled controls.

    The peak signals of the control movies' cells are those of living cells and a few
    that die on their own, which can only be brighter: their median plus ``k`` lower
    spreads is where living cells end. It is a suggestion; to use it for all movies,
    state it as ``threshold: {name: given, value: ...}``. All movies must have been
    imaged alike.

    Args:
        deaths: Table DEATHS by movie, all made with the same signal.
        control: Whether each movie is a control.
        role: Role of the cells.
        k: Robust standard deviations above the median.

    Returns:
        CONTROL_THRESHOLD, one row per movie; the suggestion is NaN without controls.
    """
    peaks = {movie: _peaks(table) for movie, table in deaths.items()}
    pool = [peaks[movie] for movie in deaths if control.get(movie, False)]
    pooled = np.concatenate(pool) if pool else np.empty(0)
    limit = float("nan")
    if len(pooled):
        limit = float(np.median(pooled)) + k * lower_spread(pooled)
    rows = []
    for movie, table in deaths.items():
        died = table["death_frame"].notna() & np.isfinite(table["peak_signal"])
        alive = ~died & (table["reason"] != DEAD_AT_ENTRY)
        used = table["threshold"].iloc[0] if len(table) else float("nan")
        rows.append(
            {
                "role": role,
                "movie": movie,
                "control": bool(control.get(movie, False)),
                "n_cells": len(peaks[movie]),
                "n_control_cells": len(pooled),
                "threshold": used,
                "control_threshold": limit,
                "n_deaths": int(died.sum()),
                "n_below": int((died & (table["peak_signal"] < limit)).sum()),
                "n_above": int((alive & (table["peak_signal"] >= limit)).sum()),
            }
        )
    table = pd.DataFrame(rows, columns=list(CONTROL_THRESHOLD.columns))
    return CONTROL_THRESHOLD.conform(table)


def is_true(column: pd.Series) -> pd.Series:
    """Whether each value of a sheet's column says yes (1, true, yes, y, t)."""
    said = column.astype(str).str.strip().str.lower()
    return said.isin({"1", "1.0", "true", "yes", "y", "t"})


def _peaks(table: pd.DataFrame) -> np.ndarray:
    watched = table[table["reason"] != DEAD_AT_ENTRY]
    peak = watched["peak_signal"].to_numpy(np.float64)
    return peak[np.isfinite(peak)]
