"""Bands against simulated Brownian bridges, and against survival that is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import kolmogi, ndtri

from cyto_kedro.methods.killing.bands import (
    equal_precision_limit,
    hall_wellner_limit,
    simultaneous_band,
)
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier


@pytest.fixture(scope="module")
def bridges() -> tuple[np.ndarray, np.ndarray]:
    """(2000,) positions and (4000, 2000) Brownian bridges."""
    x = np.arange(1, 2001) / 2001
    steps = np.random.default_rng(5).normal(size=(4000, 2001)).astype(np.float32)
    walk = np.cumsum(steps, axis=1) / np.sqrt(2001)
    return x, walk[:, :-1] - x * walk[:, -1:]


@pytest.mark.parametrize("a_high", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_hall_wellner_limit_is_exceeded_as_often_as_it_says(
    bridges, a_high, confidence
):
    x, b = bridges
    limit = hall_wellner_limit(a_high, confidence)
    held = (np.abs(b[:, x <= a_high]).max(axis=1) <= limit).mean()
    # A bridge that is looked at 2,000 times misses part of its peaks: a bit too many.
    assert held == pytest.approx(confidence, abs=0.02)


def test_over_the_whole_range_hall_wellner_is_kolmogorov():
    assert hall_wellner_limit(1.0, 0.95) == pytest.approx(kolmogi(0.05), rel=1e-9)
    assert hall_wellner_limit(1.0, 0.95) == pytest.approx(1.3581, abs=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.9), (0.05, 0.95), (0.3, 0.7)])
def test_equal_precision_limit_is_exceeded_as_often_as_it_says(bridges, low, high):
    x, b = bridges
    inside = (x >= low) & (x <= high)
    scaled = np.abs(b[:, inside]) / np.sqrt(x[inside] * (1 - x[inside]))
    limit = equal_precision_limit(low, high, 0.95)
    held = (scaled.max(axis=1) <= limit).mean()
    assert held == pytest.approx(0.95, abs=0.02)


def test_at_a_single_point_the_band_is_the_interval():
    assert equal_precision_limit(0.4, 0.4, 0.95) == pytest.approx(ndtri(0.975))


def _watched(random: np.random.Generator, n: int) -> Subjects:
    death, end = random.exponential(60.0, n), random.uniform(20, 150, n)
    entry = np.where(random.random(n) < 0.2, random.uniform(0, 10, n), 0.0)
    died = death <= end
    return Subjects(entry, entry + np.minimum(death, end), died)


@pytest.mark.parametrize("kind", ["equal_precision", "hall_wellner"])
def test_the_band_holds_the_whole_true_curve_but_the_interval_does_not(kind):
    random = np.random.default_rng(3)
    band, pointwise = [], []
    for _ in range(400):
        curve = kaplan_meier(_watched(random, 150))
        low, high = simultaneous_band(curve, 0.95, kind)
        drawn = np.isfinite(low)
        truth = np.exp(-curve.time / 60.0)
        held = (low <= truth) & (truth <= high)
        band.append(held[drawn].all())
        at = (curve.ci_low <= truth) & (truth <= curve.ci_high)
        pointwise.append(at[drawn].all())
    assert 0.92 <= np.mean(band) <= 0.99
    assert np.mean(pointwise) < 0.85


@pytest.mark.parametrize("kind", ["equal_precision", "hall_wellner"])
def test_without_deaths_there_is_no_band(kind):
    curve = kaplan_meier(Subjects(np.zeros(5), np.full(5, 9.0), np.zeros(5, bool)))
    low, high = simultaneous_band(curve, 0.95, kind)
    assert np.isnan(low).all() and np.isnan(high).all()
    none = kaplan_meier(Subjects(np.empty(0), np.empty(0), np.empty(0, bool)))
    assert len(simultaneous_band(none, 0.95, kind)[0]) == 0
