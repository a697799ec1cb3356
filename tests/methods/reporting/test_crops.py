"""Crops of events: the right frames, the right place, and nothing else read."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DRIFT
from cyto_kedro.methods.reporting.crops import (
    Scene,
    evenly,
    frames_around,
    inside,
    read_crops,
    scene_of,
)
from tables import filled, tracks_table

MOVIE = Calibration.regular((60, 40, 50), pixel_size_um=0.5, frame_interval_min=2.0)


def test_the_frames_span_what_was_asked_and_hold_the_event():
    assert frames_around(30, MOVIE, 40, 20, 7) == (10, 15, 20, 25, 30, 35, 40)


@given(
    frame=st.integers(0, 59),
    before=st.floats(0, 200),
    after=st.floats(0, 200),
    count=st.integers(1, 12),
)
def test_frames_lie_in_the_movie_and_in_the_span(frame, before, after, count):
    frames = frames_around(frame, MOVIE, before, after, count)
    assert frame in frames
    assert list(frames) == sorted(set(frames)) and len(frames) <= count + 1
    minutes = MOVIE.times_min[list(frames)] - MOVIE.times_min[frame]
    assert minutes.min() >= -before - 1e-6 and minutes.max() <= after + 1e-6
    assert frames[0] >= 0 and frames[-1] < 60


def test_the_square_follows_the_cell_and_bridges_gaps():
    track = tracks_table([0, 4], [1, 1], [5.0, 9.0], [10.0, 10.0])
    scene = scene_of("a", track, [0, 2, 4], MOVIE, size_um=4.0)
    assert scene.size_px == 8
    # At 0.5 um per pixel: rows 10, 14 and 18, less half a square.
    assert scene.y0 == (6, 10, 14)
    assert scene.x0 == (16, 16, 16)


def test_crops_are_cut_where_the_image_ends():
    stack = np.arange(2 * 4 * 5).reshape(2, 4, 5) + 1
    scene = Scene("a", (1,), (-1,), (3,), 4)
    crop = read_crops([scene], {"image": stack})["a"]["image"]
    expected = np.zeros((1, 4, 4), int)
    expected[0, 1:, :2] = stack[1, 0:3, 3:5]
    assert (crop == expected).all()


def test_each_frame_is_read_once_and_no_other():
    read = []

    def plane(block_info=None):
        if block_info:
            read.append(block_info[None]["chunk-location"][0])
        return np.ones((1, 6, 6), np.uint8)

    stack = da.map_blocks(
        plane, chunks=((1,) * 9, (6,), (6,)), dtype=np.uint8, meta=np.empty((0, 0, 0))
    )
    read.clear()
    scenes = [Scene("a", (2, 5), (0, 0), (0, 0), 3), Scene("b", (5,), (1,), (1,), 3)]
    found = read_crops(scenes, {"image": stack})
    assert sorted(read) == [2, 5]
    assert found["b"]["image"].shape == (1, 3, 3)


def test_nothing_to_show_reads_nothing():
    assert read_crops([], {"image": np.zeros((1, 2, 2))}) == {}


def test_what_registration_left_blank_is_outside():
    drift = filled(DRIFT, {"frame": [0], "valid_y0": [2], "valid_y1": [6],
                           "valid_x0": [0], "valid_x1": [3]})  # fmt: skip
    mask = inside(Scene("a", (0,), (0,), (-1,), 5), drift)[0]
    assert mask[2:5, 1:4].all() and mask.sum() == 9


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(3, 5, [0, 1, 2]), (5, 3, [0, 2, 4]), (5, 1, [0]), (5, 0, []), (0, 4, [])],
)
def test_events_are_chosen_evenly(count, most, expected):
    assert evenly(count, most) == expected
