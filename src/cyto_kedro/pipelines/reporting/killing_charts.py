"""Charts of kills: when, by whom, beyond chance, and whether settings matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.pipelines.reporting.style import (
    GROUPS,
    INK,
    MUTED,
    blank_figure,
    figure,
    plain_counts,
    say_nothing_there,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rules of attribution as readers know them, in the order of display.
RULES = {
    "every_toucher": "full credit to every toucher",
    "nearest": "nearest / last",
    "exclusive": "exclusive",
    "shared": "shared",
    "hazard": "hit model",
    "any": "any contact",
}
_METHODS = {"time_shift": "contacts shifted in time", "position_shift": "T cells moved"}


def timeline(kills: pd.DataFrame, calibration: Calibration) -> Figure:
    """Deaths so far, and how many of them the hit model gives to somebody (KILLS)."""
    with figure() as (drawn, axes):
        if kills.empty:
            say_nothing_there(axes, "no target died")
            return drawn
        table = cumulative_kills(kills, calibration)
        time = table["time_min"]
        axes.step(
            time, table["deaths"], where="post", color=INK, lw=1.8, label="deaths"
        )
        axes.step(
            time,
            table["credited"],
            where="post",
            color=GROUPS[1],
            lw=1.8,
            label="credited to effectors",
        )
        died = kills["death_time_min"]
        axes.plot(died, np.full(len(died), -0.03 * len(died)), "|", color=INK, ms=7)
        axes.set(title="Kills over time", xlabel="time (min)", ylabel="so far")
        axes.set_xlim(0, float(calibration.times_min[-1]) + 1e-6)
        axes.legend()
    return drawn


def cumulative_kills(kills: pd.DataFrame, calibration: Calibration) -> pd.DataFrame:
    """Deaths and summed credit of the hit model up to each frame."""
    times = calibration.times_min
    order = kills.sort_values("death_time_min")
    credit = 1 - order["background_probability"].fillna(1.0).to_numpy()
    died = order["death_time_min"].to_numpy()
    count = np.searchsorted(died, times + 1e-9, side="right")
    total = np.concatenate([[0.0], np.cumsum(credit)])
    return pd.DataFrame({"time_min": times, "deaths": count, "credited": total[count]})


def serial_killers(killers: pd.DataFrame) -> Figure:
    """How many effectors made how many kills, by two rules (KILLERS)."""
    with figure() as (drawn, axes):
        counts = kill_counts(killers)
        if counts.empty:
            say_nothing_there(axes, "no effector was tracked")
            return drawn
        at = np.arange(len(counts))
        for shift, (column, label, colour) in enumerate(
            (
                ("hazard", "hit model, rounded", "#0b5c8a"),
                ("nearest", "nearest / last", "#8a97a3"),
            )
        ):
            bars = axes.bar(
                at + 0.4 * shift - 0.2, counts[column], 0.38, color=colour, label=label
            )
            axes.bar_label(bars, fontsize=7, color=MUTED)
        axes.set_xticks(at, [str(k) for k in counts["kills"]])
        axes.set(title="Kills per effector", xlabel="kills", ylabel="effectors")
        axes.set_yscale("symlog", linthresh=1)
        plain_counts(axes.yaxis)
        axes.set_ylim(0, 2.2 * max(float(counts[["hazard", "nearest"]].max().max()), 1))
        axes.grid(axis="x", visible=False)
        axes.legend()
    return drawn


def capacity(table: pd.DataFrame) -> Figure:
    """Deaths and kills per effector hour in parts of the movie (KILLING_CAPACITY)."""
    with figure() as (drawn, axes):
        known = table[table["deaths_per_effector_hour"].notna()]
        if known.empty:
            say_nothing_there(axes, "no effector was in view")
            return drawn
        middle = (known["start_min"] + known["end_min"]) / 2
        half = (known["end_min"] - known["start_min"]) / 2
        value = known["deaths_per_effector_hour"]
        bounds = [value - known["ci_low"], known["ci_high"] - value]
        axes.errorbar(
            middle, value, yerr=np.abs(bounds), xerr=half, fmt="o", color=INK, ms=6,
            capsize=3, label="all deaths (Poisson interval)",
        )  # fmt: skip
        for rule, shape, colour in (
            ("hazard", "D", GROUPS[1]), ("shared", "^", GROUPS[5]),
        ):  # fmt: skip
            label = {"hazard": "hit model", "shared": "shared credit"}[rule]
            axes.plot(
                middle, known[f"kills_{rule}_per_effector_hour"], shape, ms=6,
                color=colour, mec=INK, mew=0.7, label=label,
            )  # fmt: skip
        axes.set(
            title="Killing capacity", xlabel="time (min)", ylabel="per effector hour"
        )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7.5)
    return drawn


def kill_counts(killers: pd.DataFrame) -> pd.DataFrame:
    """Effectors by number of kills, credits rounded to whole kills."""
    if killers.empty:
        return pd.DataFrame(columns=["kills", "hazard", "nearest"])
    rounded = {
        rule: np.rint(killers[f"kills_{rule}"].fillna(0)).astype(int)
        for rule in ("hazard", "nearest")
    }
    kills = np.arange(max(int(values.max()) for values in rounded.values()) + 1)
    columns = {
        rule: [int((values == k).sum()) for k in kills]
        for rule, values in rounded.items()
    }
    return pd.DataFrame({"kills": kills} | columns)


def chance(table: pd.DataFrame) -> Figure:
    """Attributed deaths against what chance attributes (ATTRIBUTION_CHANCE)."""
    with figure(4.6, 2.2 + 0.25 * len(table)) as (drawn, axes):
        shown = table[table["observed_fraction"].notna()]
        if shown.empty:
            say_nothing_there(axes, "no target died")
            return drawn
        for row, one in enumerate(shown.to_dict(orient="records")):
            axes.plot(
                [one["expected_low"], one["expected_high"]], [row, row], color=MUTED,
                lw=5, alpha=0.45, solid_capstyle="butt",
            )  # fmt: skip
            axes.plot(one["expected_fraction"], row, "|", color=MUTED, ms=11, mew=2)
            beyond = one["p_value"] <= 0.05
            axes.plot(
                one["observed_fraction"], row, "o", color=GROUPS[0] if beyond else INK,
                mfc=GROUPS[0] if beyond else "white",
            )  # fmt: skip
            axes.annotate(
                f"p = {one['p_value']:.2g}", (1.03, row), va="center", fontsize=7.5,
                xycoords=("axes fraction", "data"), color=INK, annotation_clip=False,
            )  # fmt: skip
        names = [
            f"{RULES.get(rule, rule)}\n{_METHODS.get(method, method)}"
            for rule, method in zip(shown["rule"], shown["method"], strict=True)
        ]
        axes.set_yticks(range(len(shown)), names, fontsize=7.5)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set(title="Is it more than chance?", xlabel="deaths attributed (fraction)")
        axes.set_xlim(-0.02, 1.02)
    return drawn


def sensitivity(table: pd.DataFrame) -> Figure:
    """Deaths that keep their killer over the grid of settings (SENSITIVITY)."""
    distances = sorted(table["contact_distance_um"].unique())
    with blank_figure(9.4, 2.9) as drawn:
        if table.empty:
            say_nothing_there(drawn.add_subplot(), "there was nothing to vary")
            return drawn
        panels = drawn.subplots(1, len(distances), squeeze=False)[0]
        for axes, distance in zip(panels, distances, strict=True):
            part = table[table["contact_distance_um"] == distance]
            grid = part.pivot(
                index="threshold", columns="window_min", values="same_killer_share"
            ).sort_index(ascending=False)
            image = axes.imshow(grid, vmin=0, vmax=1, cmap="cividis", aspect="auto")
            for one in part.to_dict(orient="records"):
                row = list(grid.index).index(one["threshold"])
                column = list(grid.columns).index(one["window_min"])
                share = one["same_killer_share"]
                dark = not share > 0.6
                mark = f"{share:.0%}\n{'p ≤ .05' if one['beyond_chance'] else 'n.s.'}"
                axes.text(
                    column, row, mark, ha="center", va="center", fontsize=7,
                    color="white" if dark else "black",
                    fontweight="bold" if one["is_chosen"] else "normal",
                )  # fmt: skip
            axes.set_xticks(range(grid.shape[1]), [f"{w:g}" for w in grid.columns])
            axes.set_yticks(range(grid.shape[0]), [f"{t:.3g}" for t in grid.index])
            axes.set_xlabel("window (min)")
            axes.set_title(f"contact ≤ {distance:.2g} µm", fontsize=9)
            axes.grid(visible=False)
        panels[0].set_ylabel("death threshold")
        bar = drawn.colorbar(image, ax=list(panels), shrink=0.9)
        bar.set_label("deaths with the same verdict", fontsize=8)
    return drawn


def density(table: pd.DataFrame) -> Figure:
    """Credit per effector when effectors are left out (ATTRIBUTION_DENSITY)."""
    with figure() as (drawn, axes):
        full = table[table["fraction"] == 1].set_index("rule")["kills_per_effector"]
        known = [r for r in RULES if r in full.index and full[r] > 0]
        if not known:
            say_nothing_there(axes, "no kill was credited")
            return drawn
        styles = ("s:", "v--", "^--", "D-.", "o-")
        for style, colour, rule in zip(styles, GROUPS, known, strict=False):
            part = table[table["rule"] == rule].sort_values("fraction")
            relative = part["kills_per_effector"] / full[rule]
            per_death = float(part["kills_per_death"].iloc[-1])
            label = f"{RULES[rule]}: {per_death:.2g} per death"
            axes.plot(
                100 * part["fraction"], relative, style, color=colour, label=label
            )
        axes.axhline(1, color=INK, lw=0.8)
        axes.set(
            title="Does credit depend on density?",
            xlabel="effectors kept (%)",
            ylabel="credit per effector vs. all",
        )
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7.5)
    return drawn
