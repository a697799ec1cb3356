"""Survival against lifelines, published formulas and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from cyto_kedro.methods.killing.survival import (
    Subjects,
    kaplan_meier,
    median_survival,
    restricted_mean,
    specific_lysis,
    survival_at,
)


def _cells(seed: int, n: int = 120, late: bool = True) -> Subjects:
    """Exponential deaths on a frame grid with censoring and delayed entry."""
    random = np.random.default_rng(seed)
    entry = random.integers(0, 20, n) * 2.0 * (random.random(n) < 0.5) * late
    entry[: n // 3] = 0.0
    death = entry + 2.0 * (1 + random.geometric(0.02, n))
    lost = entry + 2.0 * (1 + random.geometric(0.01, n))
    end = np.minimum(np.minimum(death, lost), 160.0)
    return Subjects(entry, end, (death <= lost) & (death <= 160.0))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("late", [False, True])
def test_kaplan_meier_equals_lifelines(seed, late):
    cells = _cells(seed, late=late)
    theirs = KaplanMeierFitter().fit(cells.exit, cells.died, entry=cells.entry)
    ours = kaplan_meier(cells)
    expected = theirs.survival_function_at_times(ours.time).to_numpy()
    np.testing.assert_allclose(ours.survival, expected, rtol=1e-9)
    table = theirs.event_table.loc[ours.time]
    np.testing.assert_array_equal(ours.deaths, table["observed"])
    np.testing.assert_array_equal(ours.censored, table["censored"])
    bounds = theirs.confidence_interval_.loc[ours.time].to_numpy()
    inner = (ours.survival < 1) & (ours.survival > 0)
    assert inner.sum() > 20
    found = np.column_stack([ours.ci_low, ours.ci_high])
    np.testing.assert_allclose(found[inner], bounds[inner], rtol=1e-9)
    assert np.isnan(found[~inner]).all()


def test_the_number_at_risk_counts_those_that_came_and_have_not_gone():
    cells = Subjects(
        np.array([0.0, 0.0, 5.0, 10.0]),
        np.array([5.0, 10.0, 15.0, 15.0]),
        np.array([True, False, True, False]),
    )
    curve = kaplan_meier(cells)
    # The third is first seen when the first dies: it was not at risk of that.
    np.testing.assert_array_equal(curve.at_risk, [2, 2, 2])
    np.testing.assert_allclose(curve.survival, [0.5, 0.5, 0.25])
    np.testing.assert_array_equal(curve.censored, [0, 1, 1])


def test_a_cell_seen_once_is_nobody_s_risk():
    once = Subjects(np.array([0.0, 4.0]), np.array([8.0, 4.0]), np.array([True, False]))
    curve = kaplan_meier(once)
    assert curve.time.tolist() == [8.0] and curve.survival.tolist() == [0.0]


def test_what_is_read_off_the_curve_by_hand():
    cells = Subjects(np.zeros(4), np.array([2.0, 4, 6, 8]), np.array([1, 1, 0, 0]) > 0)
    curve = kaplan_meier(cells)
    assert [survival_at(curve, t) for t in (0, 2, 3.9, 4, 8)] == [
        1,
        0.75,
        0.75,
        0.5,
        0.5,
    ]
    assert np.isnan(survival_at(curve, 8.1))
    assert median_survival(curve) == 4.0
    mean, error = restricted_mean(curve, 6.0)
    assert mean == pytest.approx(2 * 1 + 2 * 0.75 + 2 * 0.5)
    assert error == pytest.approx(np.sqrt(2.5**2 * 1 / 12 + 1.0**2 * 1 / 6))
    assert np.isnan(restricted_mean(curve, 9.0)[0])


def test_once_all_have_died_the_curve_stays_at_zero():
    curve = kaplan_meier(Subjects(np.zeros(2), np.array([2.0, 4]), np.ones(2, bool)))
    assert survival_at(curve, 100.0) == 0.0
    assert restricted_mean(curve, 100.0)[0] == pytest.approx(2 + 2 * 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_the_restricted_mean_equals_lifelines(seed):
    cells = _cells(seed, late=False)
    theirs = KaplanMeierFitter().fit(cells.exit, cells.died)
    mean, _ = restricted_mean(kaplan_meier(cells), 90.0)
    assert mean == pytest.approx(restricted_mean_survival_time(theirs, t=90.0))


def test_the_error_of_the_restricted_mean_is_that_of_repeated_experiments():
    results = [restricted_mean(kaplan_meier(_cells(s)), 100.0) for s in range(400)]
    means, errors = np.array(results).T
    assert means.std() == pytest.approx(errors.mean(), rel=0.12)


def test_without_delayed_entry_or_censoring_survival_is_the_share_alive():
    random = np.random.default_rng(0)
    death = random.integers(1, 30, 200).astype(float)
    curve = kaplan_meier(Subjects(np.zeros(200), death, np.ones(200, bool)))
    alive = [(death > t).mean() for t in curve.time]
    np.testing.assert_allclose(curve.survival, alive, atol=1e-12)


def test_delayed_entry_does_not_bias_the_curve():
    """Counting late cells from time 0 would look like better survival."""
    random = np.random.default_rng(1)
    entry = np.where(random.random(20000) < 0.7, random.uniform(0, 60, 20000), 0.0)
    end = entry + random.exponential(50.0, 20000)
    cells = Subjects(entry, end, np.ones(20000, bool))
    for time in (20.0, 60.0, 100.0):
        true = np.exp(-time / 50)
        assert survival_at(kaplan_meier(cells), time) == pytest.approx(true, abs=0.015)
        naive = Subjects(np.zeros(20000), end, cells.died)
        assert survival_at(kaplan_meier(naive), time) > true + 0.03


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 50))
def test_units_of_time_and_duplicated_cells_change_nothing_but_the_axis(seed, unit):
    cells = _cells(seed, 40)
    curve = kaplan_meier(cells)
    scaled = kaplan_meier(Subjects(cells.entry * unit, cells.exit * unit, cells.died))
    np.testing.assert_allclose(scaled.survival, curve.survival)
    np.testing.assert_allclose(scaled.time, curve.time * unit)
    twice = kaplan_meier(cells[np.tile(np.arange(40), 2)])
    np.testing.assert_allclose(twice.survival, curve.survival)
    inner = np.isfinite(curve.ci_low)
    assert (twice.ci_low[inner] > curve.ci_low[inner]).all()


def test_no_cells_give_an_empty_curve_and_undefined_numbers():
    none = kaplan_meier(Subjects(np.empty(0), np.empty(0), np.empty(0, bool)))
    assert len(none.time) == 0
    assert np.isnan(survival_at(none, 1.0)) and np.isnan(median_survival(none))
    assert np.isnan(restricted_mean(none, 1.0)).all()


def test_specific_lysis_corrects_for_spontaneous_death():
    assert specific_lysis(0.3, 0.8) == pytest.approx(100 * (0.7 - 0.2) / (1 - 0.2))
    assert specific_lysis(0.8, 0.8) == 0
    assert specific_lysis(0.9, 0.8) < 0
    assert np.isnan(specific_lysis(0.3, 0.0)) and np.isnan(specific_lysis(0.3, np.nan))
