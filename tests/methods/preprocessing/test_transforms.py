"""Shifts: valid field, gaps, interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyto_kedro.core.schemas import DRIFT
from cyto_kedro.methods.preprocessing.tables import compose, drift_table
from cyto_kedro.methods.preprocessing.transforms import (
    fill_untrusted,
    moved,
    valid_rectangle,
)

METHODS = ["nearest", "linear", "cubic"]
DISTANCE = st.floats(-30, 30).map(lambda d: round(d, 3))


@given(DISTANCE, DISTANCE)
def test_the_valid_rectangle_is_where_every_neighbour_exists(dy, dx):
    height, width = 17, 23
    y0, y1, x0, x1 = valid_rectangle((dy, dx), (height, width))
    tiny = 1e-6

    def inside(distance, size):
        source = np.arange(size) - distance
        return np.flatnonzero((source >= -tiny) & (source <= size - 1 + tiny)).tolist()

    rows, columns = inside(dy, height), inside(dx, width)
    if rows and columns:
        assert list(range(y0, y1)) == rows
        assert list(range(x0, x1)) == columns
    else:
        assert (y0, y1, x0, x1) == (0, 0, 0, 0)


@given(DISTANCE, DISTANCE, st.sampled_from(METHODS))
def test_a_moved_frame_fills_its_rectangle(dy, dx, method):
    plane = np.arange(17 * 23, dtype=np.uint16).reshape(17, 23)
    y0, y1, x0, x1 = valid_rectangle((dy, dx), plane.shape)
    assert moved(plane, (dy, dx), method).shape == (y1 - y0, x1 - x0)


@pytest.mark.parametrize("method", METHODS)
def test_whole_pixels_are_copied_exactly(method):
    plane = np.random.default_rng(0).integers(0, 65535, (20, 30)).astype(np.uint16)
    found = moved(plane, (3.0, -5.0), method)
    np.testing.assert_array_equal(found, plane[:-3, 5:])
    assert found.dtype == np.uint16


@pytest.mark.parametrize("shift", [(0.3, -0.8), (-4.25, 2.5), (7.999, 0.001)])
def test_linear_interpolation_is_exact_on_a_plane(shift):
    rows, columns = np.mgrid[:20, :30].astype(float)
    found = moved(1000 + 3 * rows - 2 * columns, shift, "linear")
    y0, y1, x0, x1 = valid_rectangle(shift, (20, 30))
    wanted = 1000 + 3 * (rows - shift[0]) - 2 * (columns - shift[1])
    np.testing.assert_allclose(found, wanted[y0:y1, x0:x1], rtol=1e-12)


@pytest.mark.parametrize(("method", "error"), [("linear", 4.0), ("cubic", 0.2)])
def test_spots_move_to_where_they_belong(make_spots, method, error):
    shift = (2.4, -1.7)
    places = np.array([[30.2, 25.9], [44.0, 40.5]])
    before = make_spots((64, 64), places, [4, 4], [100, 100])
    after = make_spots((64, 64), places + shift, [4, 4], [100, 100])
    y0, y1, x0, x1 = valid_rectangle(shift, (64, 64))
    found = moved(before, shift, method)
    assert np.abs(found - after[y0:y1, x0:x1]).max() < error


def test_nearest_keeps_grey_values():
    plane = np.random.default_rng(0).integers(0, 9, (20, 30)).astype(np.uint8) * 28
    found = moved(plane, (1.3, -2.7), "nearest")
    np.testing.assert_array_equal(found, plane[1:-1, 3:])


def test_a_frame_moved_out_of_the_field_is_empty():
    assert moved(np.ones((5, 5)), (9.5, 0.0), "linear").size == 0


def test_untrusted_frames_lie_between_their_neighbours():
    shifts = np.array([[9, 9], [1, 10], [7, 7], [3, 30], [9, 9]], float)
    trusted = np.array([False, True, False, True, False])
    filled = fill_untrusted(shifts, trusted)
    assert filled.tolist() == [[1, 10], [1, 10], [2, 20], [3, 30], [3, 30]]


def test_nothing_trusted_is_no_shift():
    filled = fill_untrusted(np.full((3, 2), np.nan), np.zeros(3, bool))
    assert filled.tolist() == [[0, 0]] * 3


def test_the_table_follows_its_contract_and_composes():
    first = drift_table(np.array([[0, 0], [1.25, -2]]), np.array([1, 0.9]), (10, 12))
    second = drift_table(np.array([[0, 0], [0.5, 2]]), np.array([1, np.nan]), (10, 12))
    both = DRIFT.validate(compose(first, second, (10, 12)))
    assert both[["dy_px", "dx_px"]].to_numpy().tolist() == [[0, 0], [1.75, 0]]
    assert both.loc[1, ["valid_y0", "valid_y1", "valid_x0", "valid_x1"]].tolist() == [
        2,
        10,
        0,
        12,
    ]
    assert np.isnan(both.loc[1, "quality"])


def test_an_empty_movie_has_an_empty_table():
    table = drift_table(np.empty((0, 2)), np.empty(0), (10, 12))
    assert len(DRIFT.validate(table)) == 0
