"""How many deaths would find a culprit by chance: circular shifts in time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION_CHANCE
from cyto_kedro.methods.killing.touches import (
    Touches,
    dead_targets,
    window_frames,
)


def chance_of_candidates(
    dead: pd.DataFrame, touches: Touches, calibration: Calibration, window_min: float
) -> tuple[np.ndarray, np.ndarray]:
    """For each death and each shift: would there be a candidate?

    All contacts of a target are shifted by the same number of frames, circularly
    within the frames from its first to its last. That keeps how often, how long and
    how crowded the target was touched and breaks only the link to the time of death.
    All shifts are evaluated at once: a contact reaches the window for an interval of
    shifts.

    Args:
        dead: From :func:`dead_targets`.
        touches: Contacts of all effector roles with this target role.
        calibration: Time base.
        window_min: Attribution window.

    Returns:
        ``reached``: one flag per death and shift, deaths one after the other, shifts
        0, 1, ... (0 is what was seen); ``offset``: (deaths + 1,) where each begins.
    """
    ids = dead["track_id"].to_numpy()
    entry = dead["entry_frame"].to_numpy()
    length = dead["exit_frame"].to_numpy() - entry + 1
    first, last = window_frames(dead, calibration, window_min)
    begin, width = np.maximum(first, entry), last - np.maximum(first, entry) + 1
    offset = np.r_[0, np.cumsum(length)]

    slot = pd.Index(ids).get_indexer(touches.target)
    rows = np.flatnonzero(slot >= 0)
    slot = slot[rows]
    # One spare cell per death takes the closing mark of intervals that end with it.
    base, size = offset[:-1] + np.arange(len(ids)), length[slot]
    start = (begin[slot] - touches.frame[rows]) % size
    stop = start + width[slot]
    wraps = stop > size
    opening = np.r_[base[slot] + start, base[slot][wraps]]
    closing = np.r_[
        base[slot] + np.minimum(stop, size), (base[slot] + stop - size)[wraps]
    ]
    cells = int(offset[-1] + len(ids))
    marks = np.bincount(opening, minlength=cells) - np.bincount(
        closing, minlength=cells
    )
    keep = np.ones(cells, dtype=bool)
    keep[base + length] = False
    return (np.cumsum(marks) > 0)[keep], offset


def attribution_chance(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    window_min: float,
    n_shifts: int,
    seed: int,
) -> pd.DataFrame:
    """Attributed deaths against what chance explains (ATTRIBUTION_CHANCE, one row).

    The expected fraction is exact (mean over all shifts); its 95 % range and the
    p-value come from ``n_shifts`` random draws of one shift per target. With ``o``
    observed and ``e`` expected, the false discovery rate is at most ``e / o``, and
    ``(o - e) / (1 - e)`` of the deaths have a culprit beyond chance (Abbott 1925,
    doi:10.1093/jee/18.2.265a).
    """
    dead = dead_targets(deaths)
    count = len(dead)
    row: dict[str, object] = dict.fromkeys(ATTRIBUTION_CHANCE.columns, np.nan)
    row |= {
        "target": target,
        "method": "time_shift",
        "window_min": window_min,
        "n_deaths": count,
        "n_attributed": 0,
        "n_shifts": n_shifts,
        "seed": seed,
    }
    if count:
        reached, offset = chance_of_candidates(dead, touches, calibration, window_min)
        length = np.diff(offset)
        share = np.add.reduceat(reached, offset[:-1], dtype=np.float64) / length
        observed, expected = float(reached[offset[:-1]].mean()), float(share.mean())
        random = np.random.default_rng(seed)
        null = np.empty(n_shifts)
        for draw in range(n_shifts):  # one row at a time: memory stays small
            null[draw] = reached[offset[:-1] + random.integers(0, length)].mean()
        low, high = np.quantile(null, [0.025, 0.975])
        as_extreme = int((null >= observed - 1e-12).sum())
        row |= {
            "n_attributed": int(reached[offset[:-1]].sum()),
            "observed_fraction": observed,
            "expected_fraction": expected,
            "expected_low": float(low),
            "expected_high": float(high),
            "p_value": (1 + as_extreme) / (1 + n_shifts),
            "fdr": min(1.0, expected / observed) if observed > 0 else np.nan,
            "excess_fraction": (
                max(0.0, (observed - expected) / (1 - expected))
                if expected < 1
                else np.nan
            ),
        }
    return ATTRIBUTION_CHANCE.conform(pd.DataFrame([row]))
