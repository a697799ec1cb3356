"""Points between the points of a track: what was skipped, filled in linearly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def fill_gaps(
    points: pd.DataFrame,
    columns: Sequence[str],
    max_gap_frames: int | None = None,
    times_min: np.ndarray | None = None,
) -> pd.DataFrame:
    """Add a row for each frame that a track skips, by interpolation in time.

    Nothing is added before the first or after the last point of a track, and nothing
    between two points more than ``max_gap_frames`` frames apart. A column that is
    unknown at one end of the gap stays unknown inside it.

    Args:
        points: Columns track_id, frame, time_min and ``columns``; a track has one row
            per frame.
        columns: Numeric columns to interpolate.
        max_gap_frames: Longest gap to fill (skipped frames); None fills all.
        times_min: (T,) time of each frame; None: the skipped frames lie at even
            distances between their neighbours.

    Returns:
        Columns track_id, frame, time_min, ``columns`` and ``interpolated``, sorted by
        track and frame.
    """
    names = ["track_id", "frame", "time_min", *columns]
    rows = points[names].sort_values(["track_id", "frame"], ignore_index=True)
    track, frame = rows["track_id"].to_numpy(), rows["frame"].to_numpy(np.int64)
    skipped = np.where(track[1:] == track[:-1], np.diff(frame) - 1, 0)
    if max_gap_frames is not None:
        skipped = np.where(skipped <= max_gap_frames, skipped, 0)
    before = np.repeat(np.arange(len(skipped)), skipped)
    count = np.arange(len(before)) - np.repeat(np.cumsum(skipped) - skipped, skipped)
    new_frame = frame[before] + count + 1
    span = (frame[before + 1] - frame[before]).astype(np.float64)
    time = rows["time_min"].to_numpy(np.float64)
    if times_min is None:
        share = (count + 1) / span
        when = time[before] + share * (time[before + 1] - time[before])
    else:
        when = times_min[new_frame]
        share = (when - time[before]) / (time[before + 1] - time[before])
    added = {"track_id": track[before], "frame": new_frame, "time_min": when}
    for name in columns:
        value = rows[name].to_numpy(np.float64)
        added[name] = value[before] + share * (value[before + 1] - value[before])
    both = [
        rows.astype(dict.fromkeys(columns, "float64")).assign(interpolated=False),
        pd.DataFrame(added).assign(interpolated=True),
    ]
    filled = pd.concat([part for part in both if len(part)] or both[:1])
    return filled.sort_values(["track_id", "frame"], ignore_index=True)
