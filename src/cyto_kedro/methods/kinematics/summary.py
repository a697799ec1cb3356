"""One row per track: how far, how straight, how fast."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import TRACK_SUMMARY
from cyto_kedro.methods.kinematics.points import Points
from cyto_kedro.methods.kinematics.steps import Steps


def summarise_tracks(
    tracks: pd.DataFrame, points: Points, steps: Steps, arrest_speed: float
) -> pd.DataFrame:
    """Table TRACK_SUMMARY, sorted by track.

    Straightness is net displacement / path length, outreach the largest distance from
    the start / path length, both in [0, 1] and NaN for a cell that never moved; the
    arrest coefficient is the share of known steps slower than ``arrest_speed``.
    Source: Beltman, Marée & de Boer, Nat Rev Immunol 9, 789 (2009),
    doi:10.1038/nri2638.

    Args:
        tracks: The TRACKS or EXCHANGED_TRACKS table that ``points`` was sorted from.
        points: Its sorted points.
        steps: Their steps.
        arrest_speed: Speed below which a cell counts as arrested (um/min).
    """
    if not len(points):
        return TRACK_SUMMARY.empty()
    starts, last = points.starts, points.starts + points.counts - 1
    ids, path, net = points.track_id[starts], steps.path_um[last], steps.net_um[last]
    jumped = np.zeros(len(points), bool)
    jumped[1:] = np.diff(points.frame) > 1
    jumped[starts] = False
    slow = np.where(np.isnan(steps.speed), np.nan, steps.speed < arrest_speed)
    parents = tracks["parent_track_id"].iloc[points.order[starts]]
    parents = parents.astype("Int64").reset_index(drop=True)
    table = {
        "track_id": ids,
        "parent_track_id": parents,
        "n_points": points.counts,
        "first_frame": points.frame[starts],
        "last_frame": points.frame[last],
        "duration_min": points.time_min[last] - points.time_min[starts],
        "n_gaps": np.add.reduceat(jumped.astype(np.int64), starts),
        "n_daughters": _daughters(ids, parents),
        "path_um": path,
        "net_displacement_um": net,
        "straightness": _share(net, path),
        "outreach": _share(np.fmax.reduceat(steps.net_um, starts), path),
        "mean_speed_um_per_min": _mean(steps.speed, points),
        "median_speed_um_per_min": _median(steps.speed, points),
        "max_speed_um_per_min": np.fmax.reduceat(steps.speed, starts),
        "arrest_coefficient": _mean(slow, points),
        "mean_turning_angle_deg": _mean(steps.angle_deg, points),
        "mean_link_confidence": _mean(
            _column(tracks, "link_confidence", points), points
        ),
        "track_confidence": _mean(_column(tracks, "track_confidence", points), points),
        "mean_area_um2": _mean(_column(tracks, "area_um2", points), points),
    }
    # Already in the contract's dtypes: casting would cost more than the arithmetic.
    return pd.DataFrame(table, columns=list(TRACK_SUMMARY.columns), copy=False)


def _column(tracks: pd.DataFrame, name: str, points: Points) -> np.ndarray:
    """Values of a column; NaN where tracks of another program come without it."""
    if name not in tracks:
        return np.full(len(points), np.nan)
    return tracks[name].to_numpy(np.float64)[points.order]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``; NaN for a zero whole, and never above 1 by rounding."""
    moved = np.where(whole > 0, whole, np.nan)
    return np.minimum(part / moved, 1)


def _daughters(ids: np.ndarray, parents: pd.Series) -> np.ndarray:
    """How many tracks name each track as their parent."""
    counts = parents.dropna().value_counts()
    return counts.reindex(ids, fill_value=0).to_numpy(np.int64)


def _mean(values: np.ndarray, points: Points) -> np.ndarray:
    """Mean per track over what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = np.add.reduceat(known.astype(np.float64), points.starts)
    total = np.add.reduceat(np.where(known, values, 0), points.starts)
    return total / np.where(count > 0, count, np.nan)


def _median(values: np.ndarray, points: Points) -> np.ndarray:
    """Median per track over what is known; NaN where nothing is.

    Tracks of similar length are padded to the next power of two and sorted row by row:
    several times faster than one long sort by track and value.
    """
    known = ~np.isnan(values)
    flat = values[known]
    counts = np.add.reduceat(known.astype(np.int64), points.starts)
    first = np.cumsum(counts) - counts
    out = np.full(len(counts), np.nan)
    width_of = 1 << np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)
    for width in np.unique(width_of):
        rows = np.flatnonzero((width_of == width) & (counts > 0))
        count = counts[rows, np.newaxis]
        place = np.arange(width)
        inside = place < count
        padded = np.full(inside.shape, np.inf)
        padded[inside] = flat[(first[rows, np.newaxis] + place)[inside]]
        padded.sort(axis=1)
        middle = np.concatenate([(count - 1) // 2, count // 2], axis=1)
        out[rows] = np.take_along_axis(padded, middle, axis=1).mean(axis=1)
    return out
