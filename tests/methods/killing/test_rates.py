"""Rates with known kills and hours; bounds against scipy and against known rates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from cyto_kedro.core.schemas import RATES
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.rates import (
    RULES,
    poisson_bounds,
    pool_killers,
    pooled_rates,
    rate_table,
)
from cyto_kedro.methods.killing.units import movie_groups, sheet_units
from methods.killing.experiments import killers, sheet

DESIGN = Design("condition", "control", None, 0.95, None, 500, 99, 1)


def _rates(tables, plan, design=DESIGN):
    units = sheet_units(plan, design)
    groups = movie_groups(units, list(tables), design)
    table = rate_table(tables, groups, units, "tcell", "cancer", design)
    return RATES.validate(table).set_index(["group", "rule"])


@pytest.mark.parametrize("count", [0, 1, 7, 150])
def test_poisson_bounds_are_those_of_chi_squared(count):
    low, high = poisson_bounds(count, 0.95)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 if count else 0.0)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2)


def test_rates_are_kills_per_hour_in_view_and_in_contact():
    plan = sheet({"car": 1})
    table = _rates({"car_0_0_0": killers([2, 0, 1], 120.0, 20.0)}, plan)
    row = table.loc["car_0_0_0", "shared"]
    assert row["kills"] == 3 and row["n_effectors"] == 3
    assert row["effector_hours"] == pytest.approx(6.0)
    assert row["contact_hours"] == pytest.approx(1.0)
    assert row["kills_per_effector_hour"] == pytest.approx(0.5)
    assert row["kills_per_contact_hour"] == pytest.approx(3.0)
    low, high = poisson_bounds(3, 0.95)
    assert row["effector_hour_low"] == pytest.approx(low / 6)
    assert row["contact_hour_high"] == pytest.approx(high)
    assert row["interval"] == "poisson"
    assert set(table.loc["car_0_0_0"].index) == set(RULES)


def test_wells_pool_their_kills_and_hours_and_not_their_rates():
    plan = sheet({"car": 2})
    busy, idle = killers([4] * 5, 60.0), killers([0], 600.0)
    table = _rates({"car_0_0_0": busy, "car_0_1_0": idle}, plan)
    row = table.loc["car", "nearest"]
    assert row["n_wells"] == 2 and row["interval"] == "wells"
    assert row["n_donors"] == 1
    assert row["kills_per_effector_hour"] == pytest.approx(20 / 15)


def test_fields_of_one_well_are_one_well():
    plan = sheet({"car": 1}, fields=3)
    table = _rates({m: killers([1, 2]) for m in plan["movie"]}, plan)
    row = table.loc["car", "hazard"]
    assert (row["n_movies"], row["n_wells"], row["interval"]) == (3, 1, "poisson")


@pytest.mark.parametrize(("spread", "least"), [(0.0, 0.93), (0.6, 0.85)])
def test_bounds_hold_the_rate_whether_or_not_wells_differ(spread, least):
    random = np.random.default_rng(3)
    minutes = np.full((4, 2), 30 * 120.0)
    held, counted = [], []
    for _ in range(200):
        wells = random.gamma(1 / spread**2, spread**2, 4) if spread else np.ones(4)
        kills = random.poisson(30 * 2 * 0.5 * wells)
        per_well = np.column_stack([kills, kills, kills, minutes])
        row = pooled_rates(per_well, np.zeros(4, int), DESIGN).iloc[0]
        held.append(row["effector_hour_low"] <= 0.5 <= row["effector_hour_high"])
        low, high = np.array(poisson_bounds(kills.sum(), 0.95)) / (4 * 60)
        counted.append(low <= 0.5 <= high)
    assert np.mean(held) >= least
    # Counting alone is right of equal wells, far too sure of wells that differ.
    assert np.mean(counted) < 0.5 if spread else np.mean(counted) > 0.93


def test_two_wells_that_agree_by_luck_are_still_counted():
    plan = sheet({"car": 2})
    table = _rates({m: killers([1, 0]) for m in plan["movie"]}, plan)
    row = table.loc["car", "shared"]
    low, high = poisson_bounds(2, 0.95)
    assert row["effector_hour_low"] == pytest.approx(low / 8)
    assert row["effector_hour_high"] == pytest.approx(high / 8)


def test_without_contact_there_is_no_rate_per_contact_hour():
    plan = sheet({"car": 1})
    row = _rates({"car_0_0_0": killers([0, 0], 60.0, 0.0)}, plan).iloc[0]
    assert row["kills_per_effector_hour"] == 0 and row["effector_hour_high"] > 0
    assert np.isnan(row["kills_per_contact_hour"])
    assert np.isnan(row["contact_hour_high"])


def test_movies_without_effectors_have_no_rows():
    plan = sheet({"car": 1, "alone": 1})
    tables = {"car_0_0_0": killers([1]), "alone_0_0_0": killers([])}
    assert set(_rates(tables, plan).reset_index()["group"]) == {"car_0_0_0", "car"}
    empty = {m: killers([]) for m in tables}
    assert _rates(empty, plan).empty


def test_effector_roles_are_kept_apart():
    both = killers([1, 2, 3])
    both["effector"] = ["nk", "tcell", "nk"]
    assert pool_killers({"m": both}, "nk")["m"]["kills_nearest"].tolist() == [1, 3]
