"""Charts that compare groups of movies: fates, lysis, rates, serial killing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.style import (
    INK,
    MUTED,
    Look,
    blank_figure,
    figure,
    plain_counts,
    say_nothing_there,
)
from cyto_kedro.pipelines.reporting.well_charts import wells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Looks = dict[str, Look]

_RULES = {
    "hazard": ("o", "hit model"),
    "shared": ("D", "shared"),
    "nearest": ("^", "nearest / last"),
}
_ACROSS = 4
# Death has the colour of its group; ways of leaving are grey.
_LEAVING = (("--", "#4a5763"), (":", "#4a5763"), ("-.", "#7b8894"), ("--", "#9aa5ae"))


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


def fates(table: pd.DataFrame, looks: Looks) -> Figure:
    """Cumulative incidence of death and of each way of leaving (COMPETING_RISKS)."""
    shown = of_conditions(table)
    groups = list(dict.fromkeys(shown["group"]))
    seen = shown.groupby("outcome")["n_events"].sum()
    outcomes = [o for o in dict.fromkeys(shown["outcome"]) if seen[o] > 0]
    across = 3 if len(groups) in (5, 6) else min(_ACROSS, max(len(groups), 2))
    rows = -(-max(len(groups), 1) // across)
    with blank_figure(9.4, 2.7 * rows + 0.2) as drawn:
        if not outcomes:
            say_nothing_there(drawn.add_subplot(), "no target died or left")
            return drawn
        panels = drawn.subplots(rows, across, sharey=True, sharex=True, squeeze=False)
        for axes in panels.ravel()[len(groups) :]:
            axes.set_axis_off()
        leaving = dict(
            zip([o for o in outcomes if o != "died"], _LEAVING, strict=False)
        )
        for axes, group in zip(panels.ravel(), groups, strict=False):
            for outcome in outcomes:
                part = shown[(shown["group"] == group) & (shown["outcome"] == outcome)]
                dash, colour = leaving.get(outcome, ("-", looks[group].colour))
                words = outcome.replace("_", " ")
                _steps(
                    axes, part.sort_values("time_min"), "incidence", colour, words, dash
                )
            axes.set_title(group)
            axes.set_xlabel("time (min)")
            axes.xaxis.set_tick_params(labelbottom=True)
        for axes in panels[:, 0]:
            axes.set_ylabel("targets (%)")
        # Last: a limit ends the scaling of all panels, which share it.
        panels[0, 0].set_ylim(bottom=0)
        panels[0, 0].legend(fontsize=7.5)
    return drawn


def lysis(table: pd.DataFrame, looks: Looks) -> Figure:
    """Specific lysis over time with its interval (LYSIS)."""
    shown = of_conditions(table)
    with figure() as (drawn, axes):
        if shown["lysis_percent"].notna().sum() == 0:
            say_nothing_there(axes, "there are no movies without effectors")
            return drawn
        for group, part in shown.groupby("group", sort=False):
            part = part.sort_values("time_min")
            look = looks[str(group)]
            # Nobody has died at the start.
            axes.step(
                [0.0, *part["time_min"]], [0.0, *part["lysis_percent"]], look.dash,
                where="post", color=look.colour, lw=1.8, label=str(group),
            )  # fmt: skip
            axes.fill_between(
                part["time_min"], part["lysis_low_percent"],
                part["lysis_high_percent"], step="post", color=look.colour, alpha=0.13,
                lw=0,
            )  # fmt: skip
        axes.axhline(0, color=INK, lw=0.8)
        axes.set(title="Specific lysis", xlabel="time (min)", ylabel="lysis (%)")
        axes.legend(fontsize=7.5)
    return drawn


def rates(table: pd.DataFrame, looks: Looks) -> Figure:
    """Kills per effector hour and per contact hour with intervals (RATES)."""
    shown = of_conditions(table)
    groups = list(dict.fromkeys(shown["group"]))
    with blank_figure(9.4, 1.2 + 0.55 * max(len(groups), 2)) as drawn:
        if shown.empty:
            say_nothing_there(drawn.add_subplot(), "no effector was tracked")
            return drawn
        panels = drawn.subplots(1, 2, sharey=True)
        for axes, what in zip(panels, ("effector_hour", "contact_hour"), strict=True):
            for place, rule in enumerate(_RULES):
                for one in shown[shown["rule"] == rule].to_dict(orient="records"):
                    at = groups.index(one["group"]) + 0.22 * (place - 1)
                    _rate(axes, one, what, at, looks[one["group"]])
            axes.set_xlabel(f"kills per {what.replace('_', ' ')}")
            axes.set_xlim(left=0)
        panels[0].set_yticks(range(len(groups)), groups)
        panels[0].set_ylim(len(groups) - 0.5, -0.5)
        for shape, words in _RULES.values():
            panels[1].plot([], [], shape, color=MUTED, label=words)
        panels[1].legend(fontsize=7.5)
    return drawn


def _rate(axes: Axes, one: dict[Any, Any], what: str, at: float, look: Look) -> None:
    """A rate with its interval; the hit model is filled, the other rules are open."""
    rule = str(one["rule"])
    value, low, high = (
        float(str(one[name]))
        for name in (f"kills_per_{what}", f"{what}_low", f"{what}_high")
    )
    axes.plot([low, high], [at, at], color=look.colour, lw=1.4)
    axes.plot(
        value, at, _RULES[rule][0], ms=6, color=look.colour,
        mfc=look.colour if rule == "hazard" else "white",
    )  # fmt: skip


def serial_killing(table: pd.DataFrame, looks: Looks) -> Figure:
    """Kills per effector beside those of equal effectors, and their Lorenz curve.

    Args:
        table: KILL_DISTRIBUTION.
        looks: Of the groups.
    """
    shown = of_conditions(table)
    groups = list(dict.fromkeys(shown["group"]))
    with blank_figure(9.4, 3.2) as drawn:
        if shown.empty:
            say_nothing_there(drawn.add_subplot(), "no effector killed")
            return drawn
        bars, lorenz = drawn.subplots(1, 2)
        width = 0.8 / len(groups)
        for number, group in enumerate(groups):
            part = shown[shown["group"] == group].sort_values("kills")
            colour, dash = looks[group]
            x = part["kills"] + width * (number - (len(groups) - 1) / 2)
            bars.bar(x, part["n_effectors"], 0.9 * width, color=colour, label=group)
            equal = "were all equal" if number == len(groups) - 1 else None
            ends = x - 0.45 * width, x + 0.45 * width
            bars.hlines(part["expected"], *ends, color=INK, lw=2, label=equal)
            curve = [0, *part["effector_share"]], [0, *part["kill_share"]]
            lorenz.plot(*curve, f"o{dash}", ms=3, color=colour, label=group)
        bars.set_yscale("symlog", linthresh=1)
        plain_counts(bars.yaxis)
        bars.set_ylim(bottom=0)
        bars.set_xticks(sorted(shown["kills"].unique()))
        bars.set(title="Kills per effector", xlabel="kills", ylabel="effectors")
        bars.legend(fontsize=7.5)
        bars.grid(axis="x", visible=False)
        lorenz.plot([0, 1], [0, 1], color=MUTED, lw=0.9, ls="--")
        lorenz.text(0.5, 0.54, "all alike", color=MUTED, fontsize=7.5, ha="right")
        lorenz.set(
            title="Who makes the kills",
            xlabel="effectors (share)",
            ylabel="kills (share)",
        )
    return drawn


def first_kill(table: pd.DataFrame, looks: Looks) -> Figure:
    """Share of effectors that have killed, by time in view (FIRST_KILL)."""
    shown = of_conditions(table)
    with figure() as (drawn, axes):
        if shown.empty:
            say_nothing_there(axes, "no effector was tracked")
            return drawn
        for group, part in shown.groupby("group", sort=False):
            colour, dash = looks[str(group)]
            part = part.sort_values("time_min")
            _steps(axes, part, "killed_fraction", colour, str(group), dash)
        axes.set(
            title="Time to the first kill",
            xlabel="time in view (min)",
            ylabel="effectors that killed (%)",
        )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7.5)
    return drawn


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
CHARTS: dict[str, Callable[[pd.DataFrame, Looks], Figure]] = {
    "competing_risks": fates,
    "lysis": lysis,
    "rates": rates,
    "kill_distribution": serial_killing,
    "first_kill": first_kill,
    "superplot": wells,
}
