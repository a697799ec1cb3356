"""Grey values as a network gets them."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from cyto_kedro.methods.segmentation.cellpose import CellposeOptions
from cyto_kedro.methods.segmentation.learned import scaled_between


def test_percentiles_become_zero_and_one():
    image = np.arange(10_001, dtype=np.uint16).reshape(73, 137)
    scaled = scaled_between(image, (1.0, 99.0))
    # Of 0..10000 the percentiles are 100 and 9900.
    np.testing.assert_allclose(scaled, (image - 100.0) / 9800, rtol=1e-6, atol=1e-7)
    assert scaled.dtype == np.float32
    assert scaled.min() < 0 < 1 < scaled.max()


@pytest.mark.parametrize("offset", [0, 3e4, -5.0])
@pytest.mark.parametrize("gain", [1e-6, 1.0, 1e6])
def test_offset_and_gain_of_the_camera_do_not_matter(offset, gain):
    image = np.random.default_rng(0).gamma(2, 50, (40, 50))
    plain = scaled_between(image, (1.0, 99.0))
    changed = scaled_between(image * gain + offset * gain, (1.0, 99.0))
    np.testing.assert_allclose(changed, plain, atol=1e-4)


def test_few_cells_on_a_background_cut_to_zero_are_not_lost():
    image = np.zeros((100, 100))
    image[3:8, 3:8] = 7  # 0.25 % of the frame
    np.testing.assert_array_equal(scaled_between(image, (1.0, 99.0)), image / 7)


@pytest.mark.parametrize("shape", [(0, 5), (4, 4)])
def test_a_flat_frame_has_nothing_to_scale(shape):
    assert scaled_between(np.full(shape, 60_000, np.uint16), (1.0, 99.0)) is None


@pytest.mark.parametrize("wrong", [(99, 1), (50, 50), (-1, 99), (1, 101)])
def test_percentiles_out_of_order_are_refused(wrong):
    with pytest.raises(ValidationError, match="percentiles must be"):
        CellposeOptions(percentiles=wrong)
