"""Aalen-Johansen against lifelines, Kaplan-Meier and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import AalenJohansenFitter

from cyto_kedro.core.schemas import COMPETING_RISKS
from cyto_kedro.methods.killing.cohorts import Design, gather_population, make_groups
from cyto_kedro.methods.killing.competing import aalen_johansen, competing_table
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier
from methods.killing.experiments import cells, sheet

DESIGN = Design("condition", "control", None, 0.95, None, 50, 99, 1)


def _two_causes(seed: int, n: int = 150) -> tuple[Subjects, np.ndarray]:
    random = np.random.default_rng(seed)
    die, leave, end = (random.exponential(s, n) for s in (40.0, 60.0, 90.0))
    entry = np.where(random.random(n) < 0.4, random.uniform(0, 20, n), 0.0)
    first = np.argmin(np.stack([end, die, leave]), axis=0)
    last = entry + np.minimum(np.minimum(die, leave), end)
    return Subjects(entry, last, first == 1), first


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("number", [1, 2])
def test_incidence_and_bounds_equal_lifelines(seed, number):
    subjects, cause = _two_causes(seed)
    theirs = AalenJohansenFitter().fit(
        subjects.exit, cause, event_of_interest=number, entry=subjects.entry
    )
    ours = aalen_johansen(subjects, cause, 2)
    at = np.isin(ours.time, theirs.cumulative_density_.index)
    expected = theirs.cumulative_density_.loc[ours.time[at]].to_numpy()[:, 0]
    np.testing.assert_allclose(ours.incidence[number - 1, at], expected, rtol=1e-9)
    bounds = np.sort(theirs.confidence_interval_.loc[ours.time[at]].to_numpy(), axis=1)
    found = np.stack([ours.ci_low[number - 1], ours.ci_high[number - 1]], axis=1)[at]
    # Theirs are undefined once nobody is left; ours stay, as the estimate does.
    inner = (expected > 0) & np.isfinite(bounds).all(axis=1)
    assert inner.sum() > 50 and inner.sum() > 0.95 * (expected > 0).sum()
    np.testing.assert_allclose(found[inner], bounds[inner], rtol=1e-7)
    assert np.isnan(found[expected == 0]).all()


def test_incidences_and_those_still_there_sum_to_one():
    subjects, cause = _two_causes(7)
    found = aalen_johansen(subjects, cause, 2)
    any_end = Subjects(subjects.entry, subjects.exit, cause > 0)
    still = kaplan_meier(any_end).survival
    np.testing.assert_allclose(found.incidence.sum(axis=0) + still, 1.0, atol=1e-12)


def test_with_one_way_to_end_it_is_one_minus_kaplan_meier_with_its_bounds():
    subjects, cause = _two_causes(8)
    only = Subjects(subjects.entry, subjects.exit, cause == 1)
    curve = kaplan_meier(only)
    found = aalen_johansen(only, (cause == 1).astype(int), 1)
    np.testing.assert_allclose(found.incidence[0], 1 - curve.survival, atol=1e-12)
    assert found.ci_low.shape == (1, len(curve.time))


def test_cells_that_leave_are_not_counted_as_if_they_might_still_die():
    # Four cells: one leaves, one dies, one leaves, one dies.
    subjects = Subjects(
        np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 0, 1]) > 0
    )
    found = aalen_johansen(subjects, np.array([2, 1, 2, 1]), 2)
    np.testing.assert_allclose(found.incidence[0], [0, 0.25, 0.25, 0.5])
    np.testing.assert_allclose(found.incidence[1], [0.25, 0.25, 0.5, 0.5])
    # Kaplan-Meier takes leaving for censoring and says that all die.
    assert kaplan_meier(subjects).survival[-1] == 0


def test_the_table_holds_death_and_leaving_of_every_movie_and_condition():
    random = np.random.default_rng(1)
    plan = sheet({"car": 2, "alone": 1})
    deaths = {m: cells(random, 80, 0.3, 0.2, late=0.3) for m in plan["movie"]}
    pool = gather_population(deaths, plan)
    groups = make_groups(pool.cells, pool.subjects, pool.at_risk, DESIGN)
    table = competing_table(pool, groups, "cancer", ("left_field",), 0.95)
    COMPETING_RISKS.validate(table)
    assert set(table["outcome"]) == {"died", "left_field"}
    ends = table.groupby(["group", "outcome"])["n_events"].sum()
    for movie, rows in deaths.items():
        watched = rows[rows["exit_min"] > rows["entry_min"]]
        for reason in ("died", "left_field"):
            assert ends[movie, reason] == (watched["reason"] == reason).sum()
    cars = [m for m in plan["movie"] if m.startswith("car")]
    assert ends["car", "died"] == sum(ends[m, "died"] for m in cars)


def test_without_cells_the_table_is_empty_and_typed():
    plan = sheet({"car": 1})
    pool = gather_population({"car_0_0_0": cells(np.random.default_rng(0), 0, 1)}, plan)
    table = competing_table(pool, [], "cancer", ("left_field",), 0.95)
    assert COMPETING_RISKS.validate(table).empty
