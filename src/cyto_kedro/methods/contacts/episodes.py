"""Contacts of single frames -> contact episodes with dwell times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import EPISODES
from cyto_kedro.methods.contacts.order import numbered

_PAIR = ["effector", "target", "effector_track_id", "target_track_id"]


def contact_episodes(
    contacts: pd.DataFrame,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    *,
    max_gap_frames: int,
    min_frames: int,
    leave_um: float = np.inf,
) -> pd.DataFrame:
    """Join the contact frames of each pair of tracks into episodes.

    An episode opens in a frame with ``in_contact`` and lasts through the consecutive
    frames that list the pair within the leave distance (hysteresis). Episodes
    of a pair with at most ``max_gap_frames`` frames between them are one. Episodes
    with fewer than ``min_frames`` frames in contact are dropped.

    A frame stands for the time half-way to its neighbours, so the dwell time is the
    number of frames from first to last, both included, times the interval where that is
    constant; NaN in a movie of one frame. An episode is truncated where one of the
    two cells was not observed in the frame before or after it: the dwell time is then
    a lower bound.

    Args:
        contacts: Table CONTACTS; rows without both tracks are left out.
        effector_tracks: Columns ``frame, track_id``.
        target_tracks: The same of the targets.
        calibration: Frame times.
        max_gap_frames: Longest gap that is bridged (frames).
        min_frames: Fewest frames in contact, gaps not counted.
        leave_um: Distance beyond which a contact has ended (um).

    Returns:
        Table EPISODES, ordered by pair and time.
    """
    near = contacts["in_contact"] | (contacts["distance_um"] <= leave_um)
    rows = _tracked(contacts[near])
    if rows.empty:
        return EPISODES.empty()
    rows = rows[_opened(rows)]
    rows["episode"] = _numbered(rows, max_gap_frames)
    table = _summary(rows)
    table = table[table["n_frames"] >= min_frames].copy()
    table["episode"] = table.groupby(_PAIR).cumcount() + 1
    times = calibration.times_min
    first, last = table["first_frame"].to_numpy(), table["last_frame"].to_numpy()
    edges = frame_edges_min(times)
    table["start_min"], table["end_min"] = times[first], times[last]
    table["dwell_min"] = edges[last + 1] - edges[first]
    both = (
        (effector_tracks, table["effector_track_id"]),
        (target_tracks, table["target_track_id"]),
    )
    for name, neighbour in (("start", first - 1), ("end", last + 1)):
        seen = [_observed(tracks, ids, neighbour) for tracks, ids in both]
        table[f"truncated_{name}"] = ~(seen[0] & seen[1])
    return EPISODES.conform(numbered(table).reset_index(drop=True))


def frame_edges_min(times: np.ndarray) -> np.ndarray:
    """(T + 1,) borders (min) of the time that each of T frames stands for.

    Half-way between neighbours; the first and last frame extend as far outwards as
    inwards. NaN for a single frame, which has no interval.
    """
    if len(times) < 2:
        return np.full(len(times) + 1, np.nan)
    middle = (times[1:] + times[:-1]) / 2.0
    start = times[0] - (middle[0] - times[0])
    end = times[-1] + (times[-1] - middle[-1])
    return np.concatenate([[start], middle, [end]])


def _tracked(contacts: pd.DataFrame) -> pd.DataFrame:
    """Rows with both tracks, ordered by pair and frame."""
    rows = contacts.dropna(subset=["effector_track_id", "target_track_id"])
    one = rows["effector_track_id"].to_numpy(np.int64)
    other = rows["target_track_id"].to_numpy(np.int64)
    # Within one cell type a pair has no direction, but labels gave it one.
    swap = (rows["effector"] == rows["target"]).to_numpy() & (one > other)
    rows = rows.assign(
        effector_track_id=np.where(swap, other, one),
        target_track_id=np.where(swap, one, other),
    )
    return rows.sort_values([*_PAIR, "frame"], ignore_index=True)


def _opened(rows: pd.DataFrame) -> np.ndarray:
    """Rows from the first frame in contact on, within each consecutive stretch."""
    stretch = np.cumsum(_breaks(rows, 1))
    return rows.groupby(stretch)["in_contact"].cummax().to_numpy(bool)


def _numbered(rows: pd.DataFrame, max_gap_frames: int) -> np.ndarray:
    """Running number of the episode that each row belongs to."""
    return np.cumsum(_breaks(rows, max_gap_frames + 1))


def _breaks(rows: pd.DataFrame, step: int) -> np.ndarray:
    """True where the pair changes or more than ``step`` frames have passed."""
    pair = rows[_PAIR]
    changed = (pair != pair.shift()).any(axis=1).to_numpy()
    return changed | (rows["frame"].diff() > step).to_numpy()


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    return (
        rows.groupby([*_PAIR, "episode"], sort=True)
        .agg(
            first_frame=("frame", "min"),
            last_frame=("frame", "max"),
            n_frames=("frame", "size"),
            min_distance_um=("distance_um", "min"),
            max_boundary_um=("boundary_um", "max"),
        )
        .reset_index()
    )


def _observed(tracks: pd.DataFrame, ids: pd.Series, frames: np.ndarray) -> np.ndarray:
    """Whether each track has a point in the frame given for it."""
    known = pd.MultiIndex.from_frame(tracks[["track_id", "frame"]])
    asked = pd.MultiIndex.from_arrays([ids.to_numpy(), frames])
    return np.asarray(asked.isin(known))
