"""Experiments with known hazards: wells, donors, conditions, controls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import DEATHS, KILLERS

FRAME_MIN, N_FRAMES = 2.0, 120
END_MIN = FRAME_MIN * (N_FRAMES - 1)


def cells(
    random: np.random.Generator,
    n: int,
    death_per_hour: float,
    leave_per_hour: float = 0.0,
    role: str = "cancer",
    late: float = 0.0,
) -> pd.DataFrame:
    """A DEATHS table: exponential death and leaving; a share ``late`` comes late."""
    entry = np.where(random.random(n) < late, random.integers(0, 40, n), 0)
    step = FRAME_MIN / 60
    dies = entry + random.geometric(1 - np.exp(-max(death_per_hour, 1e-9) * step), n)
    goes = entry + random.geometric(1 - np.exp(-max(leave_per_hour, 1e-9) * step), n)
    last = N_FRAMES - 1
    died = (dies <= goes) & (dies <= last)
    exits = np.where(died, last, np.minimum(goes, last))
    reason = np.where(died, "died", np.where(goes < last, "left_field", "end_of_movie"))
    frame = pd.array(np.where(died, dies, 0), dtype="Int64")
    frame[~died] = pd.NA
    table = pd.DataFrame(
        {
            "role": role,
            "track_id": np.arange(1, n + 1),
            "entry_frame": entry,
            "exit_frame": exits,
            "entry_min": entry * FRAME_MIN,
            "exit_min": exits * FRAME_MIN,
            "death_frame": frame,
            "death_time_min": np.where(died, dies * FRAME_MIN, np.nan),
            "censored": ~died,
            "reason": reason,
            "peak_signal": 1.0,
            "threshold": 0.5,
        }
    )
    return DEATHS.validate(DEATHS.conform(table))


def killers(
    kills: np.ndarray,
    observed_min: np.ndarray | float = 120.0,
    contact_min: np.ndarray | float = 30.0,
    first_min: np.ndarray | None = None,
    serial_kills: int = 2,
) -> pd.DataFrame:
    """A KILLERS table in which all rules agree."""
    kills = np.asarray(kills, dtype=np.float64)
    n = len(kills)
    observed = np.broadcast_to(np.asarray(observed_min, np.float64), n)
    contact = np.broadcast_to(np.asarray(contact_min, np.float64), n)
    first = (
        np.where(kills > 0, observed / 2, np.nan) if first_min is None else first_min
    )
    table = pd.DataFrame(
        {
            "effector": "tcell",
            "effector_track_id": np.arange(1, n + 1),
            "kills_nearest": kills,
            "kills_shared": kills,
            "kills_hazard": kills,
            "contact_min": contact,
            "observed_min": observed,
            "kills_per_hour": kills / observed * 60,
            "kills_per_contact_hour": kills / np.where(contact, contact, np.nan) * 60,
            "first_kill_min": first,
            "serial": kills >= serial_kills,
        }
    )
    return KILLERS.validate(KILLERS.conform(table)) if n else KILLERS.empty()


def sheet(
    per_group: Mapping[str, int], donors: int = 1, fields: int = 1
) -> pd.DataFrame:
    """``per_group`` wells of every donor by condition; ``alone`` is the control."""
    rows = []
    for group, n in per_group.items():
        for donor in range(donors):
            for well in range(n):
                for field in range(fields):
                    rows.append(
                        {
                            "dataset": "plate",
                            "movie": f"{group}_{donor}_{well}_{field}",
                            "condition": group,
                            "donor": f"d{donor}",
                            "well": f"w{well}",
                            "control": group == "alone",
                            "effector_to_target": 0.0
                            if group == "alone"
                            else 1.0 + well,
                        }
                    )
    return pd.DataFrame(rows)
