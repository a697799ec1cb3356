"""How sure it is that the cell that touched is still the cell that is named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration

_MARGIN = "link_margin"


def least_margins(
    tracks: pd.DataFrame,
    track_id: np.ndarray,
    first_frame: np.ndarray,
    last_frame: np.ndarray,
) -> np.ndarray:
    """(Q,) least link margin of a track between two frames, in [0, 1].

    Counted are the links from the point at (or before) ``first_frame`` to that at
    ``last_frame``. 1 without a link between them: nothing could be confused. NaN if the
    track is not there or its links have no margins, as in tracks of other programs.

    Args:
        tracks: Table TRACKS.
        track_id: (Q,) track asked for.
        first_frame: (Q,) first frame of the span.
        last_frame: (Q,) last frame of the span.
    """
    if tracks.empty or _MARGIN not in tracks:
        return np.full(len(track_id), np.nan)
    rows = tracks[["track_id", "frame", _MARGIN]].sort_values(["track_id", "frame"])
    ids, owner = np.unique(rows["track_id"].to_numpy(), return_inverse=True)
    frame = rows["frame"].to_numpy(np.int64)
    span = int(max(frame.max(), np.max(last_frame, initial=0))) + 2
    place = owner * span + frame
    slot = np.minimum(np.searchsorted(ids, track_id), len(ids) - 1)
    low = np.searchsorted(place, slot * span + first_frame, side="right")
    high = np.searchsorted(place, slot * span + last_frame, side="right")
    # The padding keeps the end of the last span inside the array.
    margin = np.r_[rows[_MARGIN].to_numpy(np.float64), np.nan]
    edges = np.column_stack([low, high]).ravel()
    least = np.fmin.reduceat(margin, edges)[::2] if len(edges) else np.empty(0)
    least = np.where(high > low, least, 1.0)
    return np.where(ids[slot] == track_id, least, np.nan)


def with_track_confidence(
    credit: pd.DataFrame,
    calibration: Calibration,
    target_tracks: pd.DataFrame,
    effector_tracks: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """ATTRIBUTION with ``track_confidence`` filled in.

    The effector must be the same cell from its first to its last contact in the window,
    the target from that first contact to its death. The confidence is the least link
    margin on these two ways: 0 = at one link another cell fitted as well.

    Args:
        credit: Table ATTRIBUTION.
        calibration: Time base.
        target_tracks: Table TRACKS of the targets.
        effector_tracks: Table TRACKS of each effector role.
    """
    sure = np.full(len(credit), np.nan)
    role = credit["effector"].to_numpy(object)
    for name, tracks in effector_tracks.items():
        rows = np.flatnonzero(role == name)
        own = credit.iloc[rows]
        first, last = (
            np.searchsorted(calibration.times_min, own[column].to_numpy() - 1e-9)
            for column in ("first_contact_min", "last_contact_min")
        )
        died = own["death_frame"].to_numpy(np.int64)
        effector = own["effector_track_id"].to_numpy(np.int64)
        target = own["target_track_id"].to_numpy(np.int64)
        killer = least_margins(tracks, effector, first, last)
        victim = least_margins(target_tracks, target, first, died)
        sure[rows] = np.minimum(killer, victim)
    return credit.assign(track_confidence=sure)
