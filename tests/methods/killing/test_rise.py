"""Fitted onsets against planted ones, a general optimiser, and nothing to fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from cyto_kedro.methods.killing.rise import fit_rises

MINUTES = np.arange(60) * 2.0


def _rise(t, middle, constant, low, high):
    return low + (high - low) / (1 + np.exp(-(t - middle) / constant))


def _fit(values, found, shape="sigmoid", window=40.0, times=MINUTES, interval=2.0):
    (fit,) = fit_rises([(times, values, found)], interval, window, shape, 0.95)
    return fit


@settings(max_examples=30, deadline=None)
@given(st.floats(40, 80), st.floats(1.5, 5), st.floats(-50, 50), st.floats(20, 900))
def test_a_rise_without_noise_is_found_to_a_fraction_of_a_frame(m, c, low, height):
    fit = _fit(_rise(MINUTES, m, c, low, low + height), m)
    onset = m - np.log(9) * c
    assert fit.onset == pytest.approx(onset, abs=0.9)
    assert fit.low <= onset <= fit.high
    assert fit.duration == pytest.approx(2 * np.log(9) * c, rel=0.25)
    assert fit.r2 > 0.99
    assert fit.baseline == pytest.approx(low, abs=0.1 * height)
    assert fit.plateau == pytest.approx(low + height, abs=0.1 * height)


def test_the_optimum_is_that_of_a_general_optimiser():
    random = np.random.default_rng(2)
    for _ in range(10):
        truth = (random.uniform(50, 70), random.uniform(2, 4), 10.0, 110.0)
        values = _rise(MINUTES, *truth) + random.normal(0, 5, 60)
        fit = _fit(values, truth[0])
        near = np.abs(MINUTES - truth[0]) <= 40
        best, _ = curve_fit(_rise, MINUTES[near], values[near], truth)
        rest = ((values[near] - _rise(MINUTES[near], *best)) ** 2).sum()
        spread = ((values[near] - values[near].mean()) ** 2).sum()
        assert fit.r2 == pytest.approx(1 - rest / spread, abs=2e-3)
        assert fit.r2 <= 1 - rest / spread + 1e-9
        assert fit.onset == pytest.approx(best[0] - np.log(9) * best[1], abs=1.0)


@pytest.mark.parametrize("noise", [3.0, 15.0, 30.0])
def test_the_interval_covers_the_onset_as_often_as_it_says(noise):
    random = np.random.default_rng(3)
    events, onsets = [], []
    for _ in range(100):
        m, c = random.uniform(50, 70), random.uniform(1.5, 4)
        values = _rise(MINUTES, m, c, 0, 100) + random.normal(0, noise, 60)
        events.append((MINUTES, values, m))
        onsets.append(m - np.log(9) * c)
    fits = fit_rises(events, 2.0, 40.0, "sigmoid", 0.95)
    inside = [f.low <= t <= f.high for f, t in zip(fits, onsets, strict=True)]
    assert np.mean(inside) >= 0.87
    # Worse data, wider intervals; never a constant.
    width = np.median([f.high - f.low for f in fits])
    assert {3.0: 1.9, 15.0: 2.2, 30.0: 5.0}[noise] <= width


@pytest.mark.parametrize("shape", ["sigmoid", "change_point"])
def test_an_abrupt_rise_lies_between_its_two_frames(shape):
    fit = _fit(np.where(MINUTES >= 60, 100.0, 4.0), 60.0, shape)
    assert 58.0 <= fit.onset <= 60.0
    assert fit.low < fit.onset < fit.high and 2.0 <= fit.high - fit.low < 3.0
    assert fit.duration < 2.0 and fit.r2 == pytest.approx(1)


def test_shift_gain_offset_and_time_unit_do_not_matter():
    random = np.random.default_rng(5)
    values = _rise(MINUTES, 61.0, 3.0, 0, 100) + random.normal(0, 8, 60)
    plain = _fit(values, 60.0)
    gained = _fit(7.0 * values + 300.0, 60.0)
    assert gained.onset == pytest.approx(plain.onset)
    assert gained.high - gained.low == pytest.approx(plain.high - plain.low)
    moved = _fit(values, 1060.0, times=MINUTES + 1000.0)
    assert moved.onset == pytest.approx(plain.onset + 1000.0)
    slow = _fit(values, 600.0, window=400.0, times=10 * MINUTES, interval=20.0)
    assert slow.onset == pytest.approx(10 * plain.onset)


def test_gaps_and_uneven_times_are_used_as_they_are():
    random = np.random.default_rng(6)
    times = np.sort(random.uniform(0, 120, 50))
    values = _rise(times, 60.0, 3.0, 0, 100)
    values[[5, 20]] = np.nan
    fit = _fit(values, 60.0, times=times)
    assert fit.onset == pytest.approx(60.0 - np.log(9) * 3.0, abs=0.6)
    assert fit.n_points < 50


@pytest.mark.parametrize(
    "values",
    [np.full(60, 7.0), np.full(60, np.nan), 100.0 - MINUTES],
    ids=["constant", "missing", "falling"],
)
def test_where_nothing_rises_nothing_is_claimed(values):
    fit = _fit(values, 60.0)
    assert np.isnan([fit.onset, fit.low, fit.high, fit.r2]).all()
