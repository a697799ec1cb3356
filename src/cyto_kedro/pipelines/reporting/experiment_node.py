"""The node that draws what compares the movies."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from cyto_kedro.methods.reporting import prism
from cyto_kedro.pipelines.reporting import population_charts, superplots
from cyto_kedro.pipelines.reporting.comparison import survival_curves
from cyto_kedro.pipelines.reporting.figure_data import as_csv
from cyto_kedro.pipelines.reporting.nodes import each_of


def draw_experiment(
    conditions: pd.DataFrame,
    survival: pd.DataFrame,
    comparison: dict[str, Any],
    tables_of: dict[str, dict[str, str]],
    *,
    targets: tuple[str, ...],
    roles: tuple[str, ...],
    **data: Any,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures that compare the movies, and the numbers behind them.

    Args:
        conditions: The experiment sheet.
        survival: Table SURVIVAL.
        comparison: Comparison of the conditions, per target role.
        tables_of: CSV text behind the figures of each movie; holds the tracks.
        targets: Target roles.
        roles: All roles.
        data: ``deaths:<role>``: table DEATHS of every movie; ``table:<name>``: the
            tables of :data:`~cyto_kedro.pipelines.reporting.population_charts.CHARTS`.

    Returns:
        Figures by name; CSV text by name.
    """
    figures, tables = _superplots(conditions, comparison["group_by"], tables_of, roles)
    for name, table in each_of(data, "table").items():
        for of, part in population_charts.split(table).items():
            figures[f"groups_{name}_{of}"] = population_charts.CHARTS[name](part)
            tables[f"groups_{name}_{of}"] = part
    for role in targets:
        by_movie = data[f"deaths:{role}"]
        groups = comparison["roles"][role]["groups"]
        levels = {g["level"] for g in groups} - {"movie"}
        names = [g["group"] for g in groups if not levels or g["level"] in levels]
        figures[f"survival_{role}"] = survival_curves(survival, names, role)
        tables[f"survival_{role}_curves"] = prism.survival_curves(survival, role, names)
        group_of = _group_of(list(by_movie), conditions, comparison["group_by"])
        tables[f"survival_{role}_cells"] = prism.survival_cells(by_movie, group_of)
    return figures, as_csv(tables)


def _group_of(
    movies: list[str], conditions: pd.DataFrame, column: str
) -> dict[str, str]:
    """The group of each movie; each its own where the sheet names none."""
    if column not in conditions:
        return {movie: movie for movie in movies}
    known = conditions.set_index("movie")[column]
    return {movie: str(known[movie]) for movie in movies}


def _superplots(
    conditions: pd.DataFrame,
    group_by: str,
    tables_of: dict[str, dict[str, str]],
    roles: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Cells and replicates of each role by group; a movie is a replicate."""
    figures, tables = {}, {}
    group_of = _group_of(list(tables_of), conditions, group_by)
    wanted = {f"tracks_{role}": superplots.MEASURES for role in roles}
    wanted |= {f"killers_{role}": superplots.KILLS for role in roles}
    for name, measures in wanted.items():
        parts = [
            pd.read_csv(io.StringIO(texts[name])).assign(
                group=group_of[movie], replicate=movie
            )
            for movie, texts in tables_of.items()
            if name in texts
        ]
        parts = [part for part in parts if len(part)]
        if not parts:
            continue
        cells = pd.concat(parts, ignore_index=True)
        what, _, role = name.partition("_")
        title = {"tracks": f"{role} cells", "killers": f"Killers of {role}"}[what]
        figures[f"superplot_{name}"] = superplots.superplot(cells, measures, title)
        tables[f"superplot_{name}_cells"] = cells
        means = superplots.replicate_means(cells, measures)
        tables[f"superplot_{name}_replicates"] = means
    return figures, tables
