"""The death signal of every tracked cell, and its smoothing along the track."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError


def death_signal(
    tracks: pd.DataFrame,
    channel: str,
    live_channel: str | None = None,
    statistic: str = "mean",
) -> np.ndarray:
    """Death marker above background, or the cell death index.

    Without a live channel the signal is ``s = I_death - B_death`` in intensity units,
    where I is the mean (or median) inside the mask and B the background of the same
    frame, so that fading of the whole field does not move it. With a live channel it
    is the cell death index ``CDI = s_death / (s_live + s_death)`` in [0, 1], both
    signals cut at 0; NaN where both are 0.

    Args:
        tracks: Table TRACKS with ``<statistic>_<channel>``, ``background_<channel>``.
        channel: The death marker's channel.
        live_channel: Channel of a live marker or of the cells themselves.
        statistic: ``mean`` or ``median`` of the pixels in the mask. The mean sees a
            nuclear dye that fills less than half of a cell's mask, the median does
            not; the median ignores a bright neighbour that covers the mask's edge.

    Returns:
        (rows of ``tracks``,) float64.

    Raises:
        InputError: The table has cells but not these columns.
    """
    death = above_background(tracks, channel, statistic)
    if live_channel is None:
        return death
    dead = np.clip(death, 0, None)
    live = np.clip(above_background(tracks, live_channel, statistic), 0, None)
    total = dead + live
    return np.divide(dead, total, out=np.full(len(dead), np.nan), where=total > 0)


def above_background(tracks: pd.DataFrame, channel: str, statistic: str) -> np.ndarray:
    """Mean or median of a channel in each mask less the frame's background.

    Raises:
        InputError: The table has cells but not these columns.
    """
    if tracks.empty:
        return np.empty(0)
    needed = [f"{statistic}_{channel}", f"background_{channel}"]
    missing = [name for name in needed if name not in tracks.columns]
    if missing:
        raise InputError(
            f"The tracks do not carry the channel '{channel}'",
            where=f"missing column(s): {', '.join(missing)}",
            fix="measure this channel in the tabulation step",
        )
    inside, outside = (tracks[name].to_numpy(np.float64) for name in needed)
    return inside - outside


def moving_mean(values: np.ndarray) -> np.ndarray:
    """Mean over axis 0 of what is there: at a track's end over fewer points."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return total / known.sum(axis=0)


def moving_median(values: np.ndarray) -> np.ndarray:
    """Median over axis 0 of what is there."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = np.isfinite(values).sum(axis=0)
    columns = np.arange(values.shape[1])
    return 0.5 * (ordered[(count - 1) // 2, columns] + ordered[count // 2, columns])


#: How the points within half a window of each point are combined.
SMOOTHERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": moving_mean,
    "median": moving_median,
}


def smooth(
    track: np.ndarray,
    frame: np.ndarray,
    values: np.ndarray,
    method: str,
    window_frames: int,
) -> np.ndarray:
    """Smooth along each track, normalised at its ends and across gaps.

    A point is replaced by the mean or median of the known points of its track that
    lie within half a window of frames. Only points that exist count, so a constant
    stays a constant up to both ends of the track. NaN stays NaN.

    Args:
        track: (N,) track ids, sorted; ``frame`` sorted within each track.
        frame: (N,) frame of each point.
        values: (N,) signal.
        method: Key of :data:`SMOOTHERS`.
        window_frames: Full window (frames); 1 leaves the signal as it is.
    """
    half = window_frames // 2
    known = np.isfinite(values)
    out = np.full(len(values), np.nan)
    if not known.any():
        return out
    stack = np.full((2 * half + 1, len(values)), np.nan)
    stack[half] = values
    for step in range(1, min(half, len(values) - 1) + 1):
        near = (track[step:] == track[:-step]) & (frame[step:] - frame[:-step] <= half)
        stack[half + step, :-step] = np.where(near, values[step:], np.nan)
        stack[half - step, step:] = np.where(near, values[:-step], np.nan)
    out[known] = SMOOTHERS[method](stack[:, known])
    return out
