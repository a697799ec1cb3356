"""The figures of the experiment: survival of the targets by group, and its bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.style import (
    INK,
    MUTED,
    Look,
    blank_figure,
    say_nothing_there,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 3
# Darkness of the pointwise and of the simultaneous band.
_AT_ONE_TIME, _AT_ONCE = 0.28, 0.12


def survival_curves(
    survival: pd.DataFrame, looks: dict[str, Look], role: str
) -> Figure:
    """Kaplan-Meier curves with pointwise bands and the numbers at risk below.

    Args:
        survival: Table SURVIVAL.
        looks: Groups to draw, in order.
        role: Target role.
    """
    parts = _by_group(survival, looks, role)
    with blank_figure(9.4, 3.7 + 0.2 * len(looks)) as drawn:
        if not parts:
            say_nothing_there(drawn.add_subplot(), "no target was at risk")
            return drawn
        heights = [3.0, 0.25 + 0.2 * len(parts)]
        axes, risk = drawn.subplots(2, 1, height_ratios=heights, sharex=True)
        for group, part in parts.items():
            _curve(axes, part, looks[group], group)
            _band(axes, part, "ci", looks[group].colour, 0.15)
        axes.set(title=f"Survival of {role} cells", ylabel="alive (%)", ylim=(0, 104))
        axes.legend(loc="lower left")
        _numbers_at_risk(risk, parts, looks)
    return drawn


def survival_bands(survival: pd.DataFrame, looks: dict[str, Look], role: str) -> Figure:
    """Each group's curve with its three bands: pointwise, simultaneous, over wells.

    Args:
        survival: Table SURVIVAL.
        looks: Groups to draw, in order.
        role: Target role.
    """
    parts = _by_group(survival, looks, role)
    across = min(max(len(parts), 2), _ACROSS)
    rows = -(-max(len(parts), 1) // across)
    with blank_figure(9.4, 2.7 * rows + 0.3) as drawn:
        if not parts:
            say_nothing_there(drawn.add_subplot(), "no target was at risk")
            return drawn
        panels = drawn.subplots(rows, across, squeeze=False, sharex=True, sharey=True)
        for axes in panels.ravel()[len(parts) :]:
            axes.set_axis_off()
        for axes, (group, part) in zip(panels.ravel(), parts.items(), strict=False):
            _curve(axes, part, looks[group])
            _band(axes, part, "ci", looks[group].colour, _AT_ONE_TIME)
            _band(axes, part, "band", looks[group].colour, _AT_ONCE)
            _outline(axes, part, "wells")
            axes.set_title(group)
            axes.set(ylim=(0, 104), xlabel="time (min)")
            axes.xaxis.set_tick_params(labelbottom=True)
        for axes in panels[:, 0]:
            axes.set_ylabel("alive (%)")
        drawn.legend(handles=_legend(), loc="outside lower center", ncols=4, fontsize=8)
    return drawn


def _by_group(
    survival: pd.DataFrame, looks: dict[str, Look], role: str
) -> dict[str, pd.DataFrame]:
    """The rows of each group in time; groups without any are left out."""
    ordered = survival[survival["role"] == role].sort_values("time_min")
    parts = {group: ordered[ordered["group"] == group] for group in looks}
    return {group: part for group, part in parts.items() if len(part)}


def _curve(
    axes: Axes, part: pd.DataFrame, look: Look, label: str | None = None
) -> None:
    """The curve starts at 1, and the last step is held to the end of the data."""
    time = np.concatenate([[0.0], part["time_min"]])
    alive = 100 * np.concatenate([[1.0], part["survival"]])
    axes.step(
        time, alive, look.dash, where="post", color=look.colour, label=label, lw=1.9
    )


def _band(axes: Axes, part: pd.DataFrame, name: str, colour: str, alpha: float) -> None:
    low, high = 100 * part[f"{name}_low"], 100 * part[f"{name}_high"]
    if low.notna().any():
        axes.fill_between(
            part["time_min"], low, high, step="post", color=colour, alpha=alpha, lw=0
        )


def _outline(axes: Axes, part: pd.DataFrame, name: str) -> None:
    if part[f"{name}_low"].notna().any():
        for side in ("low", "high"):
            bound = 100 * part[f"{name}_{side}"]
            axes.step(part["time_min"], bound, "--", where="post", color=INK, lw=1)


def _legend() -> list[Artist]:
    """In grey, as each panel has a colour of its own."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], color=INK, lw=1.9, label="Kaplan-Meier"),
        Patch(color=INK, alpha=_AT_ONE_TIME, lw=0, label="at one time (cells)"),
        Patch(color=INK, alpha=_AT_ONCE, lw=0, label="whole curve (cells)"),
        Line2D([], [], color=INK, ls="--", lw=1, label="over wells"),
    ]


def _numbers_at_risk(
    axes: Axes, parts: dict[str, pd.DataFrame], looks: dict[str, Look]
) -> None:
    end = max(float(part["time_min"].max()) for part in parts.values())
    ticks = list(_round_times(end))
    for row, (group, part) in enumerate(parts.items()):
        for tick in ticks:
            axes.text(
                tick, row, str(_at_risk(part, tick)), color=INK, ha="center",
                va="center", fontsize=8,
            )  # fmt: skip
        # Beside the name, as colour alone must not carry it.
        axes.plot(
            -0.008, row, "s", color=looks[group].colour, ms=5, clip_on=False,
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    axes.set_yticks(range(len(parts)), list(parts), fontsize=8)
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("time (min); numbers: cells at risk", color=MUTED)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", pad=9)


def _round_times(end: float) -> Iterator[float]:
    """Some five times from 0 to the end that people like to read."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 1.5, 2, 3, 5, 6, 10]
    for tick in MaxNLocator(6, steps=steps).tick_values(0, max(end, 1e-6)):
        if -1e-9 <= tick <= end + 1e-9:
            yield float(tick)


def _at_risk(part: pd.DataFrame, time: float) -> int:
    """Cells at risk: just before the next event, or what is left after the last."""
    later = part[part["time_min"] >= time]
    if len(later):
        return int(later["n_at_risk"].iloc[0])
    last = part.iloc[-1]
    return int(last["n_at_risk"] - last["n_deaths"] - last["n_censored"])
