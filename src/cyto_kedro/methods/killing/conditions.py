"""One test of survival between the conditions, and the numbers behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.methods.killing.cohorts import Design, Group, Population, sheet_column
from cyto_kedro.methods.killing.groups import log_rank, movie_permutation_test


def compare_conditions(
    population: Population, groups: list[Group], units: pd.DataFrame, design: Design
) -> dict[str, Any] | None:
    """Log-rank between the conditions; None without two conditions at risk.

    Args:
        population: Cells of one target role.
        groups: Movies and conditions.
        units: What the sheet says of the movies.
        design: Grouping column, strata, permutations.
    """
    cells, subjects = population.cells, population.subjects
    at_risk = population.at_risk
    compared = [
        g for g in groups if g.level == design.group_by and (g.rows & at_risk).any()
    ]
    if len(compared) < 2:
        return None
    label = np.full(len(cells), -1)
    for number, group in enumerate(compared):
        label[group.rows] = number
    rows = at_risk & (label >= 0)
    code, cells, subjects = label[rows], cells[rows], subjects[rows]
    by = sheet_column(cells, design.stratify_by)
    strata = np.zeros(len(cells), np.int64) if by is None else pd.factorize(by)[0]
    # Fields of one well share all but their place: they keep together.
    well = pd.factorize(units["well"].reindex(cells["movie"]).to_numpy())[0]
    first = np.unique(well, return_index=True)[1]
    ranked = log_rank(subjects, code, strata)
    return {
        "groups": [group.name for group in compared],
        "statistic": ranked.statistic,
        "dof": ranked.dof,
        "p_cells": ranked.p_value,
        "p_movies": movie_permutation_test(
            subjects,
            well,
            code[first],
            strata[first],
            design.n_permutations,
            design.seed,
        ),
        "n_movies": [len(group.movies) for group in compared],
        "n_wells": [units.loc[[*g.movies], "well"].nunique() for g in compared],
        "observed_deaths": ranked.observed.tolist(),
        "expected_deaths": ranked.expected.tolist(),
        "stratified_by": design.stratify_by if by is not None else None,
    }


def statement(records: list[dict[str, Any]]) -> str:
    """The numbers at each level, and what they allow to conclude."""
    conditions = [r for r in records if r["level"] != "movie"] or records
    counts = "; ".join(
        f"{r['group']}: {r['n_movies']} movie(s)"
        f"{_wells(r)}, {r['n_at_risk']} cells at risk, {r['n_deaths']} deaths"
        for r in conditions
    )
    few = min((r["n_wells"] for r in conditions), default=0) < 3
    unit = "The unit of inference is the movie (well, donor), not the cell. "
    caution = (
        "With fewer than three wells in a group, differences describe these movies "
        "only. "
        if few
        else ""
    )
    return f"{unit}{caution}{counts or 'No cells.'}"


def _wells(record: dict[str, Any]) -> str:
    """Wells and donors, where these are not simply the movies."""
    wells, donors = record["n_wells"], record["n_donors"]
    said = f" of {wells} well(s)" if wells != record["n_movies"] else ""
    return f"{said} of {donors} donor(s)" if donors else said
