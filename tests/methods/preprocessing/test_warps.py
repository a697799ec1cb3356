"""Transforms beyond shifts: where pixels come from, and which have data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cyto_kedro.methods.preprocessing._kernels import largest_rectangle
from cyto_kedro.methods.preprocessing.binning import binned
from cyto_kedro.methods.preprocessing.transforms import moved, valid_rectangle
from cyto_kedro.methods.preprocessing.warps import (
    Field,
    Transform,
    centre,
    grid_nodes,
    valid_area,
    warped,
)

SHAPE = (41, 56)
METHODS = ["nearest", "linear", "cubic"]
SMALL = st.floats(-0.3, 0.3)
DISTANCE = st.floats(-9, 9).map(lambda d: round(d, 3))


def turned(degrees, scale=1.0, shift=(0.0, 0.0), field=None):
    angle = np.deg2rad(degrees)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return Transform(shift, ((c, -s), (s, c)), field)


def still_field(shape=SHAPE, value=0.0):
    nodes = grid_nodes(shape, 16)
    return Field(*nodes, np.full((len(nodes[0]), len(nodes[1]), 2), value))


@given(SMALL, SMALL, SMALL, SMALL, DISTANCE, DISTANCE)
def test_pixels_are_read_where_the_transform_takes_them_from(yy, yx, xy, xx, dy, dx):
    transform = Transform((dy, dx), ((1 + yy, yx), (xy, 1 + xx)))
    places = transform.sources(SHAPE).reshape(2, -1).T
    back = transform.forward(places, SHAPE)
    grid = np.indices(SHAPE).reshape(2, -1).T
    np.testing.assert_allclose(back, grid, atol=1e-9)


def test_the_centre_moves_by_the_shift_and_turns_as_stated():
    middle, shift = centre(SHAPE), np.array([2.0, -3.0])
    transform = turned(90, shift=(2.0, -3.0))
    assert transform.forward(middle[None], SHAPE)[0] == pytest.approx(middle + shift)
    # A quarter turn takes what lies below the centre to its right.
    below = transform.forward(middle[None] + [5, 0], SHAPE)[0]
    assert below == pytest.approx(middle + 2)


@given(DISTANCE, DISTANCE, st.sampled_from(["nearest", "linear"]))
@settings(deadline=None)
def test_a_field_of_nothing_is_the_shift_alone(dy, dx, method):
    plane = np.random.default_rng(0).normal(100, 10, SHAPE)
    shift = Transform((dy, dx))
    field = Transform((dy, dx), field=still_field())
    assert shift.is_shift and not field.is_shift
    part, area = warped(plane, field, method)
    assert area == valid_rectangle((dy, dx), SHAPE) == valid_area(shift, SHAPE)
    # Half a pixel is as near to the one side as to the other.
    if method == "linear" or all(abs(d % 1 - 0.5) > 1e-3 for d in (dy, dx)):
        np.testing.assert_allclose(part, moved(plane, (dy, dx), method), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_shifts_are_bit_for_bit_those_of_the_shift_alone(method):
    plane = np.random.default_rng(0).integers(0, 65535, SHAPE).astype(np.uint16)
    part, area = warped(plane, Transform((2.37, -4.9)), method)
    np.testing.assert_array_equal(part, moved(plane, (2.37, -4.9), method))
    assert area == valid_rectangle((2.37, -4.9), SHAPE)


@pytest.mark.parametrize(("method", "error"), [("linear", 4.0), ("cubic", 0.2)])
def test_turned_spots_lie_where_they_belong(make_spots, method, error):
    shape, transform = (96, 96), turned(7.0, 1.04, (2.4, -1.7))
    places = np.random.default_rng(0).uniform(10, 86, (6, 2))
    before = make_spots(shape, places, [4] * 6, [100] * 6)
    found, (y0, y1, x0, x1) = warped(before, transform, method)
    # Round spots stay round: only their places and radii change.
    after = make_spots(
        shape, transform.forward(places, shape), [4 * 1.04] * 6, [100] * 6
    )
    assert np.abs(found - after[y0:y1, x0:x1]).max() < error
    assert (y1 - y0) * (x1 - x0) > 0.6 * 96 * 96


@given(arrays.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
@settings(max_examples=60, deadline=None)
def test_the_largest_rectangle_is_the_largest(mask):
    y0, y1, x0, x1 = largest_rectangle(mask)
    assert mask[y0:y1, x0:x1].all()
    height, width = mask.shape
    best = max(
        (b - a) * (d - c)
        for a in range(height + 1)
        for b in range(a, height + 1)
        for c in range(width + 1)
        for d in range(c, width + 1)
        if mask[a:b, c:d].all()
    )
    assert (y1 - y0) * (x1 - x0) == best


@pytest.mark.parametrize("degrees", [0.5, -3.0, 20.0])
def test_valid_pixels_come_from_inside_the_frame_and_no_line_more_fits(degrees):
    transform = turned(degrees, shift=(1.5, -2.0))
    y0, y1, x0, x1 = valid_area(transform, SHAPE)
    places = transform.sources(SHAPE)
    limits = np.array(SHAPE)[:, None, None] - 1
    inside = ((places > -1e-3) & (places < limits + 1e-3)).all(axis=0)
    assert inside[y0:y1, x0:x1].all()
    for line in (
        inside[y0 - 1 : y0, x0:x1],
        inside[y1 : y1 + 1, x0:x1],
        inside[y0:y1, x0 - 1 : x0],
        inside[y0:y1, x1 : x1 + 1],
    ):
        assert line.size == 0 or not line.all()


def test_a_frame_moved_out_of_the_field_is_empty():
    part, area = warped(np.ones(SHAPE), turned(5, shift=(200.0, 0.0)), "linear")
    assert part.size == 0 and area == (0, 0, 0, 0)


def test_ready_masks_keep_ids_that_16_bits_cannot_hold():
    masks = np.zeros(SHAPE, np.uint32)
    masks[10:20, 20:40] = 4_000_000_001
    part, _ = warped(masks, turned(4.0), "nearest")
    assert part.dtype == np.uint32
    assert np.unique(part).tolist() == [0, 4_000_000_001]
    assert np.count_nonzero(part) == pytest.approx(200, rel=0.1)


def test_a_field_passes_through_its_nodes_and_is_found_again():
    rng = np.random.default_rng(1)
    y, x = np.array([0.0, 12, 25, 40]), np.array([0.0, 20, 37, 55])
    field = Field(y, x, rng.normal(0, 3, (4, 4, 2)))
    dense = field.at(SHAPE)
    at_nodes = dense[:, y.astype(int)[:, None], x.astype(int)]
    np.testing.assert_allclose(np.moveaxis(at_nodes, 0, 2), field.values, atol=1e-9)
    again = Field.fitted(dense, (y, x))
    np.testing.assert_allclose(again.values, field.values, atol=1e-9)


def test_a_field_of_a_plane_is_a_plane_between_its_nodes():
    y, x = grid_nodes(SHAPE, 10)
    rows, columns = np.meshgrid(y, x, indexing="ij")
    field = Field(y, x, np.stack([0.1 * rows - 1, 0.05 * columns + rows * 0], axis=2))
    rows, columns = np.indices(SHAPE)
    np.testing.assert_allclose(field.at(SHAPE)[0], 0.1 * rows - 1, atol=1e-9)
    np.testing.assert_allclose(field.at(SHAPE)[1], 0.05 * columns, atol=1e-9)


@pytest.mark.parametrize("shape", [(64, 80), (65, 81)])
def test_a_transform_of_bins_is_that_of_the_pixels(shape):
    small = (shape[0] // 2, shape[1] // 2)
    nodes = grid_nodes(small, 10)
    values = np.zeros((len(nodes[0]), len(nodes[1]), 2))
    transform = turned(6.0, 1.02, (1.2, -0.7), Field(*nodes, values + 0.4))
    large = transform.enlarged(2, small, shape)
    rows, columns = np.indices(shape).astype(float)
    # A ramp can be binned without loss: reading it tells where pixels come from.
    for ramp in (rows, columns):
        of_bins, (y0, y1, x0, x1) = warped(binned(ramp, 2), transform, "linear")
        of_pixels, (v0, _, h0, _) = warped(ramp, large, "linear")
        for y, x in ((y0, x0), (y1 - 2, x1 - 2)):
            wanted = of_pixels[2 * y - v0 : 2 * y - v0 + 2, 2 * x - h0 : 2 * x - h0 + 2]
            if wanted.shape == (2, 2):
                assert of_bins[y - y0, x - x0] == pytest.approx(wanted.mean(), abs=1e-3)
