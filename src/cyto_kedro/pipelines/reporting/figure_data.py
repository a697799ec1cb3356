"""The numbers behind each figure of a movie, as tables that Prism takes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.reporting.prism import columns_of, over_time, traces
from cyto_kedro.pipelines.reporting.killing_charts import cumulative_kills, kill_counts
from cyto_kedro.pipelines.reporting.motion_charts import by_state
from cyto_kedro.pipelines.reporting.superplots import MEASURES

Tables = dict[str, pd.DataFrame]


def movie_tables(
    frame_stats: pd.DataFrame, drift: pd.DataFrame, residual: pd.DataFrame,
    parts: dict[str, Tables],
) -> Tables:  # fmt: skip
    """One table per figure by the figure's name.

    Args:
        frame_stats: Table FRAME_STATS.
        drift: Table DRIFT.
        residual: Table RESIDUAL_MOTION.
        parts: FRAME_COUNTS, KINEMATICS, TRACKS, TRACK_SUMMARY, DENSITY, EPISODES,
            CONTACT_MOTION and VIABILITY by role or pair.
    """
    kinematics = parts["kinematics"]
    stats = {str(c): t for c, t in frame_stats.groupby("channel", sort=False)}
    tables = {
        "counts": over_time(parts["frame_counts"], "n_cells"),
        "speeds": columns_of({r: t["speed_um_per_min"] for r, t in kinematics.items()}),
        "paths": _paths(parts["tracks"]),
        "quality": over_time(stats, "p99")
        .rename(columns={c: f"{c} p99" for c in stats})
        .assign(**{f"{c} focus": t["focus"].to_numpy() for c, t in stats.items()}),
        "drift": drift[["frame", "dy_px", "dx_px", "quality"]],
        "residual_motion": residual,
    }
    for role, table in parts["track_summary"].items():
        tables[f"tracks_{role}"] = table[["track_id", "n_points", *MEASURES]]
    for role, table in parts["density_map"].items():
        tables[f"crowding_{role}"] = table
    episodes = parts["episodes"]
    if episodes:
        for pair, table in parts["contact_motion"].items():
            tables[f"around_contacts_{pair}"] = by_state(table)
        tables["dwell_times"] = columns_of(
            {pair: t["dwell_min"] for pair, t in episodes.items()}
        )
        shown = ["effector", "target", "effector_track_id", "target_track_id"]
        spans = ["start_min", "end_min", "truncated_start", "truncated_end"]
        tables["contact_raster"] = pd.concat(
            [t[shown + spans] for t in episodes.values()], ignore_index=True
        )
    for role, table in parts["viability"].items():
        tables[f"death_signals_{role}"] = traces(
            table, "track_id", "death_signal", role
        )
    return tables


def kill_tables(
    target: str, kills: pd.DataFrame, calibration: Calibration, parts: dict[str, Any]
) -> Tables:
    """The numbers behind the figures of one target role's kills.

    Args:
        target: Target role.
        kills: KILLS of this role.
        calibration: Time base.
        parts: Its tables KILLERS, KILLING_CAPACITY, ATTRIBUTION_CHANCE, SENSITIVITY,
            ATTRIBUTION_DENSITY.
    """
    return {
        f"timeline_{target}": cumulative_kills(kills, calibration),
        f"serial_killers_{target}": kill_counts(parts["killers"]),
        f"killers_{target}": parts["killers"],
        f"capacity_{target}": parts["killing_capacity"],
        f"chance_{target}": parts["attribution_chance"],
        f"sensitivity_{target}": parts["sensitivity"],
        f"density_{target}": parts["attribution_density"],
    }


def as_csv(tables: Tables) -> dict[str, str]:
    """Each table as CSV text; undefined is empty."""
    return {name: table.to_csv(index=False) for name, table in tables.items()}


def _paths(tracks: Tables) -> pd.DataFrame:
    """Positions from the start of each track."""
    parts = []
    for role, table in tracks.items():
        ordered = table.sort_values(["track_id", "frame"])
        start = ordered.groupby("track_id")[["y_um", "x_um"]].transform("first")
        part = ordered[["track_id", "time_min"]].assign(
            dy_um=ordered["y_um"] - start["y_um"], dx_um=ordered["x_um"] - start["x_um"]
        )
        part.insert(0, "role", role)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
