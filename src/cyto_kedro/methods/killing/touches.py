"""Contacts as the killing methods see them, and the deaths that they may explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration


class Touches(NamedTuple):
    """Frames in which a tracked effector touched a tracked target, one per row."""

    roles: tuple[str, ...]
    role: np.ndarray  # index into `roles`
    effector: np.ndarray  # effector track
    target: np.ndarray  # target track
    frame: np.ndarray
    distance_um: np.ndarray


def gather_touches(contacts: Mapping[str, pd.DataFrame]) -> Touches:
    """Pool the CONTACTS tables of several effector roles with one target role.

    Contacts of cells without a track are left out: nobody could be named. A contact
    without a distance counts as distance 0, since it is one.
    """
    pieces = []
    for index, table in enumerate(contacts.values()):
        tracked = table["effector_track_id"].notna() & table["target_track_id"].notna()
        rows = table[table["in_contact"] & tracked]
        pieces.append(
            (
                np.full(len(rows), index),
                rows["effector_track_id"].to_numpy(np.int64),
                rows["target_track_id"].to_numpy(np.int64),
                rows["frame"].to_numpy(np.int64),
                np.nan_to_num(rows["distance_um"].to_numpy(np.float64), nan=0.0),
            )
        )
    columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    return Touches(tuple(contacts), *columns)


def frame_durations(calibration: Calibration) -> np.ndarray:
    """(T,) minutes that each frame stands for: half-way to both neighbours.

    The first and the last frame stand for their one interval; a single frame for NaN.
    """
    if calibration.n_frames < 2:
        return np.full(1, np.nan)
    steps = np.diff(calibration.times_min)
    return 0.5 * (np.r_[steps[0], steps] + np.r_[steps, steps[-1]])


def dead_targets(deaths: pd.DataFrame) -> pd.DataFrame:
    """Rows of DEATHS with a death, by track."""
    return deaths[deaths["death_frame"].notna()].sort_values("track_id")


def window_frames(
    dead: pd.DataFrame, calibration: Calibration, window_min: float
) -> tuple[np.ndarray, np.ndarray]:
    """First and last frame of ``[death - window, death]`` for each death."""
    time = dead["death_time_min"].to_numpy()
    # A hair of tolerance keeps a frame that lies on the edge of the window.
    first = np.searchsorted(calibration.times_min, time - window_min - 1e-9)
    return first, dead["death_frame"].to_numpy(np.int64)
