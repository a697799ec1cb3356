"""Death events of tracked cells, and why the others were no longer watched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DEATHS, VIABILITY

DIED, DEAD_AT_ENTRY = "died", "dead_at_entry"
DIVIDED, END_OF_MOVIE = "divided", "end_of_movie"
LEFT_FIELD, LOST = "left_field", "lost"


@dataclass(frozen=True)
class Onsets:
    """Death onset of each track of a sorted table.

    Attributes:
        first: (tracks,) row where each track begins.
        last: (tracks,) row where each track ends.
        onset: (tracks,) row where the signal rose for good, -1 if it did not.
        at_entry: (tracks,) whether that was so from the first known value on.
    """

    first: np.ndarray
    last: np.ndarray
    onset: np.ndarray
    at_entry: np.ndarray


def find_onsets(
    track: np.ndarray,
    signal: np.ndarray,
    threshold: float,
    persistence: int = 3,
    irreversible: bool = True,
) -> Onsets:
    """First point of each track from which ``signal >= threshold`` persists.

    Rows without a signal neither confirm nor interrupt. A track whose every value is
    above the threshold was dead at entry, however short it is: such tracks are pieces
    of dead cells.

    Args:
        track: (N,) track ids, sorted, in frame order within a track.
        signal: (N,) death signal.
        threshold: In units of the signal.
        persistence: Successive observations at or above the threshold.
        irreversible: The first onset stands whatever follows. Otherwise an onset is
            void when the signal later stays below for ``persistence`` observations.
    """
    first = np.flatnonzero(np.r_[True, track[1:] != track[:-1]][: len(track)])
    last = np.r_[first[1:], len(track)] - 1
    onset = np.full(len(first), -1)
    at_entry = np.zeros(len(first), dtype=bool)
    rows = np.flatnonzero(np.isfinite(signal))
    if not len(rows):
        return Onsets(first, last, onset, at_entry)

    number = np.searchsorted(first, rows, side="right") - 1
    high = signal[rows] >= threshold
    begins = np.flatnonzero(
        np.r_[True, (number[1:] != number[:-1]) | (high[1:] != high[:-1])]
    )
    length = np.diff(np.r_[begins, len(rows)])
    owner, is_high = number[begins], high[begins]
    opens = np.r_[True, owner[1:] != owner[:-1]]
    alone = opens & np.r_[opens[1:], True]
    lasting = length >= persistence

    valid = is_high & (lasting | alone)
    if not irreversible:
        recovered = np.full(len(first), -1)
        np.maximum.at(recovered, owner, np.where(~is_high & lasting, begins, -1))
        valid &= begins > recovered[owner]
    runs = np.flatnonzero(valid)[::-1]  # reversed: the earliest run is written last
    onset[owner[runs]] = rows[begins[runs]]
    at_entry[owner[runs]] = opens[runs]
    return Onsets(first, last, onset, at_entry)


def death_table(
    tracks: pd.DataFrame,
    signal: np.ndarray,
    onsets: Onsets,
    threshold: float,
    calibration: Calibration,
    role: str,
    border_margin_um: float,
) -> pd.DataFrame:
    """One row per track: when it was watched, whether it died, why it ended (DEATHS).

    ``exit_frame`` is the last frame of the track, also for the dead.

    Args:
        tracks: Table TRACKS sorted by track and frame.
        signal: (rows,) death signal.
        onsets: From :func:`find_onsets` on the same rows.
        threshold: The threshold used.
        calibration: Geometry and time base.
        role: Role of the cells.
        border_margin_um: A track that ends this near to the edge left the field.
    """
    if tracks.empty:
        return DEATHS.empty()
    head, tail = tracks.iloc[onsets.first], tracks.iloc[onsets.last]
    died = (onsets.onset >= 0) & ~onsets.at_entry
    frame = tracks["frame"].to_numpy()
    death_frame = np.where(died, frame[onsets.onset], -1)
    times = calibration.times_min
    entry, exit_ = head["frame"].to_numpy(), tail["frame"].to_numpy()
    ends = end_reasons(tracks, tail, calibration, border_margin_um)
    reason = np.select([died, onsets.at_entry], [DIED, DEAD_AT_ENTRY], default=ends)
    table = pd.DataFrame(
        {
            "role": role,
            "track_id": head["track_id"].to_numpy(),
            "entry_frame": entry,
            "exit_frame": exit_,
            "entry_min": times[entry],
            "exit_min": times[exit_],
            "death_frame": pd.array(death_frame, dtype="Int64"),
            "death_time_min": np.where(died, times[death_frame], np.nan),
            "censored": ~died,
            "reason": reason.astype(object),
            "peak_signal": np.fmax.reduceat(signal, onsets.first),
            "threshold": threshold,
        }
    )
    table.loc[~died, "death_frame"] = pd.NA
    return DEATHS.conform(table)


def end_reasons(
    tracks: pd.DataFrame,
    tail: pd.DataFrame,
    calibration: Calibration,
    border_margin_um: float,
) -> np.ndarray:
    """Why a living cell is no longer watched: division, end, edge, or lost.

    Args:
        tracks: Table TRACKS, for who is whose parent.
        tail: Its last row of each track.
        calibration: Geometry and time base.
        border_margin_um: A track that ends this near to the edge left the field.

    Returns:
        (rows of ``tail``,) ``divided``, ``end_of_movie``, ``left_field`` or ``lost``.
    """
    parents = tracks["parent_track_id"].dropna().unique()
    return np.select(
        [
            tail["track_id"].isin(parents).to_numpy(),
            (tail["frame"] == calibration.n_frames - 1).to_numpy(),
            _near_edge(tail, calibration, border_margin_um),
        ],
        [DIVIDED, END_OF_MOVIE, LEFT_FIELD],
        default=LOST,
    )


def _near_edge(
    tail: pd.DataFrame, calibration: Calibration, margin_um: float
) -> np.ndarray:
    y, x = tail["y_um"].to_numpy(), tail["x_um"].to_numpy()
    height = (calibration.height_px - 1) * calibration.pixel_size_y_um
    width = (calibration.width_px - 1) * calibration.pixel_size_x_um
    margin = np.minimum(np.minimum(y, height - y), np.minimum(x, width - x))
    touching = tail["touches_border"].to_numpy()
    outside = ~tail["in_valid_region"].to_numpy()
    return touching | outside | (margin <= margin_um)


def viability_table(
    tracks: pd.DataFrame,
    signal: np.ndarray,
    onsets: Onsets,
    threshold: float,
    spread: float,
) -> pd.DataFrame:
    """Signal and probability to be alive for each row of the tracks (VIABILITY).

    ``p = 1 / (1 + exp((s - threshold) / spread))``: 1/2 at the threshold. From the
    onset of death on it can only fall.

    Args:
        tracks: Table TRACKS sorted by track and frame.
        signal: (rows,) death signal.
        onsets: From :func:`find_onsets` on the same rows.
        threshold: In units of the signal.
        spread: Standard deviation of the signal of living cells.
    """
    if tracks.empty:
        return VIABILITY.empty()
    if spread > 0:
        steps = np.clip((signal - threshold) / spread, -700, 700)
        probability = 1 / (1 + np.exp(steps))
    else:  # without noise the step is sharp
        probability = np.heaviside(threshold - signal, 0.5)
    sizes = onsets.last - onsets.first + 1
    begun = np.repeat(np.where(onsets.onset < 0, len(signal), onsets.onset), sizes)
    dead = np.arange(len(signal)) >= begun
    # A missing value after death keeps the last one: death is not undone.
    after = pd.Series(np.where(np.isfinite(probability), probability, np.inf)[dead])
    owner = tracks["track_id"].to_numpy()
    probability[dead] = after.groupby(owner[dead]).cummin().to_numpy()
    unknown = np.repeat(
        ~np.logical_or.reduceat(np.isfinite(signal), onsets.first), sizes
    )
    alive = pd.array(~dead, dtype="boolean")
    alive[unknown] = pd.NA
    table = tracks[["track_id", "frame", "label", "time_min"]].reset_index(drop=True)
    table = table.assign(
        death_signal=signal, alive_probability=probability, alive=alive
    )
    return VIABILITY.conform(table)
