"""Figures of a frame against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.ingest.frame_stats import frame_figures

_TYPES = st.sampled_from([np.uint8, np.uint16, np.int16, np.uint32, np.float32])


def reference(plane):
    values = plane.astype(np.float64)
    laplacian = ndimage.laplace(values)[1:-1, 1:-1]
    return {
        "minimum": values.min(),
        "p01": np.percentile(values, 1),
        "median": np.median(values),
        "mean": values.mean(),
        "p99": np.percentile(values, 99),
        "maximum": values.max(),
        "focus": laplacian.var() / (values.mean() ** 2 or np.nan),
    }


@settings(max_examples=40, deadline=None)
@given(
    _TYPES.flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=9),
            elements=None
            if np.dtype(dtype).kind != "f"
            else st.floats(1, 1000, width=32),
        )
    )
)
def test_figures_equal_those_of_numpy_and_scipy(plane):
    figures = frame_figures(plane)
    if plane.mean(dtype=np.float64) == 0:
        assert np.isnan(figures.pop("focus"))
    for name, value in figures.items():
        if name != "saturated_fraction":
            scale = 1e-6 + 1e-9 * float(np.abs(plane.astype(np.float64)).max())
            assert value == pytest.approx(reference(plane)[name], rel=1e-6, abs=scale)


@pytest.mark.parametrize(
    ("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.int32, 2**31 - 1)]
)
def test_saturated_pixels_are_counted(dtype, top):
    plane = np.full((4, 5), 7, dtype)
    plane[0, :3] = top
    assert frame_figures(plane)["saturated_fraction"] == pytest.approx(3 / 20)


def test_saturation_and_focus_are_nan_where_undefined():
    assert np.isnan(frame_figures(np.ones((4, 4), np.float32))["saturated_fraction"])
    assert np.isnan(frame_figures(np.zeros((4, 4), np.uint8))["focus"])
    assert np.isnan(frame_figures(np.ones((2, 9), np.uint8))["focus"])


def test_blur_lowers_the_focus_and_brightness_does_not():
    sharp = np.random.default_rng(0).integers(50, 200, (40, 40)).astype(np.float64)
    blurred = ndimage.gaussian_filter(sharp, 2)
    assert frame_figures(blurred)["focus"] < 0.1 * frame_figures(sharp)["focus"]
    assert frame_figures(3 * sharp)["focus"] == pytest.approx(
        frame_figures(sharp)["focus"]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_without_a_value_are_refused(bad):
    plane = np.ones((4, 5), np.float32)
    plane[1, 2] = bad
    with pytest.raises(InputError, match="1 of 20 pixels"):
        frame_figures(plane)
