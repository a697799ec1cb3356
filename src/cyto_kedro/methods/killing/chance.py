"""How many deaths would find a culprit by chance: contacts shifted in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION_CHANCE
from cyto_kedro.methods.killing.hits import DelayPrior, HitModel, fit_hits
from cyto_kedro.methods.killing.touches import (
    Touches,
    dead_targets,
    window_frames,
)

#: Which deaths a rule gives to somebody, by the number of candidates. The nearest and
#: the shared rule give every death with a candidate.
RULES = ("any", "exclusive")


def credited_by(rule: str, candidates: np.ndarray) -> np.ndarray:
    """Whether a death with so many candidates is attributed under a rule."""
    return candidates > 0 if rule == "any" else candidates == 1


def candidates_by_shift(
    dead: pd.DataFrame, touches: Touches, calibration: Calibration, window_min: float
) -> tuple[np.ndarray, np.ndarray]:
    """For each death and each shift: how many candidates would there be?

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
        ``candidates``: one count per death and shift, deaths one after the other,
        shifts 0, 1, ... (0 is what was seen); ``offset``: (deaths + 1,) where each
        begins.
    """
    entry = dead["entry_frame"].to_numpy()
    length = dead["exit_frame"].to_numpy() - entry + 1
    first, last = window_frames(dead, calibration, window_min)
    begin, width = np.maximum(first, entry), last - np.maximum(first, entry) + 1
    offset = np.r_[0, np.cumsum(length)]

    slot = pd.Index(dead["track_id"].to_numpy()).get_indexer(touches.target)
    rows = np.flatnonzero(slot >= 0)
    slot = slot[rows]
    effector, role = touches.effector[rows], touches.role[rows]
    codes = [slot, role, effector - effector.min(initial=0)]
    sizes = [int(code.max(initial=0)) + 1 for code in codes]
    known, pair = np.unique(np.ravel_multi_index(codes, sizes), return_inverse=True)
    death = known // (sizes[1] * sizes[2])
    # One spare cell per pair takes the closing mark of intervals that end with it.
    base = np.r_[0, np.cumsum(length[death] + 1)]
    size = length[slot]
    start = (begin[slot] - touches.frame[rows]) % size
    stop = start + width[slot]
    wraps = stop > size
    opening = np.r_[base[pair] + start, base[pair][wraps]]
    closing = np.r_[
        base[pair] + np.minimum(stop, size), (base[pair] + stop - size)[wraps]
    ]
    marks = np.zeros(int(base[-1]) + 1, np.int32)
    np.add.at(marks, opening, 1)
    np.add.at(marks, closing, -1)
    reached = np.flatnonzero(np.cumsum(marks) > 0)
    owner = np.searchsorted(base, reached, side="right") - 1
    cell = offset[death[owner]] + reached - base[owner]
    return np.bincount(cell, minlength=int(offset[-1])), offset


def attribution_chance(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    window_min: float,
    n_shifts: int,
    seed: int,
) -> pd.DataFrame:
    """Attributed deaths against what shifts in time explain, one row per rule.

    The expected fraction is exact (mean over all shifts); its 95 % range and the
    p-value come from ``n_shifts`` random draws of one shift per target.

    Returns:
        ATTRIBUTION_CHANCE with ``method`` time_shift.
    """
    dead = dead_targets(deaths)
    asked = (target, "time_shift", window_min, n_shifts, seed)
    if dead.empty:
        return as_table(chance_row(rule, asked, None, None) for rule in RULES)
    counts, offset = candidates_by_shift(dead, touches, calibration, window_min)
    first, length = offset[:-1], np.diff(offset)
    hits = [credited_by(rule, counts) for rule in RULES]
    random = np.random.default_rng(seed)
    null = np.empty((len(RULES), n_shifts))
    for draw in range(n_shifts):  # one draw at a time: memory stays small
        picked = first + random.integers(0, length)
        null[:, draw] = [hit[picked].mean() for hit in hits]
    rows = []
    for rule, hit, chance in zip(RULES, hits, null, strict=True):
        share = np.add.reduceat(hit, first, dtype=np.float64) / length
        row = chance_row(rule, asked, hit[first], chance, float(share.mean()))
        rows.append(row)
    return as_table(rows)


def hit_model_chance(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    window_min: float,
    prior: DelayPrior,
    n_shifts: int,
    seed: int,
) -> pd.DataFrame:
    """What the hit model credits by chance: refitted to contacts shifted in time.

    The contacts of every target are shifted circularly within the frames in which it
    was watched alive, each by a random number of frames: how much it was touched
    before it died stays, when it was touched does not. Fractions are mean credit per
    death; the p-value is that of the gain in log likelihood, which also sees *when*
    targets were touched.

    Returns:
        ATTRIBUTION_CHANCE with ``rule`` hazard and ``method`` time_shift, one row.
    """
    dead = dead_targets(deaths)
    asked = (target, "time_shift", window_min, n_shifts, seed)
    fixed = (calibration, target, window_min, prior)
    model = fit_hits(deaths, touches, *fixed)
    if dead.empty:
        return as_table([chance_row("hazard", asked, None, None)])
    random = np.random.default_rng(seed)
    null, gains = np.empty(n_shifts), np.empty(n_shifts)
    for draw in range(n_shifts):
        shifted = _shifted_alive(deaths, touches, random)
        other = fit_hits(deaths, shifted, *fixed)
        null[draw] = _credited(other, len(dead))
        gains[draw] = other.gain
    seen = np.full(len(dead), _credited(model, len(dead)))
    row = chance_row("hazard", asked, seen, null)
    row["n_attributed"] = round(float(seen.sum()))
    as_good = int((gains >= model.gain - 1e-9).sum())
    return as_table([row | {"p_value": (1 + as_good) / (1 + n_shifts)}])


def _credited(model: HitModel, n_deaths: int) -> float:
    return float(model.credit["credit"].sum()) / n_deaths


def _shifted_alive(
    deaths: pd.DataFrame, touches: Touches, random: np.random.Generator
) -> Touches:
    """Each target's contacts moved within its frames from entry to death or exit.

    Contacts after death are left out.
    """
    rows = deaths.sort_values("track_id")
    entry = rows["entry_frame"].to_numpy(np.int64)
    last = rows["death_frame"].fillna(rows["exit_frame"]).to_numpy(np.int64)
    length = last - entry + 1
    step = random.integers(0, length)
    slot = pd.Index(rows["track_id"]).get_indexer(touches.target)
    kept = np.flatnonzero((slot >= 0) & (touches.frame <= last[slot]))
    slot, frame = slot[kept], touches.frame[kept]
    moved = (frame - entry[slot] + step[slot]) % length[slot] + entry[slot]
    own = Touches(touches.roles, *(column[kept] for column in touches[1:]))
    return own._replace(frame=moved)


def chance_row(
    rule: str,
    asked: tuple[str, str, float, int, int],
    seen: np.ndarray | None,
    null: np.ndarray | None,
    expected: float | None = None,
) -> dict[str, object]:
    """One row of ATTRIBUTION_CHANCE.

    With ``o`` observed and ``e`` expected, the false discovery rate is at most ``e /
    o``, and ``(o - e) / (1 - e)`` of the deaths have a culprit beyond chance (Abbott
    1925, doi:10.1093/jee/18.2.265a).

    Args:
        rule: One of :data:`RULES`, or hazard.
        asked: Target role, method, window, number of draws and seed.
        seen: (deaths,) whether each was attributed; None without deaths.
        null: (draws,) the fraction attributed by chance.
        expected: Its exact mean where known.
    """
    target, method, window_min, n_shifts, seed = asked
    row: dict[str, object] = dict.fromkeys(ATTRIBUTION_CHANCE.columns, np.nan)
    row |= {"target": target, "method": method, "rule": rule, "window_min": window_min}
    row |= {"n_deaths": 0, "n_attributed": 0, "n_shifts": n_shifts, "seed": seed}
    if seen is None or null is None or not len(seen):
        return row
    observed = float(seen.mean())
    mean = float(null.mean()) if expected is None else expected
    low, high = np.quantile(null, [0.025, 0.975])
    as_extreme = int((null >= observed - 1e-12).sum())
    return row | {
        "n_deaths": len(seen),
        "n_attributed": int(seen.sum()),
        "observed_fraction": observed,
        "expected_fraction": mean,
        "expected_low": float(low),
        "expected_high": float(high),
        "p_value": (1 + as_extreme) / (1 + n_shifts),
        "fdr": min(1.0, mean / observed) if observed > 0 else np.nan,
        "excess_fraction": (
            max(0.0, (observed - mean) / (1 - mean)) if mean < 1 else np.nan
        ),
    }


def as_table(
    rows: Iterator[dict[str, object]] | list[dict[str, object]],
) -> pd.DataFrame:
    """Rows of :func:`chance_row` as ATTRIBUTION_CHANCE."""
    return ATTRIBUTION_CHANCE.conform(pd.DataFrame(list(rows)))
