"""What each effector achieved: kills, rates and serial killing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import KILLERS
from cyto_kedro.methods.killing.touches import Touches, frame_durations


def killer_table(
    attribution: pd.DataFrame,
    touches: Touches,
    tracks: Mapping[str, pd.DataFrame],
    calibration: Calibration,
    serial_kills: int,
) -> pd.DataFrame:
    """One row per effector track, also of those that killed nobody (KILLERS).

    Time in view runs from the first to the last frame of the track, both included;
    frames in contact with several targets count once.

    Args:
        attribution: Table ATTRIBUTION of one target role.
        touches: The contacts that it was made from.
        tracks: Tables TRACKS by effector role, in the order of ``touches.roles``.
        calibration: Time base.
        serial_kills: Least number of kills (nearest rule) of a serial killer.
    """
    tables = [
        _role_table(attribution, touches, role, tracks[role], calibration, serial_kills)
        for role in touches.roles
    ]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else KILLERS.empty()


def _role_table(
    attribution: pd.DataFrame,
    touches: Touches,
    role: str,
    tracks: pd.DataFrame,
    calibration: Calibration,
    serial_kills: int,
) -> pd.DataFrame:
    if tracks.empty:
        return KILLERS.empty()
    seen = tracks.groupby("track_id")["frame"].agg(["min", "max"])
    ids = seen.index
    elapsed = np.r_[0.0, np.cumsum(frame_durations(calibration))]
    observed = elapsed[seen["max"] + 1] - elapsed[seen["min"]]

    own = attribution[attribution["effector"] == role]
    own = own.assign(effector_track_id=own["effector_track_id"].astype("int64"))
    by_track = own.groupby("effector_track_id")
    nearest = by_track["credit_nearest"].sum().reindex(ids, fill_value=0.0)
    shared = by_track["credit_shared"].sum().reindex(ids, fill_value=0.0)
    hazard = by_track["credit_hazard"].sum().reindex(ids, fill_value=0.0)
    kills = own[own["credit_nearest"] == 1]
    first_kill = kills.groupby("effector_track_id")["death_time_min"].min()
    begin = calibration.times_min[seen["min"]]
    contact = _contact_minutes(touches, role, calibration).reindex(ids, fill_value=0.0)
    hours = contact.to_numpy() / 60
    rate = np.full(len(ids), np.nan)
    np.divide(shared.to_numpy(), hours, out=rate, where=hours > 0)
    table = pd.DataFrame(
        {
            "effector": role,
            "effector_track_id": ids.to_numpy(),
            "kills_nearest": nearest.to_numpy(),
            "kills_shared": shared.to_numpy(),
            "kills_hazard": hazard.to_numpy(),
            "contact_min": contact.to_numpy(),
            "observed_min": observed,
            "kills_per_hour": shared.to_numpy() / (observed / 60),
            "kills_per_contact_hour": rate,
            "first_kill_min": first_kill.reindex(ids).to_numpy() - begin,
            "serial": nearest.to_numpy() >= serial_kills,
        }
    )
    return KILLERS.conform(table)


def _contact_minutes(
    touches: Touches, role: str, calibration: Calibration
) -> pd.Series:
    """Minutes in contact with any target, by effector track."""
    rows = touches.role == touches.roles.index(role)
    at = pd.DataFrame(
        {"track": touches.effector[rows], "frame": touches.frame[rows]}
    ).drop_duplicates()
    minutes = frame_durations(calibration)[at["frame"]]
    return pd.Series(minutes, dtype="float64").groupby(at["track"].to_numpy()).sum()
