"""Normalisation, gamma and merging against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from skimage.exposure import adjust_gamma, rescale_intensity

from cyto_kedro.methods.preprocessing.intensity import (
    PercentileNormalise,
    Power,
    Stretch,
    merge,
    through,
)


@pytest.fixture
def plane():
    rng = np.random.default_rng(0)
    return rng.gamma(2, 300, (40, 50)).astype(np.uint16)


def test_stretch_maps_the_percentiles_to_zero_and_one(plane):
    found = through(plane, [Stretch(100, 1500, clip=True)])
    wanted = rescale_intensity(plane.astype(float), (100.0, 1500.0), (0.0, 1.0))
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert found.dtype == np.float32


def test_without_clipping_the_line_goes_on(plane):
    found = through(plane, [Stretch(100, 1500, clip=False)])
    np.testing.assert_allclose(found, (plane - 100.0) / 1400, rtol=1e-6, atol=1e-7)
    assert found.min() < 0 and found.max() > 1


def test_a_range_of_one_value_separates_below_from_above():
    found = through(np.array([[3, 4, 5]], np.uint8), [Stretch(4, 4, clip=True)])
    assert found.tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(("gamma", "gain"), [(1, 1), (0.5, 1), (2.2, 0.5)])
def test_gamma_is_the_power_law(gamma, gain):
    values = np.linspace(0, 1, 101)[None]
    found = through(values, [Power(gamma, gain, 1)])
    np.testing.assert_allclose(found, gain * values**gamma, rtol=1e-6)
    np.testing.assert_allclose(found, adjust_gamma(values, gamma, gain), rtol=1e-6)


def test_gamma_keeps_the_intensity_named_by_scale(plane):
    curve = Power(0.5, 1, 400)
    found = through(np.array([[0, 100, 400]], np.uint16), [curve])
    np.testing.assert_allclose(found, [[0, 200, 400]], rtol=1e-6)


def test_negative_intensities_have_no_power():
    found = through(np.array([[-0.5, 0.25]]), [Power(0.5, 1, 1)])
    assert found.tolist() == [[0, 0.5]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2"])
def test_the_table_gives_what_the_formula_gives(dtype, plane):
    plane = (plane % 251).astype(dtype)
    curves = [Stretch(20, 200, clip=True), Power(0.7, 1.5, 1)]
    direct = through(plane.astype(np.float64), curves)
    np.testing.assert_array_equal(through(plane, curves), direct)


def test_a_view_with_steps_is_read_correctly(plane):
    curve = [Stretch(0, 1000, clip=False)]
    np.testing.assert_array_equal(
        through(plane[::2, ::-3], curve), through(plane, curve)[::2, ::-3]
    )


@given(st.lists(st.integers(0, 10), min_size=2, max_size=4))
def test_merge_is_the_weighted_mean(weights):
    planes = [np.full((2, 3), 10 * i, np.uint16) for i in range(len(weights))]
    if sum(weights) == 0:
        with pytest.raises(ValueError, match="weight"):
            merge(planes, weights)
        return
    wanted = np.average([10 * i for i in range(len(weights))], weights=weights)
    np.testing.assert_allclose(merge(planes, weights), wanted, rtol=1e-6)


def test_merging_bright_images_does_not_overflow():
    bright = np.full((2, 2), 65535, np.uint16)
    assert merge([bright, bright], [1, 1]).tolist() == [[65535] * 2] * 2


def test_percentiles_must_be_ordered():
    with pytest.raises(ValidationError, match="lp must be below up"):
        PercentileNormalise(lp=95, up=5)


def test_a_narrow_range_far_from_zero_is_resolved():
    plane = (16_000_000 + np.arange(100)).astype(np.float32)[None]
    found = through(plane, [Stretch(16_000_010.5, 16_000_090.5, clip=False)])
    np.testing.assert_allclose(found, (np.arange(100)[None] - 10.5) / 80, rtol=1e-6)


def test_single_precision_images_stay_close_to_double(plane):
    curves = [Stretch(20, 2000, clip=True), Power(0.7, 1.5, 1)]
    single = through(plane.astype(np.float32), curves)
    np.testing.assert_allclose(single, through(plane, curves), rtol=1e-5, atol=1e-6)
