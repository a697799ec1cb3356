"""Living effectors per living target in the field of view."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import ET_RATIO
from cyto_kedro.methods.killing.death import DEAD_AT_ENTRY


def ratio_table(
    effectors: Mapping[str, pd.DataFrame],
    targets: Mapping[str, pd.DataFrame],
    effector: str,
    target: str,
) -> pd.DataFrame:
    """Effectors, targets and their ratio over time, in every movie.

    Args:
        effectors: Table DEATHS of the effector role by movie.
        targets: Table DEATHS of the target role by movie.
        effector: Effector role.
        target: Target role.

    Returns:
        Table ET_RATIO, at every time when a track begins or ends.
    """
    tables = [ET_RATIO.empty()]
    for movie in [m for m in targets if m in effectors]:
        both = [effectors[movie], targets[movie]]
        columns = [t[c] for t in both for c in ("entry_min", "exit_min")]
        time = np.unique(np.concatenate([c.to_numpy(np.float64) for c in columns]))
        n_effectors, n_targets = (_in_view(t, time) for t in both)
        ratio = np.full(len(time), np.nan)
        np.divide(n_effectors, n_targets, out=ratio, where=n_targets > 0)
        rows = {
            "movie": movie,
            "effector": effector,
            "target": target,
            "time_min": time,
            "n_effectors": n_effectors,
            "n_targets": n_targets,
            "et_ratio": ratio,
        }
        tables.append(ET_RATIO.conform(pd.DataFrame(rows)))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def count_at_start(deaths: pd.DataFrame) -> int:
    """Living cells in the first frame."""
    living = deaths[deaths["reason"] != DEAD_AT_ENTRY]
    return int((living["entry_frame"] == 0).sum())


def _alive(deaths: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """First and last time that each cell was in view and alive."""
    living = deaths[deaths["reason"] != DEAD_AT_ENTRY]
    begin = living["entry_min"].to_numpy(np.float64)
    end = living["death_time_min"].fillna(living["exit_min"]).to_numpy(np.float64)
    return begin, np.maximum(end, begin)


def _in_view(deaths: pd.DataFrame, time: np.ndarray) -> np.ndarray:
    """Cells with ``entry <= t <= exit`` that have not died before or at ``t``."""
    living = deaths[deaths["reason"] != DEAD_AT_ENTRY]
    begin, end = _alive(deaths)
    came = np.searchsorted(np.sort(begin), time, side="right")
    dead = living["death_time_min"].notna().to_numpy()
    # The dead are gone at their time of death, the others after their last sight.
    died = np.searchsorted(np.sort(end[dead]), time, side="right")
    left = np.searchsorted(np.sort(end[~dead]), time, side="left")
    return came - died - left
