"""Nodes that compare the movies of an experiment: rates, wells and donors."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.schemas import SUPERPLOT
from cyto_kedro.methods.killing.cohorts import (
    Design,
    gather_population,
    make_groups,
)
from cyto_kedro.methods.killing.comparison import compare_survival
from cyto_kedro.methods.killing.competing import competing_table
from cyto_kedro.methods.killing.contrasts import comparison_table
from cyto_kedro.methods.killing.et_dependence import et_dependence
from cyto_kedro.methods.killing.lysis import lysis_table
from cyto_kedro.methods.killing.outcomes import killing_outcomes, survival_outcomes
from cyto_kedro.methods.killing.rates import pool_killers, rate_table
from cyto_kedro.methods.killing.ratio import ratio_table
from cyto_kedro.methods.killing.serial import serial_tables
from cyto_kedro.methods.killing.units import movie_groups, sheet_units
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.killing.survival_params import SurvivalParams

logger = logging.getLogger(__name__)

ByMovie = dict[str, pd.DataFrame]


def compare_movies(
    conditions: pd.DataFrame,
    options: KillingParams,
    *deaths: dict[str, pd.DataFrame],
    targets: tuple[str, ...],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Survival of the targets by movie and condition, and how conditions differ.

    Args:
        conditions: The experiment sheet: dataset, movie and condition columns.
        options: Grouping column, control flag, intervals.
        deaths: For each target role: table DEATHS of every movie.
        targets: Target roles in the order of ``deaths``.

    Returns:
        Table SURVIVAL; and ``{"group_by", "notes", "roles": {role: comparison}}`` of
        plain values.
    """
    chosen: SurvivalParams = options.survival
    notes = _missing_columns(conditions, chosen)
    for note in notes:
        logger.warning(note)
    design = Design(**chosen.model_dump())
    tables, roles = [], {}
    for role, by_movie in zip(targets, deaths, strict=True):
        table, roles[role] = compare_survival(by_movie, conditions, role, design)
        tables.append(table)
    comparison = {"group_by": chosen.group_by, "notes": notes, "roles": roles}
    return pd.concat(tables, ignore_index=True), comparison


def _missing_columns(conditions: pd.DataFrame, chosen: SurvivalParams) -> list[str]:
    """What cannot be compared because the sheet has no such column.

    A sheet without conditions is fine, and then a default names no column. A
    stratum that was asked for and is missing would change the meaning of the test.
    """
    known = ", ".join(map(str, conditions.columns))
    if chosen.stratify_by is not None and chosen.stratify_by not in conditions:
        raise ConfigError(
            f"The experiment sheet has no column '{chosen.stratify_by}'",
            where="killing.survival.stratify_by",
            fix=f"name one of: {known}",
        )
    effects = {
        chosen.group_by: "movies are shown one by one, conditions are not compared",
        chosen.control_column: "no specific lysis",
    }
    return [
        f"The sheet has no column '{column}': {effect} (columns: {known})"
        for column, effect in effects.items()
        if column is not None and column not in conditions
    ]


def leave_or_die(
    conditions: pd.DataFrame,
    options: KillingParams,
    *deaths: ByMovie,
    targets: tuple[str, ...],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Death beside leaving, and what effectors add to spontaneous death.

    Args:
        conditions: The experiment sheet.
        options: Columns of the sheet, intervals.
        deaths: For each target role: table DEATHS of every movie.
        targets: Target roles in the order of ``deaths``.

    Returns:
        Tables COMPETING_RISKS and LYSIS.
    """
    design = Design(**options.survival.model_dump())
    units = sheet_units(conditions, design)
    incidence, lysis = [], []
    for role, by_movie in zip(targets, deaths, strict=True):
        pool = gather_population(by_movie, conditions)
        groups = make_groups(pool.cells, pool.subjects, pool.at_risk, design)
        incidence.append(
            competing_table(pool, groups, role, design.competing, design.confidence)
        )
        lysis.append(lysis_table(pool, groups, units, role, design))
    return _joined(incidence), _joined(lysis)


def rate_killing(
    conditions: pd.DataFrame,
    options: KillingParams,
    *tables: ByMovie,
    targets: tuple[str, ...],
    effectors: tuple[str, ...],
) -> tuple[pd.DataFrame, ...]:
    """Kills per hour, how unevenly they are spread, and E:T over time.

    Args:
        conditions: The experiment sheet.
        options: Columns of the sheet, intervals.
        tables: DEATHS of every movie for each target role, then for each effector
            role; then KILLERS of every movie for each target role.
        targets: Target roles.
        effectors: Effector roles.

    Returns:
        Tables RATES, SERIAL_KILLING, KILL_DISTRIBUTION, FIRST_KILL and ET_RATIO.
    """
    design = Design(**options.survival.model_dump())
    units = sheet_units(conditions, design)
    deaths, killers = _by_role(tables, targets, effectors)
    serial_kills = options.attribution.serial_kills
    rates, serial, ratios = [], [], []
    for target in targets:
        for effector in effectors:
            own = pool_killers(killers[target], effector)
            groups = movie_groups(units, list(own), design)
            rates.append(rate_table(own, groups, units, effector, target, design))
            serial.append(
                serial_tables(
                    own, groups, units, effector, target, serial_kills, design
                )
            )
            ratios.append(
                ratio_table(deaths[effector], deaths[target], effector, target)
            )
    return (
        _joined(rates),
        _joined([table.summary for table in serial]),
        _joined([table.distribution for table in serial]),
        _joined([table.first_kill for table in serial]),
        _joined(ratios),
    )


def compare_groups(
    conditions: pd.DataFrame,
    options: KillingParams,
    *tables: ByMovie,
    targets: tuple[str, ...],
    effectors: tuple[str, ...],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Outcomes of each movie, well and donor, and how the conditions differ.

    Args:
        conditions: The experiment sheet.
        options: Columns of the sheet, unit of inference, corrections.
        tables: As in `rate_killing`; without effectors only DEATHS of the targets.
        targets: Target roles.
        effectors: Effector roles.

    Returns:
        Tables SUPERPLOT, COMPARISONS and ET_DEPENDENCE.
    """
    design = Design(**options.survival.model_dump())
    units = sheet_units(conditions, design)
    deaths, killers = _by_role(tables, targets, effectors)
    parts = []
    for target in targets:
        of_target = deaths[target]
        parts.append(survival_outcomes(of_target, conditions, units, target, design))
        for effector in effectors:
            own = pool_killers(killers[target], effector)
            pair = (deaths[effector], of_target, units, effector, target, design)
            parts.append(killing_outcomes(own, *pair))
    superplot = SUPERPLOT.conform(_joined(parts))
    return (
        superplot,
        comparison_table(superplot, design),
        et_dependence(superplot, design),
    )


def _by_role(
    tables: tuple[ByMovie, ...], targets: tuple[str, ...], effectors: tuple[str, ...]
) -> tuple[dict[str, ByMovie], dict[str, ByMovie]]:
    """DEATHS of all roles and KILLERS of the targets, by role."""
    roles = (*targets, *effectors)
    deaths = dict(zip(roles, tables[: len(roles)], strict=True))
    rest = tables[len(roles) :]
    return deaths, dict(zip(targets if rest else (), rest, strict=True))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows; empty tables would take part in finding the dtypes."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]
