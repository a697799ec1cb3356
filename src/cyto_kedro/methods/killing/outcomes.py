"""One number per movie, well and donor for every outcome: the superplot's table."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import SUPERPLOT
from cyto_kedro.methods.killing.cohorts import (
    Design,
    Population,
    common_horizon,
    gather_population,
    make_groups,
)
from cyto_kedro.methods.killing.competing import aalen_johansen, causes
from cyto_kedro.methods.killing.ratio import count_at_start
from cyto_kedro.methods.killing.serial import gini
from cyto_kedro.methods.killing.survival import (
    kaplan_meier,
    restricted_mean,
    specific_lysis,
    survival_at,
)

#: The E:T ratio in the first frame: later on it is also a result of killing.
MEASURED_ET = "et_measured"


@dataclass(frozen=True)
class _Unit:
    """Movies whose cells are pooled into one row."""

    level: str
    name: str
    movies: list[str]
    facts: Mapping[Hashable, Any]


def survival_outcomes(
    deaths: Mapping[str, pd.DataFrame],
    conditions: pd.DataFrame,
    units: pd.DataFrame,
    role: str,
    design: Design,
) -> pd.DataFrame:
    """Survival, mean survival time, incidence of death and lysis, at one horizon.

    Lysis is against the effector-free movies of the same donor, or all of them if the
    donor has none.

    Args:
        deaths: Table DEATHS of the target role by movie.
        conditions: The experiment sheet.
        units: What it says of the movies (`sheet_units`).
        role: Target role.
        design: Horizon, competing reasons.

    Returns:
        Table SUPERPLOT.
    """
    pool = gather_population(deaths, conditions)
    groups = make_groups(pool.cells, pool.subjects, pool.at_risk, design)
    horizon = common_horizon(groups, design)
    cause = causes(pool, design.competing)
    rows = []
    for unit in _units(units, list(deaths)):
        own = pool.cells["movie"].isin(unit.movies).to_numpy() & pool.at_risk
        curve = kaplan_meier(pool.subjects[own], design.confidence)
        survival = survival_at(curve, horizon)
        values = {
            ("survival", ""): survival,
            ("rmst", "min"): restricted_mean(curve, horizon)[0],
            ("died_in_field", ""): _incidence(pool, own, cause, horizon, design),
        }
        if not unit.facts["control"]:
            spontaneous = _spontaneous(pool, units, unit, horizon)
            lysis = specific_lysis(survival, spontaneous)
            values[("specific_lysis", "%")] = lysis
        rows += _records(unit, role, None, values, int(own.sum()))
    return _table(rows)


def killing_outcomes(
    killers: Mapping[str, pd.DataFrame],
    effectors: Mapping[str, pd.DataFrame],
    targets: Mapping[str, pd.DataFrame],
    units: pd.DataFrame,
    effector: str,
    target: str,
    design: Design,
) -> pd.DataFrame:
    """Rates, shares of killers, inequality and E:T of movies with effectors.

    Args:
        killers: Table KILLERS by movie, effector role ``effector`` only.
        effectors: Table DEATHS of the effector role by movie.
        targets: Table DEATHS of the target role by movie.
        units: What the sheet says of the movies (`sheet_units`).
        effector: Effector role.
        target: Target role.
        design: Rule of credit.

    Returns:
        Table SUPERPLOT.
    """
    rows = []
    for unit in _units(units, [m for m in killers if len(killers[m])]):
        cells = pd.concat([killers[m] for m in unit.movies], ignore_index=True)
        kills = float(cells[f"kills_{design.credit}"].sum())
        counts = cells["kills_nearest"].to_numpy(np.float64)
        n_effectors, n_targets = (
            sum(count_at_start(by[m]) for m in unit.movies if m in by)
            for by in (effectors, targets)
        )
        values = {
            ("kills_per_effector_hour", "1/h"): _per_hour(kills, cells["observed_min"]),
            ("kills_per_contact_hour", "1/h"): _per_hour(kills, cells["contact_min"]),
            ("killer_fraction", ""): float((counts > 0).mean()),
            ("serial_fraction", ""): float(cells["serial"].mean()),
            ("gini", ""): float(gini(counts)),
            (MEASURED_ET, ""): n_effectors / n_targets if n_targets else np.nan,
        }
        rows += _records(unit, target, effector, values, len(cells))
    return _table(rows)


def _units(units: pd.DataFrame, movies: list[str]) -> Iterator[_Unit]:
    """Movies, wells, and donors in each condition."""
    own = units.loc[[m for m in movies if m in units.index]]
    for movie, row in own.iterrows():
        yield _Unit("movie", str(movie), [str(movie)], row.to_dict())
    for well, part in own.groupby("well", sort=False):
        yield _Unit("well", str(well), list(part.index), part.iloc[0].to_dict())
    named = own[own["donor"].notna()]
    keys = [named["donor"], named["group"].fillna(""), named["control"]]
    for (donor, _, _), part in named.groupby(keys, sort=False):
        facts = part.iloc[0].to_dict() | {"well": None}
        if part["et"].nunique(dropna=False) > 1:
            facts["et"] = np.nan
        yield _Unit("donor", str(donor), list(part.index), facts)


def _incidence(
    pool: Population, own: np.ndarray, cause: np.ndarray, horizon: float, design: Design
) -> float:
    n_causes = 1 + len(design.competing)
    found = aalen_johansen(pool.subjects[own], cause[own], n_causes, design.confidence)
    if not len(found.time) or found.time[-1] < horizon or np.isnan(horizon):
        return float("nan")
    return float(np.r_[0.0, found.incidence[0]][np.sum(found.time <= horizon)])


def _spontaneous(
    pool: Population, units: pd.DataFrame, unit: _Unit, horizon: float
) -> float:
    control = units[units["control"]]
    same = control[control["donor"] == unit.facts["donor"]]
    chosen = same if len(same) else control
    rows = pool.cells["movie"].isin(chosen.index).to_numpy() & pool.at_risk
    return survival_at(kaplan_meier(pool.subjects[rows]), horizon)


def _per_hour(kills: float, minutes: pd.Series) -> float:
    hours = float(minutes.sum()) / 60
    return kills / hours if hours > 0 else float("nan")


def _records(
    unit: _Unit,
    role: str,
    effector: str | None,
    values: Mapping[tuple[str, str], float],
    n_cells: int,
) -> list[dict[str, object]]:
    facts = unit.facts
    key = {
        "level": unit.level,
        "name": unit.name,
        "group": facts["group"],
        "donor": facts["donor"],
        "well": facts["well"],
        "control": facts["control"],
        "et_sheet": facts["et"],
        "role": role,
        "effector": effector,
        "n_cells": n_cells,
    }
    return [
        key | {"outcome": outcome, "unit": measured_in, "value": value}
        for (outcome, measured_in), value in values.items()
    ]


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    return SUPERPLOT.conform(pd.DataFrame(rows)) if rows else SUPERPLOT.empty()
