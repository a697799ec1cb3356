"""Survival of all movies of an experiment, by movie and by condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import SURVIVAL
from cyto_kedro.methods.killing.cohorts import (
    Design,
    Group,
    as_subjects,
    controls,
    make_groups,
    pool_cells,
    sheet_column,
)
from cyto_kedro.methods.killing.death import DEAD_AT_ENTRY
from cyto_kedro.methods.killing.groups import (
    bootstrap_survival,
    log_rank,
    movie_permutation_test,
    restricted_means,
)
from cyto_kedro.methods.killing.survival import (
    Subjects,
    kaplan_meier,
    median_survival,
    restricted_mean,
    specific_lysis,
    survival_at,
)


def compare_survival(
    deaths: Mapping[str, pd.DataFrame],
    conditions: pd.DataFrame,
    role: str,
    design: Design,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Survival of one target role in every movie and condition.

    Cells that were dead at entry, or whose signal was never known, are not at risk.

    Args:
        deaths: Table DEATHS of each movie.
        conditions: One row per movie: dataset, movie and the sheet's other columns.
        role: Target role.
        design: How the movies are compared.

    Returns:
        Table SURVIVAL, and the comparison as plain numbers, text and None:
        ``groups`` (one record each), ``test`` between conditions (or None),
        ``horizon_min`` and ``statement`` of the numbers at each level.
    """
    cells = pool_cells(deaths, conditions)
    watched = (cells["reason"] != DEAD_AT_ENTRY) & cells["peak_signal"].notna()
    subjects = as_subjects(cells)
    at_risk = watched.to_numpy() & (subjects.exit > subjects.entry)
    groups = make_groups(cells, subjects, at_risk, design)
    horizon = _horizon(groups, design)
    spontaneous = _control_survival(cells, subjects, at_risk, horizon, design)
    records = [
        _record(group, cells, subjects, at_risk, horizon, spontaneous, design)
        for group in groups
    ]
    table = pd.concat([_rows(g, role) for g in groups] or [SURVIVAL.empty()])
    summary = {
        "horizon_min": horizon,
        "groups": records,
        "test": _test(cells, subjects, at_risk, groups, design),
        "statement": _statement(records),
    }
    return SURVIVAL.conform(table.reset_index(drop=True)), _plain(summary)


def _horizon(groups: list[Group], design: Design) -> float:
    """The given end time, or the last one that every group reaches."""
    if design.horizon_min is not None:
        return design.horizon_min
    ends = [float(g.curve.time[-1]) for g in groups if len(g.curve.time)]
    return min(ends, default=float("nan"))


def _control_survival(
    cells: pd.DataFrame,
    subjects: Subjects,
    at_risk: np.ndarray,
    horizon: float,
    design: Design,
) -> float:
    """Survival at the horizon without effectors; NaN if no movie is a control."""
    control = controls(cells, design.control_column)
    return survival_at(kaplan_meier(subjects[control & at_risk]), horizon)


def _record(
    group: Group,
    cells: pd.DataFrame,
    subjects: Subjects,
    at_risk: np.ndarray,
    horizon: float,
    spontaneous: float,
    design: Design,
) -> dict[str, Any]:
    own = group.rows & at_risk
    by_movie = len(group.movies) > 1
    mean, error = restricted_mean(group.curve, horizon)
    low, high = float("nan"), float("nan")
    if np.isfinite(mean):
        names = cells.loc[own, "movie"]
        units = pd.factorize(names)[0] if by_movie else np.arange(int(own.sum()))
        times, curves = bootstrap_survival(
            subjects[own], units, design.n_bootstrap, design.seed
        )
        tail = (1 - design.confidence) / 2
        means = restricted_means(times, curves, horizon)
        low, high = np.quantile(means, [tail, 1 - tail])
    survival = survival_at(group.curve, horizon)
    reasons = cells.loc[group.rows, "reason"].value_counts()
    return {
        "group": group.name,
        "level": group.level,
        "movies": list(group.movies),
        "n_movies": len(group.movies),
        "n_cells": int(group.rows.sum()),
        "n_at_risk": int(own.sum()),
        "n_deaths": int(subjects.died[own].sum()),
        "reasons": {str(reason): int(n) for reason, n in reasons.items()},
        "survival_at_horizon": survival,
        "median_survival_min": median_survival(group.curve),
        "rmst_min": mean,
        "rmst_se_min": error,
        "rmst_low_min": low,
        "rmst_high_min": high,
        "rmst_resampled": "movies" if by_movie else "cells",
        "specific_lysis_percent": specific_lysis(survival, spontaneous),
    }


def _rows(group: Group, role: str) -> pd.DataFrame:
    curve = group.curve
    return pd.DataFrame(
        {
            "group": group.name,
            "level": group.level,
            "role": role,
            "time_min": curve.time,
            "n_at_risk": curve.at_risk,
            "n_deaths": curve.deaths,
            "n_censored": curve.censored,
            "survival": curve.survival,
            "ci_low": curve.ci_low,
            "ci_high": curve.ci_high,
        }
    )


def _test(
    cells: pd.DataFrame,
    subjects: Subjects,
    at_risk: np.ndarray,
    groups: list[Group],
    design: Design,
) -> dict[str, Any] | None:
    """Log-rank between the conditions; None without two conditions at risk."""
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
    movie = pd.factorize(cells["movie"])[0]
    first = np.unique(movie, return_index=True)[1]
    ranked = log_rank(subjects, code, strata)
    return {
        "groups": [group.name for group in compared],
        "statistic": ranked.statistic,
        "dof": ranked.dof,
        "p_cells": ranked.p_value,
        "p_movies": movie_permutation_test(
            subjects,
            movie,
            code[first],
            strata[first],
            design.n_permutations,
            design.seed,
        ),
        "n_movies": [len(group.movies) for group in compared],
        "observed_deaths": ranked.observed.tolist(),
        "expected_deaths": ranked.expected.tolist(),
        "stratified_by": design.stratify_by if by is not None else None,
    }


def _statement(records: list[dict[str, Any]]) -> str:
    """The numbers at each level, and what they allow to conclude."""
    conditions = [r for r in records if r["level"] != "movie"] or records
    counts = "; ".join(
        f"{r['group']}: {r['n_movies']} movie(s), {r['n_at_risk']} cells at risk, "
        f"{r['n_deaths']} deaths"
        for r in conditions
    )
    few = min((r["n_movies"] for r in conditions), default=0) < 3
    unit = "The unit of inference is the movie (well, donor), not the cell. "
    caution = (
        "With fewer than three movies in a group, differences describe these movies "
        "only. "
        if few
        else ""
    )
    return f"{unit}{caution}{counts or 'No cells.'}"


def _plain(value: Any) -> Any:
    """Python numbers, with None for what is undefined: fit for JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
