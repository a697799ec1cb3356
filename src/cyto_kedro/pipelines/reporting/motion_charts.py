"""Charts of motion around contacts, of mixing and of density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.pipelines.reporting.style import (
    GROUPS,
    INK,
    MUTED,
    blank_figure,
    figure,
    say_nothing_there,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STATES = ("free", "before", "during", "after")
_MOST_MAPS = 3


def around_contacts(tables: dict[str, pd.DataFrame]) -> Figure:
    """Speed of each effector free of, before, during and after contacts.

    Args:
        tables: CONTACT_MOTION by pair.
    """
    with figure() as (drawn, axes):
        filled = {pair: table for pair, table in tables.items() if len(table)}
        if not filled:
            say_nothing_there(axes, "no effector moved near a target")
            return drawn
        for number, (pair, table) in enumerate(filled.items()):
            colour = GROUPS[(number + 1) % len(GROUPS)]
            wide = by_state(table)
            shift = 0.18 * (number - (len(filled) - 1) / 2)
            for at, state in enumerate(wide.columns):
                values = wide[state].dropna().to_numpy()
                x = at + shift + jitter(len(values), 0.09)
                axes.plot(x, values, ".", ms=3.5, alpha=0.45, color=colour)
                if len(values):
                    middle = float(np.median(values))
                    ends = [at + shift - 0.16, at + shift + 0.16]
                    label = pair.replace("_", "–") if at == 0 else None
                    axes.plot(ends, [middle] * 2, color=INK, lw=2)
                    axes.plot([], [], "o", color=colour, label=label)
        axes.set_xticks(range(len(_STATES)), _STATES)
        axes.set(title="Effector speed around contacts", ylabel="speed (µm/min)")
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.legend(fontsize=7.5)
    return drawn


def by_state(table: pd.DataFrame) -> pd.DataFrame:
    """Mean speed of each effector (row) in each state (column)."""
    wide = table.pivot(
        index=["effector_track_id", "target"],
        columns="state",
        values="mean_speed_um_per_min",
    )
    return wide.reindex(columns=list(_STATES)).reset_index(drop=True)


def mixing(table: pd.DataFrame) -> Figure:
    """How often cell types are neighbours, against chance (NETWORK_MIXING)."""
    whole = table[table["frame"].isna() & (table["graph"] == "delaunay")]
    whole = whole[whole["ratio"].notna()]
    with figure(4.6, 1.6 + 0.4 * max(len(whole), 2)) as (drawn, axes):
        if whole[["role_a", "role_b"]].stack().nunique() < 2:
            say_nothing_there(axes, "there were not two cell types to compare")
            return drawn
        for row, one in enumerate(whole.to_dict(orient="records")):
            low = one["expected_low"] / one["expected"]
            high = one["expected_high"] / one["expected"]
            axes.plot(
                [low, high], [row, row], color=MUTED, lw=6, alpha=0.4,
                solid_capstyle="butt",
            )  # fmt: skip
            axes.plot(one["ratio"], row, "o", color=GROUPS[0])
            axes.annotate(
                f"p (Holm) = {one['p_holm']:.2g}", (1.03, row), va="center",
                fontsize=7.5, color=INK, annotation_clip=False,
                xycoords=("axes fraction", "data"),
            )  # fmt: skip
        names = [
            f"{a}–{b}" for a, b in zip(whole["role_a"], whole["role_b"], strict=True)
        ]
        axes.axvline(1, color=INK, lw=0.8)
        axes.set_yticks(range(len(whole)), names)
        axes.set_ylim(len(whole) - 0.5, -0.5)
        axes.set(title="Who is next to whom", xlabel="neighbours vs. chance")
    return drawn


def density_maps(tables: dict[str, pd.DataFrame]) -> Figure:
    """Cells per area in parts of the movie, one row per role (DENSITY)."""
    shown = {
        role: sorted(table["window"].unique())[:_MOST_MAPS]
        for role, table in tables.items()
        if len(table)
    }
    columns = max((len(windows) for windows in shown.values()), default=1)
    with blank_figure(9.4, 2.9 * max(len(shown), 1)) as drawn:
        if not shown:
            say_nothing_there(drawn.add_subplot(), "there were no cells")
            return drawn
        grid = drawn.subplots(len(shown), columns, squeeze=False)
        for axes in grid.ravel():
            axes.set_axis_off()
        for row, (role, windows) in enumerate(shown.items()):
            top = float(tables[role]["cells_per_mm2"].max())
            for column, window in enumerate(windows):
                part = tables[role][tables[role]["window"] == window]
                plane = part.pivot(index="y_um", columns="x_um", values="cells_per_mm2")
                y, x = plane.index.to_numpy(), plane.columns.to_numpy()
                image = grid[row, column].imshow(
                    plane.to_numpy(), cmap="cividis", vmin=0, vmax=max(top, 1e-9),
                    extent=(x[0], x[-1], y[-1], y[0]),
                )  # fmt: skip
                start, end = part["start_min"].iloc[0], part["end_min"].iloc[0]
                title = f"{role}, {start:.0f} to {end:.0f} min"
                grid[row, column].set_title(title, fontsize=9)
            bar = drawn.colorbar(image, ax=list(grid[row]), shrink=0.8)
            bar.set_label("cells per mm²", fontsize=8)
    return drawn


def jitter(count: int, width: float) -> np.ndarray:
    """Offsets that spread points evenly, the same every time (golden ratio)."""
    return width * (2 * (np.arange(count) * 0.61803398875 % 1) - 1)
