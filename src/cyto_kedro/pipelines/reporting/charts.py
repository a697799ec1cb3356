"""Charts of one movie: counts, motion, contacts, kills, quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.pipelines.reporting.style import (
    DEATH,
    GROUPS,
    INK,
    MUTED,
    figure,
    say_nothing_there,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def counts(tables: dict[str, pd.DataFrame], colours: dict[str, str]) -> Figure:
    """Cells per frame over time for each role (FRAME_COUNTS tables)."""
    with figure() as (drawn, axes):
        for role, table in tables.items():
            axes.plot(
                table["time_min"], table["n_cells"], color=colours[role], label=role
            )
        axes.set(title="Cells in view", xlabel="time (min)", ylabel="cells")
        axes.set_ylim(bottom=0)
        axes.legend()
    return drawn


def speeds(tables: dict[str, pd.DataFrame], colours: dict[str, str]) -> Figure:
    """Distribution of step speeds for each role (KINEMATICS tables)."""
    with figure() as (drawn, axes):
        known = {r: t["speed_um_per_min"].dropna() for r, t in tables.items()}
        known = {role: speed for role, speed in known.items() if len(speed)}
        if not known:
            say_nothing_there(axes, "no track has two points")
            return drawn
        top = max(float(speed.quantile(0.995)) for speed in known.values())
        bins = np.linspace(0, max(top, 1e-6), 41).tolist()
        for role, speed in known.items():
            label = f"{role}, median {speed.median():.2f}"
            share = np.full(len(speed), 100 / len(speed))
            colour = colours[role]
            axes.hist(speed, bins, weights=share, color=colour, alpha=0.55, label=label)
        axes.set(title="Step speed", xlabel="speed (µm/min)", ylabel="steps (%)")
        axes.legend()
    return drawn


def paths(tables: dict[str, pd.DataFrame], colours: dict[str, str]) -> Figure:
    """All tracks from a common origin (TRACKS tables)."""
    with figure(3.6, 3.0) as (drawn, axes):
        for role, table in tables.items():
            for _, track in table.sort_values("frame").groupby("track_id"):
                axes.plot(
                    track["x_um"] - track["x_um"].iloc[0],
                    track["y_um"] - track["y_um"].iloc[0],
                    color=colours[role],
                    lw=0.7,
                    alpha=0.7,
                )
        axes.set(title="Paths from their start", xlabel="x (µm)", ylabel="y (µm)")
        axes.set_aspect("equal", adjustable="datalim")
        axes.invert_yaxis()
    return drawn


def dwell_times(tables: dict[str, pd.DataFrame]) -> Figure:
    """Dwell time of contact episodes of each pair (EPISODES tables)."""
    with figure() as (drawn, axes):
        filled = {pair: t for pair, t in tables.items() if len(t)}
        if not filled:
            say_nothing_there(axes, "no contact was seen")
            return drawn
        top = max(float(table["dwell_min"].max()) for table in filled.values())
        bins = np.linspace(0, max(top, 1e-6), 26).tolist()
        for number, (pair, table) in enumerate(filled.items()):
            colour = GROUPS[(number + 1) % len(GROUPS)]
            cut = table["truncated_start"] | table["truncated_end"]
            name = pair.replace("_", "–")
            label = f"{name}: {len(table)} episodes, {int(cut.sum())} cut short"
            axes.hist(table["dwell_min"], bins, color=colour, alpha=0.6, label=label)
        axes.set(title="Contact dwell time", xlabel="dwell (min)", ylabel="episodes")
        axes.legend()
    return drawn


def contact_raster(
    episodes: dict[str, pd.DataFrame],
    deaths: dict[str, pd.DataFrame],
    calibration: Calibration,
    most: int = 40,
) -> Figure:
    """When each target was touched, and when it died."""
    rows = []
    for pair, table in episodes.items():
        target = table["target"].iloc[0] if len(table) else pair
        for track, part in table.groupby("target_track_id"):
            rows.append((str(target), int(str(track)), part))
    died: dict[tuple[str, int], float] = {}
    for role, table in deaths.items():
        dead = table[table["death_frame"].notna()]
        times = dead["death_time_min"].astype(float)
        for track, minutes in zip(dead["track_id"], times, strict=True):
            died[role, int(track)] = minutes
    rows.sort(key=lambda row: (died.get(row[:2], np.inf), row[1]))
    rows = rows[:most]
    with figure(4.6, max(3.0, 0.16 * len(rows) + 1.4)) as (drawn, axes):
        if not rows:
            say_nothing_there(axes, "no contact was seen")
            return drawn
        for height, (role, track, part) in enumerate(rows):
            spans = list(
                zip(part["start_min"], part["end_min"] - part["start_min"], strict=True)
            )
            axes.broken_barh(spans, (height - 0.35, 0.7), color=GROUPS[1], alpha=0.8)
            if (role, track) in died:
                axes.plot(died[role, track], height, "x", color=INK, ms=6, mew=1.8)
        axes.set_yticks(range(len(rows)), [f"{role} {t}" for role, t, _ in rows])
        axes.tick_params(axis="y", labelsize=6.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, float(calibration.times_min[-1]) + 1e-6)
        axes.set(title="Contacts of each target (x: death)", xlabel="time (min)")
        axes.grid(axis="y", visible=False)
    return drawn


def death_signals(
    viability: dict[str, pd.DataFrame], deaths: dict[str, pd.DataFrame]
) -> Figure:
    """Death signal of every target over time, dying cells in colour."""
    with figure() as (drawn, axes):
        shown = False
        for role, table in viability.items():
            fates = deaths[role].set_index("track_id")
            dying = set(fates.index[~fates["censored"]])
            for track, part in table.sort_values("frame").groupby("track_id"):
                dead = track in dying
                axes.plot(
                    part["time_min"],
                    part["death_signal"],
                    color=DEATH if dead else MUTED,
                    lw=1.1 if dead else 0.6,
                    alpha=0.9 if dead else 0.35,
                    zorder=2 if dead else 1,
                )
                shown = True
            if len(fates):
                level = float(fates["threshold"].median())
                axes.axhline(level, color=INK, ls="--", lw=1, label="threshold")
        if not shown:
            say_nothing_there(axes, "no target was tracked")
            return drawn
        axes.set(
            title="Death signal of each target",
            xlabel="time (min)",
            ylabel="marker above background",
        )
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            axes.legend(handles[:1], ["threshold"])
    return drawn


def quality(
    frame_stats: pd.DataFrame, drift: pd.DataFrame, colours: dict[str, str]
) -> Figure:
    """Drift, brightness and focus over the movie.

    Args:
        frame_stats: Table FRAME_STATS.
        drift: Table DRIFT.
        colours: Of the channels; others are grey.
    """
    with figure(9.4, 2.6) as (drawn, first):
        first.remove()
        left, middle, right = drawn.subplots(1, 3)
        left.plot(drift["frame"], drift["dx_px"], color=INK, label="x")
        left.plot(drift["frame"], drift["dy_px"], "--", color=MUTED, label="y")
        left.set(title="Correction of stage drift", xlabel="frame", ylabel="shift (px)")
        left.legend()
        for channel, part in frame_stats.groupby("channel", sort=False):
            colour = colours.get(str(channel), MUTED)
            for axes, column in ((middle, "p99"), (right, "focus")):
                start = part[column].iloc[0]
                if np.isfinite(start) and start > 0:
                    axes.plot(
                        part["frame"],
                        part[column] / start,
                        color=colour,
                        label=str(channel),
                    )
        middle.set(title="Brightness (99th pct.)", xlabel="frame", ylabel="vs. frame 0")
        right.set(title="Focus", xlabel="frame", ylabel="vs. frame 0")
        for axes in (middle, right):
            axes.set_ylim(bottom=0)
        if middle.get_legend_handles_labels()[0]:
            middle.legend()
    return drawn
