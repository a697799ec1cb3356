"""How sure each death is: the rise of its marker, and the loss of the live signal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DEATH_EVIDENCE
from cyto_kedro.methods.killing.death import Onsets
from cyto_kedro.methods.killing.identity import least_margins
from cyto_kedro.methods.killing.rise import fit_rises


@dataclass(frozen=True)
class LiveVotes:
    """Second opinion on each track with an onset.

    Attributes:
        ratio: (tracks,) live signal after / before; NaN where unknown.
        lost: (tracks,) 1 if it was lost, 0 if it was kept, NaN where unknown.
    """

    ratio: np.ndarray
    lost: np.ndarray


def live_votes(
    tracks: pd.DataFrame,
    live: np.ndarray | None,
    onsets: Onsets,
    window_min: float,
    max_ratio: float,
) -> LiveVotes:
    """Whether the live signal of a cell fell when its death marker rose.

    The signal is taken relative to the median living cell of the same frame, so that
    bleaching and focus do not count. Compared are the medians over the window before
    the onset, and from half a window to a whole window after it: a dying cell fades
    slowly, and a movie that ends before leaves the question open.

    Args:
        tracks: Table TRACKS sorted by track and frame.
        live: (rows,) live marker above background; None if it was not measured.
        onsets: From :func:`~cyto_kedro.methods.killing.death.find_onsets`.
        window_min: Window (min).
        max_ratio: At most so much is left of a lost signal.
    """
    ratio = np.full(len(onsets.first), np.nan)
    if live is None:
        return LiveVotes(ratio, ratio.copy())
    signal = _relative_to_living(tracks, live, onsets)
    time = tracks["time_min"].to_numpy(np.float64)
    for number in np.flatnonzero((onsets.onset >= 0) & ~onsets.at_entry):
        rows = slice(onsets.first[number], onsets.last[number] + 1)
        age = time[rows] - time[onsets.onset[number]]
        own = signal[rows]
        known = np.isfinite(own)
        before = own[known & (age < 0) & (age >= -window_min)]
        after = own[known & (age >= window_min / 2) & (age <= window_min)]
        if len(before) and len(after) and np.median(before) > 0:
            ratio[number] = np.median(after) / np.median(before)
    known = np.isfinite(ratio)
    return LiveVotes(ratio, np.where(known, ratio <= max_ratio, np.nan))


def _relative_to_living(
    tracks: pd.DataFrame, live: np.ndarray, onsets: Onsets
) -> np.ndarray:
    """Signal / median of the cells that have not died, of the same frame."""
    sizes = onsets.last - onsets.first + 1
    begun = np.repeat(np.where(onsets.onset < 0, len(live), onsets.onset), sizes)
    alive = np.arange(len(live)) < begun
    frame = tracks["frame"].to_numpy()
    typical = pd.Series(live[alive]).groupby(frame[alive]).median()
    level = typical.reindex(frame).to_numpy(np.float64)
    out = np.full(len(live), np.nan)
    np.divide(live, level, out=out, where=np.nan_to_num(level) > 0)
    return out


def without_vetoed(onsets: Onsets, votes: LiveVotes) -> Onsets:
    """The onsets less those whose cell kept its live signal."""
    kept = (votes.lost == 0) & ~onsets.at_entry
    return replace(onsets, onset=np.where(kept, -1, onsets.onset))


def death_evidence(
    tracks: pd.DataFrame,
    signal: np.ndarray,
    onsets: Onsets,
    votes: LiveVotes,
    calibration: Calibration,
    role: str,
    *,
    window_min: float,
    shape: str,
    confidence: float,
) -> pd.DataFrame:
    """One row per death: onset with interval, live vote, identity of the cell.

    Args:
        tracks: Table TRACKS sorted by track and frame.
        signal: (rows,) death signal before smoothing.
        onsets: Deaths, vetoed ones left out.
        votes: Of the same tracks.
        calibration: Time base.
        role: Role of the cells.
        window_min: Points this far from the onset are fitted (min).
        shape: ``sigmoid`` or ``change_point``.
        confidence: Coverage of the interval.
    """
    died = np.flatnonzero((onsets.onset >= 0) & ~onsets.at_entry)
    if not len(died):
        return DEATH_EVIDENCE.empty()
    time = tracks["time_min"].to_numpy(np.float64)
    at = onsets.onset[died]
    events = []
    for number in died:
        rows = slice(onsets.first[number], onsets.last[number] + 1)
        events.append((time[rows], signal[rows], float(time[onsets.onset[number]])))
    interval = calibration.frame_interval_min
    fits = fit_rises(events, interval, window_min, shape, confidence)
    lost = pd.array(votes.lost[died], dtype="Float64").astype("boolean")
    table = pd.DataFrame(
        {
            "role": role,
            "track_id": tracks["track_id"].to_numpy()[at],
            "death_frame": tracks["frame"].to_numpy()[at],
            "death_time_min": time[at],
            "onset_min": [fit.onset for fit in fits],
            "onset_low_min": [fit.low for fit in fits],
            "onset_high_min": [fit.high for fit in fits],
            "rise_min": [fit.duration for fit in fits],
            "baseline": [fit.baseline for fit in fits],
            "plateau": [fit.plateau for fit in fits],
            "fit_r2": [fit.r2 for fit in fits],
            "n_points": [fit.n_points for fit in fits],
            "live_ratio": votes.ratio[died],
            "live_lost": lost,
            "track_confidence": least_margins(
                tracks,
                tracks["track_id"].to_numpy()[at],
                tracks["frame"].to_numpy()[onsets.first[died]],
                tracks["frame"].to_numpy()[at],
            ),
        }
    )
    return DEATH_EVIDENCE.conform(table)
