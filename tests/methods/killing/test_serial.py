"""Inequality of kills by hand, by brute force and against equal effectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from cyto_kedro.core.schemas import FIRST_KILL, KILL_DISTRIBUTION, SERIAL_KILLING
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.serial import equal_effectors, gini, serial_tables
from cyto_kedro.methods.killing.units import movie_groups, sheet_units
from methods.killing.experiments import killers, sheet

DESIGN = Design("condition", "control", None, 0.95, None, 400, 99, 1)


def _tables(tables, plan):
    units = sheet_units(plan, DESIGN)
    groups = movie_groups(units, list(tables), DESIGN)
    found = serial_tables(tables, groups, units, "tcell", "cancer", 2, DESIGN)
    SERIAL_KILLING.validate(found.summary)
    KILL_DISTRIBUTION.validate(found.distribution)
    FIRST_KILL.validate(found.first_kill)
    return found


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=15), st.randoms())
def test_gini_is_the_mean_difference_of_all_pairs(kills, shuffler):
    x = np.array(kills)
    found = gini(x)
    if not x.sum():
        assert np.isnan(found)
        return
    brute = np.abs(x[:, None] - x).mean() / (2 * x.mean())
    assert found == pytest.approx(brute)
    shuffler.shuffle(kills)
    assert gini(np.array(kills)) == pytest.approx(found)
    assert gini(3 * x) == pytest.approx(found)
    assert gini(np.repeat(x, 2)) == pytest.approx(found)


def test_gini_of_one_killer_and_of_equals():
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    assert gini(np.full(6, 2)) == pytest.approx(0.0)


def test_equal_effectors_kill_in_proportion_to_their_time_within_their_movie():
    kills = np.array([3, 0, 0, 9, 0])
    weight, movie = np.array([1.0, 1.0, 2.0, 1.0, 3.0]), np.array([0, 0, 0, 1, 1])
    drawn = equal_effectors(kills, weight, movie, 20_000, np.random.default_rng(1))
    assert (drawn[:, :3].sum(axis=1) == 3).all() and (
        drawn[:, 3:].sum(axis=1) == 9
    ).all()
    expected = [0.75, 0.75, 1.5, 2.25, 6.75]
    np.testing.assert_allclose(drawn.mean(axis=0), expected, rtol=0.03)


def test_equal_effectors_look_equal_and_serial_killers_stand_out():
    random = np.random.default_rng(1)
    plan = sheet({"car": 1})
    p_equal = []
    for _ in range(150):
        kills = random.poisson(0.7, 60)
        drawn = equal_effectors(kills, np.ones(60), np.zeros(60, int), 200, random)
        p_equal.append((gini(drawn) >= gini(kills) - 1e-12).mean())
    # The p-value of equal effectors is spread over 0 to 1.
    assert np.mean(np.array(p_equal) <= 0.1) <= 0.17
    assert 0.4 < np.mean(p_equal) < 0.65
    few = np.where(np.arange(60) < 8, random.poisson(5, 60), 0)
    row = _tables({"car_0_0_0": killers(few)}, plan).summary.iloc[0]
    assert row["gini_p"] < 0.01 and row["serial_p"] > 0.5
    assert row["gini"] > row["gini_expected"] + 0.2
    # Few kill at all: there are fewer serial killers than if all were equal.
    assert row["serial_fraction"] < row["serial_expected"]


def test_both_tests_of_all_movies_are_corrected_together_and_every_n_is_told():
    random = np.random.default_rng(5)
    plan = sheet({"car": 2, "mock": 2}, donors=2)
    tables = {m: killers(random.poisson(1.0, 20)) for m in plan["movie"]}
    summary = _tables(tables, plan).summary
    for _, part in summary.groupby("level"):
        p = part[["serial_p", "gini_p"]].to_numpy().ravel()
        # Holm: the k-th smallest of m times m - k, never below the one before.
        order = np.argsort(p)
        expected = np.empty(len(p))
        most = 0.0
        for rank, index in enumerate(order):
            most = max(most, min(1.0, p[index] * (len(p) - rank)))
            expected[index] = most
        ours = part[["serial_p_holm", "gini_p_holm"]].to_numpy().ravel()
        np.testing.assert_allclose(ours, expected)
        assert (part["n_tests"] == 2 * len(part)).all()
    row = summary.set_index("group").loc["car"]
    assert (row["n_movies"], row["n_wells"], row["n_donors"]) == (4, 4, 2)


def test_a_movie_with_more_kills_makes_no_effector_unequal():
    plan = sheet({"car": 2})
    random = np.random.default_rng(2)
    tables = {
        "car_0_0_0": killers(random.poisson(4.0, 50)),
        "car_0_1_0": killers(random.poisson(0.2, 50)),
    }
    summary = _tables(tables, plan).summary.set_index("group")
    assert summary.loc["car", "gini_p"] > 0.05
    assert summary.loc["car", "gini"] > summary.loc["car_0_0_0", "gini"] + 0.2


def test_the_distribution_counts_effectors_and_its_lorenz_curve_gives_the_gini():
    kills = np.array([0, 0, 0, 1, 1, 4])
    found = _tables({"car_0_0_0": killers(kills)}, sheet({"car": 1}))
    table = found.distribution[found.distribution["group"] == "car"]
    table = table.set_index("kills")
    assert table.loc[[0, 1, 2, 4], "n_effectors"].tolist() == [3, 2, 0, 1]
    assert table["expected"].sum() == pytest.approx(6)
    assert table["effector_share"].iloc[-1] == table["kill_share"].iloc[-1] == 1
    x, y = np.r_[0, table["effector_share"]], np.r_[0, table["kill_share"]]
    area = ((y[1:] + y[:-1]) / 2 * np.diff(x)).sum()
    assert 1 - 2 * area == pytest.approx(found.summary.iloc[0]["gini"])
    # Six kills dealt to six effectors: none with probability (5 / 6) ** 6.
    assert table.loc[0, "expected"] == pytest.approx(6 * (5 / 6) ** 6, rel=0.1)


def test_time_to_the_first_kill_is_censored_by_going_out_of_view():
    random = np.random.default_rng(3)
    seen = random.uniform(30, 200, 80).round(1)
    first = random.exponential(90, 80).round(1)
    killed = first < seen
    table = killers(killed, seen, first_min=np.where(killed, first, np.nan))
    found = _tables({"car_0_0_0": table}, sheet({"car": 1}))
    curve = found.first_kill[found.first_kill["group"] == "car"]
    theirs = KaplanMeierFitter().fit(np.where(killed, first, seen), killed)
    expected = 1 - theirs.survival_function_at_times(curve["time_min"]).to_numpy()
    np.testing.assert_allclose(curve["killed_fraction"], expected, atol=1e-12)
    assert (curve["ci_low"].dropna() <= curve["ci_high"].dropna()).all()
    median = found.summary.iloc[0]["median_first_kill_min"]
    assert median == theirs.median_survival_time_
    # Counting only those that were seen to kill would be far too fast.
    assert np.median(first[killed]) < median


def test_without_a_kill_nothing_is_unequal():
    found = _tables({"car_0_0_0": killers([0, 0, 0])}, sheet({"car": 1}))
    row = found.summary.iloc[0]
    assert row["n_killers"] == 0 and row["killer_fraction"] == 0
    assert np.isnan([row["gini"], row["gini_p"], row["median_first_kill_min"]]).all()
    empty = _tables({"car_0_0_0": killers([])}, sheet({"car": 1}))
    assert empty.summary.empty and empty.first_kill.empty and empty.distribution.empty
