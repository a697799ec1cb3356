"""Specific lysis over time with wells that are known to differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import LYSIS
from cyto_kedro.methods.killing.cohorts import Design, gather_population, make_groups
from cyto_kedro.methods.killing.lysis import lysis_table
from cyto_kedro.methods.killing.units import sheet_units
from methods.killing.experiments import END_MIN, cells, sheet

DESIGN = Design("condition", "control", None, 0.95, None, 300, 99, 1)


def _lysis(deaths, plan, design=DESIGN, only=None) -> pd.DataFrame:
    pool = gather_population(deaths, plan)
    groups = make_groups(pool.cells, pool.subjects, pool.at_risk, design)
    groups = [g for g in groups if only in (None, g.name)]
    units = sheet_units(plan, design)
    return LYSIS.validate(lysis_table(pool, groups, units, "cancer", design))


def _play(seed, plan, hazard, n=80, spread=0.0) -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(seed)
    return {
        m: cells(random, n, hazard[c] * np.exp(random.normal(0, spread)))
        for m, c in zip(plan["movie"], plan["condition"], strict=True)
    }


def test_lysis_is_the_share_of_survivors_that_effectors_cost():
    plan = sheet({"car": 3, "alone": 3})
    table = _lysis(_play(0, plan, {"car": 0.4, "alone": 0.1}, n=400), plan)
    last = table[table["group"] == "car"].iloc[-1]
    assert last["time_min"] == pytest.approx(END_MIN)
    s, c = last["survival"], last["survival_control"]
    assert last["lysis_percent"] == pytest.approx(100 * (1 - s / c))
    assert last["excess_killed"] == pytest.approx(c - s)
    hours = END_MIN / 60
    expected = 100 * (1 - np.exp(-0.3 * hours))
    assert last["lysis_percent"] == pytest.approx(expected, abs=4)
    assert last["lysis_low_percent"] < expected < last["lysis_high_percent"]
    assert (last["n_wells"], last["n_control_wells"]) == (3, 3)
    assert last["resampled"] == "wells"


def test_controls_have_no_lysis_of_their_own_and_without_controls_there_is_none():
    plan = sheet({"car": 2, "alone": 2})
    deaths = _play(1, plan, {"car": 0.4, "alone": 0.1})
    table = _lysis(deaths, plan)
    assert set(table["group"]) == {"car", "car_0_0_0", "car_0_1_0"}
    assert _lysis(deaths, plan.assign(control=False)).empty
    none = {m: cells(np.random.default_rng(0), 0, 1.0) for m in plan["movie"]}
    assert _lysis(none, plan).empty


def test_single_wells_say_that_only_cells_were_resampled():
    plan = sheet({"car": 1, "alone": 1}, fields=2)
    table = _lysis(_play(2, plan, {"car": 0.4, "alone": 0.1}), plan)
    assert set(table["resampled"]) == {"cells of single wells"}
    last = table[table["group"] == "car"].iloc[-1]
    assert last["n_wells"] == 1
    assert last["lysis_low_percent"] < last["lysis_percent"] < 100


def test_bounds_hold_the_truth_where_wells_differ():
    plan = sheet({"car": 5, "alone": 5})
    held = []
    for seed in range(40):
        deaths = _play(seed, plan, {"car": 0.25, "alone": 0.1}, n=40, spread=0.3)
        table = _lysis(deaths, plan, only="car")
        row = table[table["group"] == "car"].iloc[-1]
        # The mean survival over wells whose hazards vary log-normally.
        z = np.random.default_rng(0).normal(0, 0.3, 20_000)
        hours = END_MIN / 60
        s, c = (np.exp(-h * np.exp(z) * hours).mean() for h in (0.25, 0.1))
        held.append(row["lysis_low_percent"] <= 100 * (1 - s / c))
        held[-1] &= row["lysis_high_percent"] >= 100 * (1 - s / c)
    assert np.mean(held) >= 0.85


def test_more_deaths_without_effectors_are_negative_lysis():
    plan = sheet({"car": 2, "alone": 2})
    table = _lysis(_play(3, plan, {"car": 0.05, "alone": 0.4}), plan)
    assert table[table["group"] == "car"]["lysis_percent"].iloc[-1] < -20


def test_effector_free_movies_of_a_condition_are_no_part_of_its_effect():
    plan = sheet({"car": 2, "alone": 2}).assign(condition="drug")
    random = np.random.default_rng(5)
    hazard = np.where(plan["control"], 0.02, 0.5)
    movies = zip(plan["movie"], hazard, strict=True)
    table = _lysis({m: cells(random, 300, h) for m, h in movies}, plan, only="drug")
    last = table.iloc[-1]
    assert last["n_wells"] == 2
    assert last["survival"] == pytest.approx(np.exp(-0.5 * END_MIN / 60), abs=0.05)


def test_controls_that_differ_make_lysis_uncertain():
    plan = sheet({"car": 3, "alone": 3})
    random = np.random.default_rng(6)
    same = cells(random, 300, 0.4)
    hazard = dict(zip(plan["movie"][3:], (0.02, 0.1, 0.3), strict=True))
    cars = dict.fromkeys(plan["movie"][:3], same)
    differ = cars | {m: cells(random, 300, h) for m, h in hazard.items()}
    alike = cars | dict.fromkeys(hazard, cells(random, 300, 0.1))
    wide, narrow = (_lysis(d, plan, only="car").iloc[-1] for d in (differ, alike))
    assert wide["lysis_high_percent"] - wide["lysis_low_percent"] > 20
    assert wide["excess_high"] - wide["excess_low"] > 0.1
    # Wells that are copies of each other leave nothing to resample.
    width = narrow["lysis_high_percent"] - narrow["lysis_low_percent"]
    assert width == pytest.approx(0.0, abs=1e-4)
