"""What the report says of all movies together: survival, groups, replicates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cyto_kedro.pipelines.reporting.comparison_table import comparison_tables
from cyto_kedro.pipelines.reporting.page import Block, Download, Picture
from cyto_kedro.pipelines.reporting.survival_table import (
    p_values_in_words,
    survival_tables,
)
from cyto_kedro.pipelines.reporting.wording import left_out, plural

# Order, text of the experiment's figures; <name>_<role>.
_FIGURES = {
    "survival": "Kaplan-Meier survival of {role} cells; shaded: where the truth lies "
    "at any one time; below: cells at risk",
    "bands": "Three answers to how sure the curves of {role} cells are. Dark: the "
    "truth at one time; light: the whole curve at once; dashed: over wells, the one to "
    "quote for a condition (two wells or more)",
    "superplot": "{role}: cells (small dots) and means of movies (large; a shape is a "
    "movie of its group); bar: mean and standard error of three movies or more",
}

# Of the tables that compare groups: text, and whether the figure is wide.
_GROUPS = {
    "competing_risks": (
        "Targets that died (colour) or ended their watch in another way (grey), by "
        "group: cumulative incidence, Aalen-Johansen",
        True,
    ),
    "lysis": (
        "Specific lysis: share of targets that live in wells without effectors "
        "but died here",
        False,
    ),
    "first_kill": ("Effectors that have killed, by their time in view", False),
    "rates": (
        "Kills per hour in view and per hour of contact, with intervals, by three "
        "rules of credit",
        True,
    ),
    "kill_distribution": (
        "Kills per effector (nearest rule), beside those that equal effectors would "
        "make (lines); right, the share of all kills that the least active ones make",
        True,
    ),
    "superplot": ("Outcomes of every well by group; line: mean of the wells", True),
    "et_ratio": ("Effectors per target in view; a line is a movie", True),
    "et_dependence": (
        "Outcomes of wells against effectors per target (E:T), with the slope within "
        "donor and condition",
        True,
    ),
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
        effectors: Effector roles.
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
    effectors: tuple[str, ...] = ()


def experiment_blocks(data: RunData) -> list[Block]:
    """Survival and what else compares the movies, those without content left out."""
    comparison = data.comparison or {"roles": {}, "notes": []}
    survival = Block(
        "Survival of the targets",
        texts=[
            *_unit_of_inference(comparison),
            *p_values_in_words(comparison),
            *comparison["notes"],
        ],
        pictures=[
            *_experiment_pictures("survival", data),
            *_experiment_pictures("bands", data),
        ],
        tables=survival_tables(comparison, data.experiment_tables),
    )
    plots = Block(
        "Cells and replicates",
        texts=[
            "Cells of one movie are not independent: test the means of the movies "
            "(CSV replicates), not the cells."
        ],
        pictures=_experiment_pictures("superplot", data),
    )
    missing = data.experiment_tables.get("left_out", "")
    groups = Block(
        "Groups compared",
        texts=left_out(missing, {f"groups_{k}": v[0] for k, v in _GROUPS.items()}),
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
            of = name.removeprefix(f"groups_{stem}_").replace("_", " against ")
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
            Download.csv(key, text, f"CSV {key.removeprefix(name)[1:]}".strip())
            for key, text in data.experiment_tables.items()
            if key == name or key.startswith(f"{name}_")
        )
        shown = role.replace("tracks_", "").replace("killers_", "killers of ")
        alt = _FIGURES[stem].format(role=shown) + "."
        if stem == "survival":
            alt += _deaths_by_group(data, role)
        pictures.append(Picture(name, alt, formats["svg"], "svg", True, tables))
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
    return f" {', '.join(parts)}." if parts else ""


def _unit_of_inference(comparison: dict[str, Any]) -> list[str]:
    """What may be concluded, and from how many."""
    groups = [
        group
        for found in comparison["roles"].values()
        for group in found["groups"]
        if group["level"] != "movie"
    ]
    if not groups:
        return []
    text = (
        "The unit of inference is the well (or donor), not the cell: cells of one well "
        "share all that went right or wrong with it."
    )
    if min(group["n_wells"] for group in groups) < 3:
        text += (
            " With fewer than three wells in a group, differences describe these wells "
            "only."
        )
    return [text]
