"""Resampling few wells: right variance, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from cyto_kedro.methods.killing.resampling import (
    cluster_weights,
    degrees_of_freedom,
    widened_interval,
)


def test_the_spread_of_a_mean_of_few_wells_is_right_and_not_too_small():
    stratum = np.array([0, 0, 0, 1, 1, 1])
    value = np.array([1.0, 2.0, 6.0, 4.0, 5.0, 9.0])
    weights = cluster_weights(stratum, 40_000, np.random.default_rng(1))
    for level in (0, 1):
        own = stratum == level
        means = weights[:, own] @ value[own] / weights[:, own].sum(axis=1)
        assert means.var() == pytest.approx(value[own].var(ddof=1) / 3, rel=0.03)


def test_every_donor_keeps_its_weight_and_an_only_well_stays():
    stratum = np.array([0, 0, 0, 0, 1, 1, 2])
    weights = cluster_weights(stratum, 500, np.random.default_rng(2))
    np.testing.assert_allclose(weights[:, :4].sum(axis=1), 4)
    np.testing.assert_allclose(weights[:, 4:6].sum(axis=1), 2)
    assert (weights[:, 6] == 1).all()
    assert degrees_of_freedom(stratum) == 4


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_of_a_mean_of_few_wells_is_that_of_student(n):
    random = np.random.default_rng(n)
    held, widths = [], []
    for _ in range(300):
        value = random.normal(7.0, 2.0, n)
        weights = cluster_weights(np.zeros(n, int), 1000, random)
        draws = weights @ value / weights.sum(axis=1)
        low, high = widened_interval(np.asarray(value.mean()), draws, n - 1, 0.95)
        held.append(low <= 7.0 <= high)
        exact = 2 * student.ppf(0.975, n - 1) * value.std(ddof=1) / np.sqrt(n)
        widths.append((high - low) / exact)
    # Two draws of three wells have few different means: somewhat too narrow there.
    assert np.mean(held) >= 0.9
    assert np.mean(widths) == pytest.approx(1.0, abs=0.2 if n == 3 else 0.06)


def test_one_well_has_no_interval_and_bounds_stay_where_they_make_sense():
    low, high = widened_interval(np.array([0.5]), np.full((9, 1), 0.5), 0, 0.95)
    assert np.isnan(low).all() and np.isnan(high).all()
    draws = np.random.default_rng(0).normal(0.95, 0.1, (999, 1))
    low, high = widened_interval(np.array([0.95]), draws, 2, 0.95, (0.0, 1.0))
    assert 0 <= low[0] < 0.95 and high[0] == 1.0


def test_undefined_draws_are_left_out_and_undefined_estimates_stay_undefined():
    draws = np.random.default_rng(0).normal(size=(500, 2))
    holed = draws.copy()
    holed[::2, 0] = np.nan
    low, high = widened_interval(np.array([0.0, np.nan]), holed, 30, 0.9)
    direct = widened_interval(np.array([0.0]), draws[1::2, :1], 30, 0.9)
    assert low[0] == direct[0][0] and high[0] == direct[1][0]
    assert np.isnan(low[1]) and np.isnan(high[1])
