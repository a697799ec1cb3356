"""Specific lysis and excess killing over time, against wells without effectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import LYSIS
from cyto_kedro.methods.killing.cohorts import Design, Group, Population
from cyto_kedro.methods.killing.groups import bootstrap_survival, curves_at
from cyto_kedro.methods.killing.resampling import (
    degrees_of_freedom,
    widened_interval,
)
from cyto_kedro.methods.killing.survival import Curve, kaplan_meier
from cyto_kedro.methods.killing.units import clusters


@dataclass(frozen=True)
class _Arm:
    """One side of the comparison, with resampled curves."""

    curve: Curve
    times: np.ndarray
    draws: np.ndarray
    dof: int
    n_wells: int


def lysis_table(
    population: Population,
    groups: list[Group],
    units: pd.DataFrame,
    role: str,
    design: Design,
) -> pd.DataFrame:
    """Lysis of every movie and condition with effectors; empty without controls.

    ``100 (D_test - D_spont) / (1 - D_spont)`` at each time up to the last that both
    sides reach. Wells are resampled within donors, on both sides independently; of a
    single well, cells are resampled, which says nothing about other wells.

    Args:
        population: Cells of one target role.
        groups: Movies and conditions.
        units: What the sheet says of the movies.
        role: Target role.
        design: Controls, confidence, number of resamples.

    Returns:
        Table LYSIS.
    """
    flags = units["control"]
    control_movies = [m for m in flags.index if flags[m]]
    in_control = population.cells["movie"].isin(control_movies).to_numpy()
    control = _arm(population, in_control, units, design, design.seed)
    tables = [LYSIS.empty()]
    for group in groups:
        if all(flags[m] for m in group.movies) or not len(control.curve.time):
            continue
        # Movies without effectors are no part of the effect.
        rows = group.rows & ~in_control
        test = _arm(population, rows, units, design, design.seed + 1)
        if len(test.curve.time):
            tables.append(_compare(group, role, test, control, design.confidence))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _arm(
    population: Population,
    rows: np.ndarray,
    units: pd.DataFrame,
    design: Design,
    seed: int,
) -> _Arm:
    own = rows & population.at_risk
    subjects = population.subjects[own]
    movie, names = pd.factorize(population.cells.loc[own, "movie"])
    well, donor = clusters(units, list(names))
    several = len(donor) > 1
    cluster = well[movie] if several else np.arange(len(subjects))
    strata = donor if several else np.zeros(len(cluster), np.int64)
    times, draws = bootstrap_survival(
        subjects, cluster, design.n_bootstrap, seed, strata
    )
    curve = kaplan_meier(subjects, design.confidence)
    return _Arm(curve, times, draws, degrees_of_freedom(strata), len(donor))


def _compare(
    group: Group, role: str, test: _Arm, control: _Arm, confidence: float
) -> pd.DataFrame:
    end = min(test.curve.time[-1], control.curve.time[-1])
    time = np.union1d(test.curve.time, control.curve.time)
    time = time[time <= end]
    s = _steps(test.curve, time)
    c = _steps(control.curve, time)
    draws_s = curves_at(test.times, test.draws, time)
    draws_c = curves_at(control.times, control.draws, time)
    # The side with fewer wells decides how far the spread can be trusted.
    dof = min(test.dof, control.dof)
    lysis = 100 * _share_lost(s, c)
    lysis_low, lysis_high = widened_interval(
        lysis, 100 * _share_lost(draws_s, draws_c), dof, confidence, (-np.inf, 100.0)
    )
    low, high = widened_interval(c - s, draws_c - draws_s, dof, confidence, (-1, 1))
    single = min(test.n_wells, control.n_wells) < 2
    table = pd.DataFrame(
        {
            "group": group.name,
            "level": group.level,
            "role": role,
            "time_min": time,
            "survival": s,
            "survival_control": c,
            "lysis_percent": lysis,
            "lysis_low_percent": lysis_low,
            "lysis_high_percent": lysis_high,
            "excess_killed": c - s,
            "excess_low": low,
            "excess_high": high,
            "n_wells": test.n_wells,
            "n_control_wells": control.n_wells,
            "resampled": "cells of single wells" if single else "wells",
        }
    )
    return LYSIS.conform(table)


def _steps(curve: Curve, time: np.ndarray) -> np.ndarray:
    return curves_at(curve.time, curve.survival[None], time)[0]


def _share_lost(survival: np.ndarray, control: np.ndarray) -> np.ndarray:
    """1 - S / S_control; NaN where no control cell is left alive."""
    lost = np.full(np.broadcast_shapes(survival.shape, control.shape), np.nan)
    np.divide(control - survival, control, out=lost, where=control > 0)
    return lost
