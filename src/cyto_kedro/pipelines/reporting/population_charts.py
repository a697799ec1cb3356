"""Charts that compare groups of movies: fates, lysis, rates, serial killing, wells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.motion_charts import jitter
from cyto_kedro.pipelines.reporting.style import (
    GROUPS,
    INK,
    MUTED,
    blank_figure,
    figure,
    say_nothing_there,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RULES = {"hazard": "o", "shared": "D", "nearest": "^"}
_SHAPES = "osD^vPX*"
_MOST_OUTCOMES = 8


def of_conditions(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the groups that are compared: conditions, or movies without any."""
    grouped = table[table["level"] != "movie"]
    return grouped if len(grouped) else table


def split(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The parts of a table of several roles, by the names of role, effector, target."""
    keys = [name for name in ("effector", "role", "target") if name in table]
    parts = {}
    for _, part in table.groupby(keys, dropna=False, sort=False):
        first = part[keys].iloc[0].dropna()
        name = "_".join(map(str, first))
        parts[name] = part.reset_index(drop=True)
    return parts


def fates(table: pd.DataFrame) -> Figure:
    """Cumulative incidence of death and of each way of leaving (COMPETING_RISKS)."""
    shown = of_conditions(table)
    groups = list(dict.fromkeys(shown["group"]))
    seen = shown.groupby("outcome")["n_events"].sum()
    outcomes = [o for o in dict.fromkeys(shown["outcome"]) if seen[o] > 0]
    with blank_figure(min(9.4, 3.2 * max(len(groups), 2)), 3.0) as drawn:
        if not outcomes:
            say_nothing_there(drawn.add_subplot(), "no target died or left")
            return drawn
        panels = drawn.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(panels, groups, strict=True):
            for colour, outcome in zip(GROUPS, outcomes, strict=False):
                part = shown[(shown["group"] == group) & (shown["outcome"] == outcome)]
                part = part.sort_values("time_min")
                style = "-" if outcome == "died" else "--"
                _steps(axes, part, "incidence", colour, outcome, style)
            axes.set(title=group, xlabel="time (min)")
            axes.set_ylim(bottom=0)
        panels[0].set_ylabel("targets (%)")
        panels[0].legend(fontsize=7.5)
    return drawn


def lysis(table: pd.DataFrame) -> Figure:
    """Specific lysis over time with its interval (LYSIS)."""
    shown = of_conditions(table)
    with figure() as (drawn, axes):
        if shown["lysis_percent"].notna().sum() == 0:
            say_nothing_there(axes, "there are no movies without effectors")
            return drawn
        for number, (group, part) in enumerate(shown.groupby("group", sort=False)):
            part = part.sort_values("time_min")
            colour = GROUPS[number % len(GROUPS)]
            axes.step(
                part["time_min"], part["lysis_percent"], where="post", color=colour,
                lw=1.8, label=str(group),
            )  # fmt: skip
            axes.fill_between(
                part["time_min"], part["lysis_low_percent"],
                part["lysis_high_percent"], step="post", color=colour, alpha=0.15, lw=0,
            )  # fmt: skip
        axes.axhline(0, color=INK, lw=0.8)
        axes.set(title="Specific lysis", xlabel="time (min)", ylabel="lysis (%)")
        axes.legend(fontsize=7.5)
    return drawn


def rates(table: pd.DataFrame) -> Figure:
    """Kills per effector hour and per contact hour with intervals (RATES)."""
    shown = of_conditions(table)
    groups = list(dict.fromkeys(shown["group"]))
    with blank_figure(9.4, 1.5 + 0.55 * max(len(groups), 2)) as drawn:
        if shown.empty:
            say_nothing_there(drawn.add_subplot(), "no effector was tracked")
            return drawn
        panels = drawn.subplots(1, 2, sharey=True)
        for axes, what in zip(panels, ("effector_hour", "contact_hour"), strict=True):
            for place, (rule, shape) in enumerate(_RULES.items()):
                part = shown[shown["rule"] == rule]
                y = [groups.index(g) + 0.2 * (place - 1) for g in part["group"]]
                value = part[f"kills_per_{what}"]
                spread = [value - part[f"{what}_low"], part[f"{what}_high"] - value]
                axes.errorbar(
                    value, y, xerr=np.abs(spread), fmt=shape, ms=5, capsize=2,
                    color=GROUPS[place], label={"hazard": "hit model"}.get(rule, rule),
                )  # fmt: skip
            axes.set_xlabel(f"kills per {what.replace('_', ' ')}")
            axes.set_xlim(left=0)
        panels[0].set_yticks(range(len(groups)), groups)
        panels[0].set_ylim(len(groups) - 0.5, -0.5)
        panels[1].legend(fontsize=7.5)
    return drawn


def serial_killing(table: pd.DataFrame) -> Figure:
    """Kills per effector beside those of equal effectors, and their Lorenz curve.

    Args:
        table: KILL_DISTRIBUTION.
    """
    shown = of_conditions(table)
    groups = list(dict.fromkeys(shown["group"]))
    with blank_figure(9.4, 3.0) as drawn:
        if shown.empty:
            say_nothing_there(drawn.add_subplot(), "no effector killed")
            return drawn
        bars, lorenz = drawn.subplots(1, 2)
        width = 0.8 / len(groups)
        for number, group in enumerate(groups):
            part = shown[shown["group"] == group].sort_values("kills")
            colour = GROUPS[(number + 1) % len(GROUPS)]
            x = part["kills"] + width * (number - (len(groups) - 1) / 2)
            bars.bar(x, part["n_effectors"], 0.9 * width, color=colour, label=group)
            equal = "were all equal" if number == 0 else None
            bars.plot(x, part["expected"], "_", color=INK, ms=14, mew=2, label=equal)
            curve = [0, *part["effector_share"]], [0, *part["kill_share"]]
            lorenz.plot(*curve, "o-", ms=3, color=colour, label=group)
        bars.set_yscale("symlog", linthresh=1)
        bars.set_ylim(bottom=0)
        bars.set_xticks(sorted(shown["kills"].unique()))
        bars.set(title="Kills per effector", xlabel="kills", ylabel="effectors")
        bars.legend(fontsize=7.5)
        lorenz.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls="--")
        lorenz.set(
            title="Who makes the kills",
            xlabel="effectors (share)",
            ylabel="kills (share)",
        )
    return drawn


def first_kill(table: pd.DataFrame) -> Figure:
    """Share of effectors that have killed, by time in view (FIRST_KILL)."""
    shown = of_conditions(table)
    with figure() as (drawn, axes):
        if shown.empty:
            say_nothing_there(axes, "no effector was tracked")
            return drawn
        for number, (group, part) in enumerate(shown.groupby("group", sort=False)):
            colour = GROUPS[(number + 1) % len(GROUPS)]
            part = part.sort_values("time_min")
            _steps(axes, part, "killed_fraction", colour, str(group), "-")
        axes.set(
            title="Time to the first kill",
            xlabel="time in view (min)",
            ylabel="effectors that killed (%)",
        )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7.5)
    return drawn


def wells(table: pd.DataFrame) -> Figure:
    """Every outcome of every well by group; shapes are donors (SUPERPLOT)."""
    own = table[(table["level"] == "well") & table["value"].notna()]
    names = list(dict.fromkeys(own["outcome"]))[:_MOST_OUTCOMES]
    rows = -(-max(len(names), 1) // 4)
    with blank_figure(9.4, 2.5 * rows) as drawn:
        if not names:
            say_nothing_there(drawn.add_subplot(), "no well was measured")
            return drawn
        grid = drawn.subplots(rows, 4, squeeze=False).ravel()
        donors = list(dict.fromkeys(own["donor"]))
        for axes in grid[len(names) :]:
            axes.set_axis_off()
        for axes, outcome in zip(grid, names, strict=False):
            part = own[own["outcome"] == outcome]
            _wells(axes, part, donors)
            unit = part["unit"].iloc[0]
            about = f"{outcome.replace('_', ' ')}" + (f" ({unit})" if unit else "")
            axes.set_title(about, fontsize=8)
    return drawn


def _wells(axes: Axes, part: pd.DataFrame, donors: list[str]) -> None:
    groups = list(dict.fromkeys(part["group"].fillna("all")))
    for at, group in enumerate(groups):
        values = part[part["group"].fillna("all") == group]
        spread = jitter(len(values), 0.22)
        for offset, one in zip(spread, values.to_dict(orient="records"), strict=True):
            shape = _SHAPES[donors.index(one["donor"]) % len(_SHAPES)]
            colour = GROUPS[at % len(GROUPS)]
            axes.plot(at + offset, one["value"], shape, ms=7, color=colour, mec=INK)
        if len(values) > 1:
            middle = float(values["value"].mean())
            axes.plot([at - 0.3, at + 0.3], [middle] * 2, color=INK, lw=1.6)
    ticks = [f"{g}\nn = {(part['group'].fillna('all') == g).sum()}" for g in groups]
    axes.set_xticks(range(len(groups)), ticks, fontsize=7)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(axis="x", visible=False)


def _steps(
    axes: Axes, part: pd.DataFrame, column: str, colour: str, label: str, style: str
) -> None:
    """A step curve from 0 in per cent, with its band."""
    time = np.concatenate([[0.0], part["time_min"]])
    value = np.concatenate([[0.0], part[column]])
    axes.step(time, 100 * value, style, where="post", color=colour, lw=1.7, label=label)
    axes.fill_between(
        part["time_min"], 100 * part["ci_low"], 100 * part["ci_high"], step="post",
        color=colour, alpha=0.13, lw=0,
    )  # fmt: skip


#: Chart of each table of the experiment that has one, by the table's name.
CHARTS = {
    "competing_risks": fates,
    "lysis": lysis,
    "rates": rates,
    "kill_distribution": serial_killing,
    "first_kill": first_kill,
    "superplot": wells,
}
