"""Superplots: every cell, the mean of every replicate, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.motion_charts import jitter
from cyto_kedro.pipelines.reporting.style import (
    INK,
    MUTED,
    Look,
    blank_figure,
    say_nothing_there,
)
from cyto_kedro.pipelines.reporting.wording import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Measures of a cell that are compared, and their axis labels.
MEASURES = {
    "mean_speed_um_per_min": "mean speed (µm/min)",
    "straightness": "straightness",
    "arrest_coefficient": "arrest coefficient",
}
KILLS = {"kills_hazard": "kills per effector (hit model)"}
_SHARES = ("straightness", "arrest_coefficient")
# Shapes tell replicates apart without colour.
_SHAPES = "osD^vPX*"
_MOST_POINTS = 600


def superplot(
    table: pd.DataFrame, measures: dict[str, str], title: str, looks: dict[str, Look]
) -> Figure:
    """Cells as small dots, means of replicates as large ones, by group.

    Lord et al. 2020, doi:10.1083/jcb.202001064; a colour is a group here, as in all
    figures, and a shape a replicate. The bar is the mean of the replicates with its
    standard error, if there are at least three.

    Args:
        table: One row per cell with columns ``group``, ``replicate`` and the measures.
        measures: Column to axis label.
        title: Of the figure.
        looks: Of the groups.
    """
    crowded = table.get("group", pd.Series(dtype=object)).nunique() > 2
    with blank_figure(9.4, 3.7 if crowded else 3.2) as drawn:
        if table.empty:
            say_nothing_there(drawn.add_subplot(), "no cell was measured")
            return drawn
        panels = drawn.subplots(1, len(measures), squeeze=False)[0]
        for axes, (column, label) in zip(panels, measures.items(), strict=True):
            _panel(axes, table, column, label, looks)
            if crowded:
                axes.tick_params(axis="x", rotation=38)
                for tick in axes.get_xticklabels():
                    tick.set(ha="right", rotation_mode="anchor")
        drawn.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
    return drawn


def _panel(
    axes: Axes, table: pd.DataFrame, column: str, label: str, looks: dict[str, Look]
) -> None:
    seen = set(table["group"])
    groups = [group for group in looks if group in seen]
    ticks = []
    for at, group in enumerate(groups):
        own = table[(table["group"] == group) & table[column].notna()]
        means = []
        colour = looks[group].colour
        for number, (_, part) in enumerate(own.groupby("replicate", sort=False)):
            values = part[column].to_numpy(np.float64)
            # Evenly many of a large movie: the means are of all.
            some = values[:: -(-len(values) // _MOST_POINTS)]
            x = at + jitter(len(some), 0.28)
            axes.plot(x, some, ".", ms=2.6, alpha=0.35, color=colour)
            means.append((number, float(values.mean())))
        spread = jitter(len(means), 0.14) if len(means) > 1 else [0.0] * len(means)
        for offset, (number, mean) in zip(spread, means, strict=True):
            shape = _SHAPES[number % len(_SHAPES)]
            axes.plot(
                at + offset, mean, shape, ms=8.5, color=colour, mec=INK, mew=1, zorder=3
            )
        _average(axes, at, [mean for _, mean in means])
        ticks.append(f"{group}\n{plural(len(means), 'movie')}, {len(own)} cells")
    axes.set_xticks(range(len(groups)), ticks, fontsize=7.5)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylabel(label)
    if column in _SHARES:
        axes.set_ylim(-0.04, 1.04)
    else:
        axes.set_ylim(bottom=0)
    axes.grid(axis="x", visible=False)


def _average(axes: Axes, at: int, means: list[float]) -> None:
    if len(means) < 3:
        return
    middle = float(np.mean(means))
    error = float(np.std(means, ddof=1) / np.sqrt(len(means)))
    axes.errorbar(
        at + 0.36,
        middle,
        yerr=error,
        fmt="_",
        ms=12,
        color=INK,
        ecolor=MUTED,
        capsize=3,
    )


def replicate_means(table: pd.DataFrame, measures: dict[str, str]) -> pd.DataFrame:
    """One row per replicate: what a test may be made on.

    Args:
        table: As for :func:`superplot`.
        measures: Column to axis label.
    """
    by = ["group", "replicate"]
    means = table.groupby(by, sort=False)[list(measures)].mean()
    means["n_cells"] = table.groupby(by, sort=False).size()
    return means.reset_index()
