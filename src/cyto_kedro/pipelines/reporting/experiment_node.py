"""The node that draws what compares the movies."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from cyto_kedro.methods.reporting import prism
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.reporting import (
    population_charts,
    superplots,
    well_charts,
)
from cyto_kedro.pipelines.reporting.comparison import survival_bands, survival_curves
from cyto_kedro.pipelines.reporting.figure_data import as_csv
from cyto_kedro.pipelines.reporting.nodes import each_of
from cyto_kedro.pipelines.reporting.style import Look, group_looks, only_filled

_NONE = pd.DataFrame({"role": []})


def draw_experiment(
    conditions: pd.DataFrame,
    options: KillingParams,
    tables_of: dict[str, dict[str, str]],
    *,
    targets: tuple[str, ...],
    roles: tuple[str, ...],
    **data: Any,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures that compare the movies, and the numbers behind them.

    Args:
        conditions: The experiment sheet.
        options: Which column of the sheet names the condition.
        tables_of: CSV text behind the figures of each movie; holds the tracks.
        targets: Target roles.
        roles: All roles.
        data: With a death marker ``survival``: table SURVIVAL; ``deaths:<role>``:
            table DEATHS of every movie; ``table:<name>``: the
            tables of :data:`~cyto_kedro.pipelines.reporting.population_charts.CHARTS`
            and, with effectors, ``et_ratio`` and ``et_dependence``.

    Returns:
        Figures that show something, by name; CSV text by name. The table ``left_out``
        says which figures there are not, and why.
    """
    group_of = _group_of(list(tables_of), conditions, options.survival.group_by)
    compared = each_of(data, "table")
    looks = group_looks(group_of.values(), _controls(compared.get("superplot")))
    figures, tables = _superplots(group_of, looks, tables_of, roles)
    for name, draw in population_charts.CHARTS.items():
        for of, part in population_charts.split(compared.get(name, _NONE)).items():
            figures[f"groups_{name}_{of}"] = draw(part, looks)
            tables[f"groups_{name}_{of}"] = part
    drawn, behind = _ratios(compared, looks, group_of)
    figures |= drawn
    tables |= behind
    for role in targets if "survival" in data else ():
        survival = data["survival"]
        figures[f"survival_{role}"] = survival_curves(survival, looks, role)
        figures[f"bands_{role}"] = survival_bands(survival, looks, role)
        curves = prism.survival_curves(survival, role, list(looks))
        tables[f"survival_{role}_curves"] = curves
        cells = prism.survival_cells(data[f"deaths:{role}"], group_of)
        tables[f"survival_{role}_cells"] = cells
        tables[f"bands_{role}"] = survival[survival["role"] == role]
    figures, why = only_filled(figures)
    tables["left_out"] = pd.DataFrame(why.items(), columns=["figure", "reason"])
    return figures, as_csv(tables)


def _controls(superplot: pd.DataFrame | None) -> set[str]:
    """Groups that consist of movies without effectors."""
    if superplot is None:
        return set()
    movies = superplot[superplot["level"] == "movie"]
    names = movies["group"].fillna(movies["name"])
    flags = movies["control"].astype("boolean").fillna(False).groupby(names).all()
    return set(flags.index[flags])


def _ratios(
    compared: dict[str, pd.DataFrame], looks: dict[str, Look], group_of: dict[str, str]
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """E:T over time, and the outcomes that follow it."""
    figures, tables = {}, {}
    for of, part in population_charts.split(compared.get("et_ratio", _NONE)).items():
        figures[f"groups_et_ratio_{of}"] = well_charts.ratios(part, looks, group_of)
        tables[f"groups_et_ratio_{of}"] = part
    slopes = compared.get("et_dependence", _NONE)
    if slopes.empty and "et_dependence" in compared:
        drawn = well_charts.by_ratio(slopes, compared["superplot"], looks)
        figures["groups_et_dependence"] = drawn
    for of, part in population_charts.split(slopes).items():
        drawn = well_charts.by_ratio(part, compared["superplot"], looks)
        figures[f"groups_et_dependence_{of}"] = drawn
        tables[f"groups_et_dependence_{of}"] = part
    return figures, tables


def _group_of(
    movies: list[str], conditions: pd.DataFrame, column: str | None
) -> dict[str, str]:
    """The group of each movie; each its own where the sheet names none."""
    if column not in conditions:
        return {movie: movie for movie in movies}
    known = conditions.set_index("movie")[column]
    return {movie: str(known[movie]) for movie in movies}


def _superplots(
    group_of: dict[str, str],
    looks: dict[str, Look],
    tables_of: dict[str, dict[str, str]],
    roles: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Cells and replicates of each role by group; a movie is a replicate."""
    figures, tables = {}, {}
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
        title = {"tracks": f"{role} cells", "killers": f"Kills of {role}"}[what]
        figures[f"superplot_{name}"] = superplots.superplot(
            cells, measures, title, looks
        )
        tables[f"superplot_{name}_cells"] = cells
        means = superplots.replicate_means(cells, measures)
        tables[f"superplot_{name}_replicates"] = means
    return figures, tables
