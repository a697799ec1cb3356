"""Places in a set of tracks that a person should look at."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import SUSPICIOUS_EVENTS
from cyto_kedro.methods.tracking.limits import field_um


def suspicious_events(
    tracks: pd.DataFrame,
    calibration: Calibration,
    *,
    edge_margin_um: float = 15.0,
    jump_factor: float = 6.0,
    swap_ratio: float = 1.5,
) -> pd.DataFrame:
    """List what in the tracks is unlikely to be true.

    Args:
        tracks: Table TRACKS.
        calibration: Field size.
        edge_margin_um: Cells may appear or vanish within this distance of the edge.
        jump_factor: A link longer than this many times the movie's median link is a
            jump.
        swap_ratio: Two links are ambiguous if exchanging their ends makes the summed
            squared distance less than this many times larger.

    Returns:
        Table SUSPICIOUS_EVENTS, by frame: ``kind`` (``appears`` or ``vanishes`` in
        mid-field, ``jump``, ``swap`` = possible identity switch with
        ``other_track_id``), the cell, and ``severity``: distance from the edge (um),
        length relative to the median link, or the swap ratio subtracted from
        ``swap_ratio``; larger is worse within a kind.
    """
    found = [
        _borders(tracks, calibration, edge_margin_um),
        _jumps(tracks, jump_factor),
        _swaps(tracks, swap_ratio),
    ]
    rows = pd.concat([part for part in found if len(part)] or [found[0]])
    rows["time_min"] = calibration.times_min[rows["frame"].to_numpy(dtype=np.int64)]
    order = ["frame", "kind", "track_id", "other_track_id"]
    return SUSPICIOUS_EVENTS.conform(rows.sort_values(order, ignore_index=True))


def _rows(kind: str, tracks: pd.DataFrame, severity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": kind,
            "frame": tracks["frame"].to_numpy(),
            "label": tracks["label"].to_numpy(),
            "track_id": tracks["track_id"].to_numpy(),
            "other_track_id": pd.array([pd.NA] * len(tracks), dtype="Int64"),
            "y_um": tracks["y_um"].to_numpy(),
            "x_um": tracks["x_um"].to_numpy(),
            "severity": severity,
        }
    )


def _borders(
    tracks: pd.DataFrame, calibration: Calibration, margin_um: float
) -> pd.DataFrame:
    ordered = tracks.sort_values(["track_id", "frame"])
    place = ordered[["y_um", "x_um"]].to_numpy()
    inside = np.minimum(place, np.asarray(field_um(calibration)) - place).min(axis=1)
    deep = inside > margin_um
    first = ~ordered.duplicated("track_id").to_numpy()
    last = ~ordered.duplicated("track_id", keep="last").to_numpy()
    frame = ordered["frame"].to_numpy()
    divided = ordered["track_id"].isin(tracks["parent_track_id"].dropna()).to_numpy()
    orphan = ordered["parent_track_id"].isna().to_numpy()
    appears = first & deep & orphan & (frame > frame.min(initial=0))
    vanishes = last & deep & ~divided & (frame < calibration.n_frames - 1)
    return pd.concat(
        [
            _rows("appears", ordered[appears], inside[appears]),
            _rows("vanishes", ordered[vanishes], inside[vanishes]),
        ]
    )


def _jumps(tracks: pd.DataFrame, factor: float) -> pd.DataFrame:
    length = tracks["link_distance_um"].to_numpy()
    known = length[np.isfinite(length)]
    typical = float(np.median(known)) if len(known) else 0.0
    ratio = length / typical if typical > 0 else np.zeros(len(length))
    far = ratio > factor
    return _rows("jump", tracks[far], ratio[far])


def _swaps(tracks: pd.DataFrame, worst: float) -> pd.DataFrame:
    """Pairs of simultaneous links whose ends could as well be exchanged."""
    ordered = tracks.sort_values(["track_id", "frame"])
    linked = ordered["link_distance_um"].notna() & (ordered["gap_frames"] == 0)
    now = np.flatnonzero(linked.to_numpy())
    place = ordered[["y_um", "x_um"]].to_numpy()
    parts = [_rows("swap", ordered.iloc[:0], np.empty(0))]
    frame = ordered["frame"].to_numpy()[now]
    for value in np.unique(frame):
        end = now[frame == value]
        a, b, ratio = _exchanges(place[end - 1], place[end], worst)
        rows = _rows("swap", ordered.iloc[end[a]], worst - ratio)
        other = ordered["track_id"].to_numpy()[end[b]]
        parts.append(rows.assign(other_track_id=pd.array(other, dtype="Int64")))
    return pd.concat([part for part in parts if len(part)] or parts[:1])


def _exchanges(
    start: np.ndarray, end: np.ndarray, worst: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (a < b) and the cost of the exchange relative to the links as they are."""
    length2 = ((end - start) ** 2).sum(axis=1)
    # Ends further apart than this many times the longer link cannot be exchanged; each
    # link searches its own circle, so that one jump does not pair all cells.
    reach = (1.0 + np.sqrt(worst)) * np.sqrt(length2) * (1.0 + 1e-9)
    near = cKDTree(end).query_ball_point(end, reach) if len(end) else []
    count = [len(found) for found in near]
    one = np.repeat(np.arange(len(end)), count)
    other = np.concatenate([np.empty(0, np.int64), *near]).astype(np.int64)
    pairs = np.sort(np.column_stack([one, other])[one != other], axis=1)
    a, b = np.unique(pairs, axis=0).T
    kept = length2[a] + length2[b]
    crossed = ((end[b] - start[a]) ** 2).sum(axis=1) + ((end[a] - start[b]) ** 2).sum(
        axis=1
    )
    close = (kept > 0) & (crossed < worst * kept)
    return a[close], b[close], crossed[close] / kept[close]
