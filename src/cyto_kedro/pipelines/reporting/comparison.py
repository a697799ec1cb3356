"""The figure of the experiment: survival of the targets by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.style import (
    GROUPS,
    MUTED,
    figure,
    say_nothing_there,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def survival_curves(survival: pd.DataFrame, groups: list[str], role: str) -> Figure:
    """Kaplan-Meier curves with 95 % bands and the numbers at risk below.

    Args:
        survival: Table SURVIVAL.
        groups: Strata to draw, in order.
        role: Target role.
    """
    of_role = survival[survival["role"] == role]
    with figure(7.2, 3.6 + 0.22 * len(groups)) as (drawn, first):
        first.remove()
        heights = [3.0, 0.25 + 0.22 * len(groups)]
        axes, risk = drawn.subplots(2, 1, height_ratios=heights, sharex=True)
        ordered = of_role.sort_values("time_min")
        parts = {group: ordered[ordered["group"] == group] for group in groups}
        parts = {group: part for group, part in parts.items() if len(part)}
        if not parts:
            say_nothing_there(axes, "no target was at risk")
            risk.set_axis_off()
            return drawn
        end = max(float(part["time_min"].max()) for part in parts.values())
        ticks = np.linspace(0, end, 6)
        for row, (group, part) in enumerate(parts.items()):
            colour = GROUPS[row % len(GROUPS)]
            # The curve starts at 1, and the last step is held to the end of the data.
            time = np.concatenate([[0.0], part["time_min"]])
            alive = np.concatenate([[1.0], part["survival"]])
            axes.step(
                time, 100 * alive, where="post", color=colour, label=group, lw=1.8
            )
            axes.fill_between(
                part["time_min"],
                100 * part["ci_low"],
                100 * part["ci_high"],
                step="post",
                color=colour,
                alpha=0.15,
                lw=0,
            )
            for tick in ticks:
                risk.text(
                    tick,
                    row,
                    str(_at_risk(part, tick)),
                    color=colour,
                    ha="center",
                    va="center",
                    fontsize=8,
                )
        axes.set(title=f"Survival of {role} cells", ylabel="alive (%)", ylim=(0, 104))
        axes.legend(loc="lower left")
        risk.set_yticks(range(len(parts)), list(parts), fontsize=8)
        risk.set_ylim(len(parts) - 0.4, -0.6)
        risk.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
        risk.set_xlabel("time (min); numbers: cells at risk", color=MUTED)
        risk.grid(visible=False)
        for side in ("left", "bottom"):
            risk.spines[side].set_visible(False)
        risk.tick_params(length=0)
    return drawn


def _at_risk(part: pd.DataFrame, time: float) -> int:
    """Cells at risk: just before the next event, or what is left after the last."""
    later = part[part["time_min"] >= time]
    if len(later):
        return int(later["n_at_risk"].iloc[0])
    last = part.iloc[-1]
    return int(last["n_at_risk"] - last["n_deaths"] - last["n_censored"])
