"""What the report says of all movies together: survival, groups, replicates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cyto_kedro.pipelines.reporting.comparison_table import comparison_tables
from cyto_kedro.pipelines.reporting.page import Block, Download, Picture
from cyto_kedro.pipelines.reporting.wording import p_value, percent, plural, text_of

# Order, alternative text of the experiment's figures; <name>_<role>.
_FIGURES = {
    "survival": "Kaplan-Meier survival of {role} cells with bands and cells at risk",
    "superplot": "{role}: cells (small dots) and means of movies (large) by group",
}

# Of the tables that compare groups: alternative text, and whether the figure is wide.
_GROUPS = {
    "competing_risks": (
        "Targets that died, and that left in another way, by group (Aalen-Johansen)",
        True,
    ),
    "lysis": ("Specific lysis against the movies without effectors", False),
    "first_kill": ("Effectors that have killed, by their time in view", False),
    "rates": ("Kills per hour in view and per hour of contact, by rule", True),
    "kill_distribution": (
        "Kills per effector beside those of equal effectors, and their Lorenz curve",
        True,
    ),
    "superplot": ("Outcomes of every well by group; shapes are donors", True),
}


@dataclass(frozen=True)
class RunData:
    """What a run left, movie by movie where it says so.

    Attributes:
        run: Content of ``run_metadata.json``.
        conditions: The experiment sheet.
        summaries: Summary of each movie.
        figures: Figures of each movie by name and format.
        tables: CSV text behind them, of each movie by name.
        experiment_figures: Figures of the experiment by name and format.
        experiment_tables: CSV text behind them.
        comparison: Comparison of the conditions, per target role.
        comparisons: Table COMPARISONS.
        kills: Table KILLS of each movie.
        cards: Evidence cards of each movie as SVG by name.
    """

    run: dict[str, Any]
    conditions: pd.DataFrame
    summaries: dict[str, dict[str, Any]]
    figures: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    experiment_figures: dict[str, dict[str, bytes]] = field(default_factory=dict)
    experiment_tables: dict[str, str] = field(default_factory=dict)
    comparison: dict[str, Any] | None = None
    comparisons: pd.DataFrame | None = None
    kills: dict[str, pd.DataFrame] = field(default_factory=dict)
    cards: dict[str, dict[str, str]] = field(default_factory=dict)


def experiment_blocks(data: RunData) -> list[Block]:
    """Survival and what else compares the movies, those without content left out."""
    comparison = data.comparison or {"roles": {}, "notes": []}
    survival = Block(
        "Survival of the targets",
        texts=[f["statement"] for f in comparison["roles"].values()]
        + list(comparison["notes"]),
        facts=_comparison_facts(data.comparison),
        pictures=_experiment_pictures("survival", data),
    )
    plots = Block(
        "Cells and replicates",
        texts=[
            "A replicate is a movie. Test the means of replicates, which each figure's "
            "CSV holds; cells of one movie are not independent."
        ],
        pictures=_experiment_pictures("superplot", data),
    )
    groups = Block(
        "Groups compared",
        pictures=_group_pictures(data),
        tables=comparison_tables(data.comparisons),
    )
    return [block for block in (survival, groups, plots) if block.pictures]


def _group_pictures(data: RunData) -> list[Picture]:
    """Figures of the tables that compare groups, each with its table."""
    pictures = []
    for stem, (about, wide) in _GROUPS.items():
        for name, formats in data.experiment_figures.items():
            if not name.startswith(f"groups_{stem}_"):
                continue
            of = name.removeprefix(f"groups_{stem}_").replace("_", " on ")
            saved = name.removeprefix("groups_")
            table = Download.csv(saved, data.experiment_tables[name])
            alt = f"{about} ({of})."
            pictures.append(Picture(saved, alt, formats["svg"], "svg", wide, (table,)))
    return pictures


def _experiment_pictures(stem: str, data: RunData) -> list[Picture]:
    pictures = []
    for name, formats in data.experiment_figures.items():
        if not name.startswith(f"{stem}_"):
            continue
        role = name[len(stem) + 1 :]
        tables = tuple(
            Download.csv(key, text, f"CSV {key.removeprefix(name)[1:] or role}")
            for key, text in data.experiment_tables.items()
            if key.startswith(f"{name}_")
        )
        shown = role.replace("_", " of ")
        alt = _FIGURES[stem].format(role=shown) + _deaths_by_group(data, role) + "."
        wide = stem == "survival" or "tracks" in role
        pictures.append(Picture(name, alt, formats["svg"], "svg", wide, tables))
    return pictures


def _deaths_by_group(data: RunData, role: str) -> str:
    found = (data.comparison or {"roles": {}})["roles"].get(role)
    if found is None:
        return ""
    parts = [
        f"{plural(g['n_deaths'], 'death')} in {g['group']}"
        for g in found["groups"]
        if g["level"] != "movie"
    ]
    return f": {', '.join(parts)}" if parts else ""


def _comparison_facts(comparison: dict[str, Any] | None) -> list[tuple[str, str]]:
    if comparison is None:
        return []
    facts: list[tuple[str, str]] = []
    for role, found in comparison["roles"].items():
        horizon = text_of(found["horizon_min"])
        for group in found["groups"]:
            if group["level"] == "movie":
                continue
            name = f"{role}, {group['group']}"
            alive = group["survival_at_horizon"]
            facts.append((f"{name}: alive at {horizon} min", percent(alive)))
            mean = text_of(group["rmst_min"])
            facts.append((f"{name}: mean survival to then", f"{mean} min"))
            if group["specific_lysis_percent"] is not None:
                lysis = f"{group['specific_lysis_percent']:.0f} %"
                facts.append((f"{name}: specific lysis", lysis))
        if found["test"] is not None:
            test = found["test"]
            facts.append((f"{role}: log-rank over cells", p_value(test["p_cells"])))
            facts.append((f"{role}: permuting movies", p_value(test["p_movies"])))
    return facts
