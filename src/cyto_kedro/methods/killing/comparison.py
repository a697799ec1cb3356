"""Survival of all movies of an experiment, by movie and by condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import SURVIVAL
from cyto_kedro.methods.killing.bands import simultaneous_band
from cyto_kedro.methods.killing.cohorts import (
    Design,
    Group,
    Population,
    common_horizon,
    controls,
    gather_population,
    make_groups,
)
from cyto_kedro.methods.killing.conditions import compare_conditions, statement
from cyto_kedro.methods.killing.groups import (
    bootstrap_survival,
    curves_at,
    restricted_means,
)
from cyto_kedro.methods.killing.resampling import (
    degrees_of_freedom,
    widened_interval,
)
from cyto_kedro.methods.killing.survival import (
    Subjects,
    kaplan_meier,
    median_survival,
    restricted_mean,
    specific_lysis,
    survival_at,
)
from cyto_kedro.methods.killing.units import clusters, sheet_units


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
    population = gather_population(deaths, conditions)
    cells, subjects = population.cells, population.subjects
    at_risk = population.at_risk
    groups = make_groups(cells, subjects, at_risk, design)
    units = sheet_units(conditions, design)
    horizon = common_horizon(groups, design)
    spontaneous = _control_survival(cells, subjects, at_risk, horizon, design)
    records, tables = [], [SURVIVAL.empty()]
    for group in groups:
        spread = _resample(group, population, units, design)
        records.append(
            _record(group, population, units, spread, horizon, spontaneous, design)
        )
        tables.append(_rows(group, spread, role, design))
    # An empty table would take part in finding the dtypes.
    table = pd.concat(tables[1:] or tables)
    summary = {
        "horizon_min": horizon,
        "groups": records,
        "test": compare_conditions(population, groups, units, design),
        "statement": statement(records),
    }
    return SURVIVAL.conform(table.reset_index(drop=True)), _plain(summary)


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


@dataclass(frozen=True)
class _Spread:
    """Resampled curves of one group, from its wells if it has several."""

    by_well: bool
    times: np.ndarray
    curves: np.ndarray
    dof: int


def _resample(
    group: Group,
    population: Population,
    units: pd.DataFrame,
    design: Design,
) -> _Spread:
    own = group.rows & population.at_risk
    movie, names = pd.factorize(population.cells.loc[own, "movie"])
    well, donor = clusters(units, list(names))
    by_well = len(donor) > 1
    cluster = well[movie] if by_well else np.arange(int(own.sum()))
    strata = donor if by_well else np.zeros(len(cluster), np.int64)
    times, curves = bootstrap_survival(
        population.subjects[own], cluster, design.n_bootstrap, design.seed, strata
    )
    return _Spread(by_well, times, curves, degrees_of_freedom(strata))


def _record(
    group: Group,
    population: Population,
    units: pd.DataFrame,
    spread: _Spread,
    horizon: float,
    spontaneous: float,
    design: Design,
) -> dict[str, Any]:
    own = group.rows & population.at_risk
    named = units.reindex(list(group.movies))
    mean, error = restricted_mean(group.curve, horizon)
    low = high = np.asarray(np.nan)
    if np.isfinite(mean):
        means = restricted_means(spread.times, spread.curves, horizon)
        low, high = widened_interval(
            np.asarray(mean), means, spread.dof, design.confidence, (0.0, horizon)
        )
    survival = survival_at(group.curve, horizon)
    reasons = population.cells.loc[group.rows, "reason"].value_counts()
    return {
        "group": group.name,
        "level": group.level,
        "movies": list(group.movies),
        "n_movies": len(group.movies),
        "n_wells": int(named["well"].nunique()),
        "n_donors": int(named["donor"].nunique()),
        "n_cells": int(group.rows.sum()),
        "n_at_risk": int(own.sum()),
        "n_deaths": int(population.subjects.died[own].sum()),
        "reasons": {str(reason): int(n) for reason, n in reasons.items()},
        "survival_at_horizon": survival,
        "median_survival_min": median_survival(group.curve),
        "rmst_min": mean,
        "rmst_se_min": error,
        "rmst_low_min": float(low),
        "rmst_high_min": float(high),
        "rmst_resampled": "wells" if spread.by_well else "cells",
        "specific_lysis_percent": specific_lysis(survival, spontaneous),
    }


def _rows(group: Group, spread: _Spread, role: str, design: Design) -> pd.DataFrame:
    curve = group.curve
    band = simultaneous_band(curve, design.confidence, design.band)
    wells = np.full(len(curve.time), np.nan), np.full(len(curve.time), np.nan)
    if spread.by_well and len(curve.time):
        draws = curves_at(spread.times, spread.curves, curve.time)
        wells = widened_interval(
            curve.survival, draws, spread.dof, design.confidence, (0.0, 1.0)
        )
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
            "band_low": band[0],
            "band_high": band[1],
            "wells_low": wells[0],
            "wells_high": wells[1],
        }
    )


def _plain(value: Any) -> Any:
    """Python numbers, with None for what is undefined: fit for JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
