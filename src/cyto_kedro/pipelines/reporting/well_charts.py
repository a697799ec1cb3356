"""Charts of wells: every outcome by group, and by the number of effectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.motion_charts import jitter
from cyto_kedro.pipelines.reporting.style import (
    INK,
    MUTED,
    Look,
    blank_figure,
    figure,
    say_nothing_there,
)
from cyto_kedro.pipelines.reporting.wording import outcome_words, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHAPES = "osD^vPX*"
_ACROSS = 4
_SHARES = ("survival", "died_in_field", "killer_fraction", "serial_fraction", "gini")
_MEASURED_ET = "et_measured"
_ONE_RATIO = "too few wells of one donor and condition differ in E:T"


def wells(table: pd.DataFrame, looks: dict[str, Look]) -> Figure:
    """Every outcome of every well by group; shapes are donors (SUPERPLOT)."""
    own = table[(table["level"] == "well") & table["value"].notna()]
    own = own.assign(group=own["group"].fillna("all"))
    names = list(dict.fromkeys(own["outcome"]))
    across = 3 if len(names) in (5, 6) else min(_ACROSS, max(len(names), 2))
    rows = -(-max(len(names), 1) // across)
    many = own["group"].nunique() > 2
    with blank_figure(9.4, (3.1 if many else 2.4) * rows + 0.2) as drawn:
        if not names:
            say_nothing_there(drawn.add_subplot(), "no well was measured")
            return drawn
        grid = drawn.subplots(rows, across, squeeze=False).ravel()
        shapes = _shapes(own)
        for axes in grid[len(names) :]:
            axes.set_axis_off()
        for axes, outcome in zip(grid, names, strict=False):
            part = own[own["outcome"] == outcome]
            _wells(axes, part, looks, shapes)
            _scale(axes, outcome, part)
            if many:
                axes.tick_params(axis="x", rotation=38)
                for tick in axes.get_xticklabels():
                    tick.set(ha="right", rotation_mode="anchor")
        _name_donors(drawn, shapes)
    return drawn


def _shapes(table: pd.DataFrame) -> dict[str, str]:
    """A shape per donor."""
    donors = dict.fromkeys(table["donor"].dropna())
    return {d: _SHAPES[i % len(_SHAPES)] for i, d in enumerate(donors)}


def _name_donors(
    drawn: Figure, shapes: dict[str, str], looks: dict[str, Look] | None = None
) -> None:
    """What shapes mean, and colours where no axis names the groups."""
    looks = looks or {}
    if len(shapes) < 2 and not looks:
        return
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=shape, color=MUTED, label=f"donor {donor}")
        for donor, shape in shapes.items()
    ] + [
        Line2D([], [], color=look.colour, lw=2, label=group)
        for group, look in looks.items()
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8)


def _wells(
    axes: Axes, part: pd.DataFrame, looks: dict[str, Look], shapes: dict[str, str]
) -> None:
    groups = [g for g in looks if (part["group"] == g).any()]
    groups += [g for g in dict.fromkeys(part["group"]) if g not in looks]
    for at, group in enumerate(groups):
        values = part[part["group"] == group]
        spread = jitter(len(values), 0.22) if len(values) > 1 else [0.0]
        colour = looks[group].colour if group in looks else MUTED
        for offset, one in zip(spread, values.to_dict(orient="records"), strict=True):
            shape = shapes.get(one["donor"], "o")
            axes.plot(at + offset, one["value"], shape, ms=6.5, color=colour, mec=INK)
        if len(values) > 1:
            middle = float(values["value"].mean())
            axes.plot([at - 0.32, at + 0.32], [middle] * 2, color=INK, lw=1.6)
    ticks = [f"{g}\nn = {(part['group'] == g).sum()}" for g in groups]
    axes.set_xticks(range(len(groups)), ticks, fontsize=7)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(axis="x", visible=False)


def _scale(axes: Axes, outcome: str, part: pd.DataFrame) -> None:
    """Shares from 0 to 1, amounts from 0: a lone point shall not look far away."""
    axes.set_title(outcome_words(outcome, str(part["unit"].iloc[0])), fontsize=8)
    if outcome in _SHARES:
        axes.set_ylim(-0.03, 1.03)
        return
    low, high = min(0.0, float(part["value"].min())), float(part["value"].max())
    room = 0.08 * max(high - low, 1e-9)
    axes.set_ylim(low - (room if low < 0 else 0), max(high, 1e-9) + room)


def ratios(
    table: pd.DataFrame, looks: dict[str, Look], group_of: dict[str, str]
) -> Figure:
    """Effectors per target in view, movie by movie over time.

    Args:
        table: ET_RATIO.
        looks: Of the groups.
        group_of: Group of each movie.
    """
    shown = table[table["et_ratio"].notna() & (table["n_effectors"] > 0)]
    with figure(9.4, 2.6) as (drawn, axes):
        if shown.empty:
            say_nothing_there(axes, "no movie has effectors and targets")
            return drawn
        named = set()
        for movie, part in shown.groupby("movie", sort=False):
            group = group_of[str(movie)]
            label = None if group in named else group
            named.add(group)
            colour, dash = looks[group]
            axes.plot(
                part["time_min"], part["et_ratio"], dash, color=colour, lw=1.3,
                label=label,
            )  # fmt: skip
        axes.set(
            title="Effectors per target in view",
            xlabel="time (min)",
            ylabel="living effectors per living target",
        )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7.5)
    return drawn


def by_ratio(
    slopes: pd.DataFrame, superplot: pd.DataFrame, looks: dict[str, Look]
) -> Figure:
    """Outcomes of wells against E:T with the slope within donor and condition.

    Args:
        slopes: ET_DEPENDENCE of one target and effector role.
        superplot: SUPERPLOT of all roles.
        looks: Of the groups.
    """
    # The sheet's ratio is what was meant; the measured one where it does not vary.
    shown = slopes.sort_values("source", ascending=False, kind="stable")
    shown = shown.drop_duplicates("outcome")
    across = 3 if len(shown) in (5, 6) else _ACROSS
    rows = -(-max(len(shown), 1) // across)
    with blank_figure(9.4, 2.6 * rows + 0.2) as drawn:
        if shown.empty:
            say_nothing_there(drawn.add_subplot(), _ONE_RATIO)
            return drawn
        panels = drawn.subplots(rows, across, squeeze=False).ravel()
        shapes = _shapes(superplot)
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        for axes, one in zip(panels, shown.to_dict(orient="records"), strict=False):
            points = _points(superplot, one)
            _slope(axes, points, one, looks, shapes)
        seen = set(superplot.loc[superplot["et_sheet"] != 0, "group"].dropna())
        _name_donors(drawn, shapes, {g: look for g, look in looks.items() if g in seen})
    return drawn


def _points(superplot: pd.DataFrame, one: dict[Any, Any]) -> pd.DataFrame:
    """E:T and outcome of the wells that a slope was fitted to."""
    own = superplot[(superplot["level"] == "well") & (superplot["role"] == one["role"])]
    measured = own[own["outcome"] == _MEASURED_ET].groupby("name")["value"]
    effector = one["effector"]
    same = own["effector"].isna() if pd.isna(effector) else own["effector"] == effector
    points = own[same & (own["outcome"] == one["outcome"]) & own["value"].notna()]
    measured_of = points["name"].map(measured.sum(min_count=1))
    ratio = points["et_sheet"] if one["source"] == "sheet" else measured_of
    points = points.assign(ratio=ratio.astype("float64"))
    return points[points["ratio"] > 0]


def _slope(
    axes: Axes,
    points: pd.DataFrame,
    one: dict[Any, Any],
    looks: dict[str, Look],
    shapes: dict[str, str],
) -> None:
    slope = float(str(one["slope_per_doubling"]))
    groups = points["group"].fillna("all")
    for group, part in points.groupby(groups, sort=False):
        colour = looks[str(group)].colour if group in looks else MUTED
        for well in part.to_dict(orient="records"):
            shape = shapes.get(well["donor"], "o")
            axes.plot(well["ratio"], well["value"], shape, ms=6, color=colour, mec=INK)
        x = np.log2(part["ratio"].to_numpy(np.float64))
        ends = np.array([x.min(), x.max()])
        line = float(part["value"].mean()) + slope * (ends - x.mean())
        axes.plot(2**ends, line, color=colour, lw=1.4)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    words = outcome_words(str(one["outcome"]), "")
    tested = p_value(float(str(one["p_value"])))
    axes.set_title(f"{words}\n{slope:+.2g} per doubling, {tested}", fontsize=8)
    of_sheet = one["source"] == "sheet"
    axes.set_xlabel(f"E:T {'by the sheet' if of_sheet else 'at first'}", fontsize=8)
    axes.tick_params(labelsize=7)
