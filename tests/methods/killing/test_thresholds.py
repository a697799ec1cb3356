"""Thresholds of the death signal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from skimage.filters import threshold_otsu

from cyto_kedro.methods.killing.thresholds import (
    THRESHOLDS,
    baseline,
    living_spread,
    lower_spread,
    otsu,
)


def test_the_baseline_threshold_is_k_standard_deviations_above_the_living():
    living = norm.ppf((np.arange(20001) + 0.5) / 20001, loc=50, scale=4)
    frame = np.zeros(len(living), dtype=int)
    found = baseline(living, frame, first_frames=1, k=5)
    assert found == pytest.approx(50 + 5 * 4, rel=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_cells_dead_from_the_start_hardly_move_the_baseline(share):
    random = np.random.default_rng(0)
    signal = random.normal(50, 4, 5000)
    signal[: int(share * 5000)] = 2000
    found = baseline(signal, np.zeros(5000, dtype=int), first_frames=1, k=6)
    assert 70 < found < 95


def test_later_frames_do_not_enter_the_baseline():
    signal = np.r_[np.arange(10.0), np.full(90, 1e4)]
    frame = np.arange(3, 103)
    early = baseline(signal[:10], frame[:10], first_frames=10, k=6)
    assert baseline(signal, frame, first_frames=10, k=6) == early


def test_a_signal_without_spread_lies_below_its_own_baseline():
    flat = np.full(30, 7.0)
    assert baseline(flat, np.arange(30), first_frames=10, k=6) > 7.0


def test_otsu_parts_two_classes_like_scikit_image():
    random = np.random.default_rng(1)
    signal = np.r_[random.normal(10, 2, 400), random.normal(60, 8, 150)]
    frame = np.zeros(len(signal), dtype=int)
    ours = otsu(signal, frame, scale="linear")
    theirs = threshold_otsu(signal, nbins=5000)
    assert (signal >= ours).sum() == (signal > theirs).sum()


def test_otsu_on_the_log_scale_sees_dim_dead_cells_beside_very_bright_ones():
    random = np.random.default_rng(2)
    living = random.normal(0, 2, 800)
    dead = np.r_[random.normal(60, 5, 150), random.normal(4000, 300, 50)]
    signal = np.r_[living, dead]
    found = otsu(signal, np.zeros(1000, dtype=int), scale="log")
    assert living.max() < found <= dead.min()
    assert otsu(signal, np.zeros(1000, dtype=int), scale="linear") > 60


@pytest.mark.parametrize(
    ("name", "options"),
    [("baseline", {"first_frames": 5, "k": 6.0}), ("otsu", {"scale": "log"})],
)
def test_an_unknown_signal_has_an_undefined_threshold(name, options):
    unknown = np.full(4, np.nan)
    assert np.isnan(THRESHOLDS[name](unknown, np.arange(4), **options))


def test_spread_of_the_living_ignores_the_dead():
    random = np.random.default_rng(3)
    signal = np.r_[random.normal(0, 3, 4000), np.full(4000, 500.0)]
    assert living_spread(signal, 100.0) == pytest.approx(3, rel=0.05)
    assert living_spread(signal, -100.0) == 0.0
    assert np.isnan(lower_spread(np.empty(0)))


def test_a_given_threshold_is_taken_as_it_is():
    assert THRESHOLDS["given"](np.zeros(3), np.arange(3), value=12.5) == 12.5
