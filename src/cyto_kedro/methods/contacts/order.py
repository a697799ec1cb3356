"""The order of contacts: first, last, and again."""

from __future__ import annotations

import numpy as np
import pandas as pd

_PAIR = ["effector_track_id", "target_track_id"]


def numbered(episodes: pd.DataFrame) -> pd.DataFrame:
    """Episodes with their number in the life of both cells, and what came before.

    A cell's contacts are counted by their begin, those of one frame by the partner's
    track. Within one cell type both columns count the same list of a cell's contacts.

    Args:
        episodes: Of one pair of roles, with ``first_frame``, ``start_min`` and
            ``end_min``; ordered by pair and time.
    """
    table = episodes.reset_index(drop=True)
    a, b = (table[name].to_numpy(np.int64) for name in _PAIR)
    start, end = table["start_min"].to_numpy(), table["end_min"].to_numpy()
    again = (a[1:] == a[:-1]) & (b[1:] == b[:-1])
    waited = np.full(len(table), np.nan)
    waited[1:][again] = (start[1:] - end[:-1])[again]
    table["since_last_min"] = waited
    joint = bool((table["effector"] == table["target"]).all())
    side = np.repeat([0, 0 if joint else 1], len(table))
    frame = np.tile(table["first_frame"].to_numpy(np.int64), 2)
    number, last = _ranks(side, np.r_[a, b], frame, np.r_[b, a])
    table["effector_contact"], table["target_contact"] = np.split(number, 2)
    table["last_of_effector"], table["last_of_target"] = np.split(last, 2)
    return table


def _ranks(
    side: np.ndarray, track: np.ndarray, frame: np.ndarray, partner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Place of each contact among those of its cell, from 1, and whether it is last."""
    order = np.lexsort((partner, frame, track, side))
    new = (np.diff(track[order]) != 0) | (np.diff(side[order]) != 0)
    begins = np.flatnonzero(np.r_[True, new][: len(order)])
    sizes = np.diff(np.r_[begins, len(order)])
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order)) - np.repeat(begins, sizes) + 1
    last = np.empty(len(order), bool)
    last[order] = np.r_[new, True][: len(order)]
    return number, last
