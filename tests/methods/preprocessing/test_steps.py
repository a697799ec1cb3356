"""Steps in order, on the valid part of registered frames, lazily."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import INTENSITY_RANGE
from cyto_kedro.methods.preprocessing.registered import RegisteredFrames
from cyto_kedro.methods.preprocessing.steps import (
    STEPS,
    Step,
    measure_ranges,
    process,
    ranges_of,
)
from cyto_kedro.methods.preprocessing.tables import drift_table

BACKGROUND = {"name": "background", "method": {"name": "constant", "value": 100}}
MEDIAN = {"name": "denoise", "method": {"name": "median"}}
NORMALISE = {"name": "percentile_normalise"}
PER_FRAME = {"name": "percentile_normalise", "over": "frame"}
GAMMA = {"name": "gamma", "gamma": 0.5}


def steps(*entries):
    return TypeAdapter(list[Step]).validate_python(list(entries))


@pytest.fixture
def movie():
    rng = np.random.default_rng(0)
    return rng.gamma(2, 200, (5, 30, 40)).astype(np.uint16) + np.uint16(80)


def registered(movie, shifts=None, **options):
    shifts = np.zeros((len(movie), 2)) if shifts is None else np.asarray(shifts, float)
    drift = drift_table(shifts, np.ones(len(movie)), movie.shape[1:])
    frames = RegisteredFrames.of(da.from_array(movie), drift, None, "linear", **options)
    return frames


def run(movie, chosen, shifts=None, **options):
    frames = registered(movie, shifts, **options)
    table = INTENSITY_RANGE.validate(
        measure_ranges(frames.stack, chosen, frames.valid_part)
    )
    return frames.through(chosen, ranges_of(table))


def test_normalisation_over_the_movie_and_gamma(movie):
    found = run(movie, steps(NORMALISE, GAMMA)).compute()
    low, high = np.percentile(movie, [5, 95])
    wanted = np.clip((movie - low) / (high - low), 0, 1) ** 0.5
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert found.dtype == np.float32


def test_normalisation_over_each_frame(movie):
    movie = movie * np.arange(1, 6, dtype=np.uint16)[:, None, None]
    found = run(movie, steps(PER_FRAME)).compute()
    for plane, result in zip(movie, found, strict=True):
        low, high = np.percentile(plane, [5, 95])
        wanted = np.clip((plane - low) / (high - low), 0, 1)
        np.testing.assert_allclose(result, wanted, atol=1e-6)


def test_the_order_of_the_list_is_the_order_of_work(movie):
    first = run(movie, steps(GAMMA, NORMALISE)).compute()
    low, high = np.percentile(np.sqrt(movie, dtype=np.float32), [5, 95])
    wanted = np.clip((np.sqrt(movie) - low) / (high - low), 0, 1)
    np.testing.assert_allclose(first, wanted, atol=1e-5)
    other = run(movie, steps(NORMALISE, GAMMA)).compute()
    assert np.abs(first - other).max() > 0.05


def test_percentiles_are_those_after_the_steps_before(movie):
    found = run(movie, steps(BACKGROUND, MEDIAN, NORMALISE)).compute()
    before = run(movie, steps(BACKGROUND, MEDIAN)).compute()
    assert before.dtype == np.uint16
    low, high = np.percentile(before, [5, 95])
    wanted = np.clip((before - low) / (high - low), 0, 1)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_two_normalisations_in_a_row(movie):
    found = run(movie, steps(NORMALISE, MEDIAN, NORMALISE)).compute()
    middle = run(movie, steps(NORMALISE, MEDIAN)).compute()
    low, high = np.percentile(middle.astype(float), [5, 95])
    np.testing.assert_allclose(
        found, np.clip((middle - low) / (high - low), 0, 1), atol=1e-6
    )


def test_integers_are_clipped_not_wrapped(movie):
    found = run(movie, steps(BACKGROUND)).compute()
    wanted = np.clip(movie.astype(int) - 100, 0, None)
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == np.uint16


def test_float32_keeps_what_is_below_the_background(movie):
    found = run(movie, steps(BACKGROUND), floating=True).compute()
    np.testing.assert_array_equal(found, movie.astype(np.float32) - 100)
    assert found.min() < 0 and found.dtype == np.float32


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i4", "u8", "f4", "f8", "f2"])
@pytest.mark.parametrize("chosen", [[], [MEDIAN], [NORMALISE], [BACKGROUND, PER_FRAME]])
def test_the_dtype_is_known_before_anything_is_computed(dtype, chosen, movie):
    lazy = run((movie % 250).astype(dtype), steps(*chosen), [[0.5, 0]] * 5)
    plain = np.dtype(dtype).newbyteorder("=")
    keeps = plain.kind in "ui" and NORMALISE not in chosen and PER_FRAME not in chosen
    assert lazy.dtype == (plain if keeps else np.float32)
    assert lazy.compute().dtype == lazy.dtype


def test_pixels_without_data_are_zero_and_never_counted(movie):
    shifts = np.array([[0, 0], [3, -4], [-2.5, 6.25], [0, 0.5], [100, 0]])
    plain = run(movie, [], shifts).compute()
    assert (plain[1, :3] == 0).all() and (plain[1, :, -4:] == 0).all()
    np.testing.assert_array_equal(plain[1, 3:, :-4], movie[1, :-3, 4:])
    assert (plain[4] == 0).all()

    counted = np.concatenate(
        [
            plain[0].ravel(),
            plain[1, 3:, :-4].ravel(),
            plain[2, :27, 7:].ravel(),
            plain[3, :, 1:].ravel(),
        ]
    )
    found = run(movie, steps(NORMALISE), shifts).compute()
    low, high = np.percentile(counted, [5, 95])
    np.testing.assert_allclose(
        found[0], np.clip((movie[0] - low) / (high - low), 0, 1), atol=1e-6
    )
    assert (found[1, :3] == 0).all() and (found[4] == 0).all()


def test_margins_do_not_pull_the_background_down():
    flat = np.full((2, 120, 120), 500, np.uint16)
    tophat = {"name": "background", "method": {"name": "tophat", "size_px": 31}}
    found = run(flat, steps(tophat), [[0, 0], [20, 10]]).compute()
    assert (found == 0).all()


def test_windows_equal_the_whole_and_only_their_frames_are_read(movie):
    read = []

    def load(plane, block_info=None):
        read.append(block_info[0]["chunk-location"][0])
        return plane

    source = da.from_array(movie, chunks=(1, 30, 40)).map_blocks(
        load, dtype=movie.dtype, meta=np.empty((0, 0, 0), movie.dtype)
    )
    shifts = [[0, 0], [1.5, 0], [0, -2.25], [3, 3], [0.125, 0]]
    drift = drift_table(np.array(shifts), np.ones(5), (30, 40))
    frames = RegisteredFrames.of(source, drift, None, "linear")
    chosen = steps(MEDIAN, NORMALISE, GAMMA)
    assert read == []
    table = measure_ranges(frames.stack, chosen, frames.valid_part)
    assert sorted(read) == [0, 1, 2, 3, 4]
    read.clear()
    lazy = frames.through(chosen, ranges_of(table))
    assert read == []
    window = lazy[2:4].compute()
    assert sorted(read) == [2, 3]
    np.testing.assert_array_equal(window, lazy.compute()[2:4])


def test_the_input_is_not_changed(movie):
    before = movie.copy()
    chosen = steps(BACKGROUND, MEDIAN, NORMALISE, GAMMA)
    process(movie[0], chosen, {2: (0.0, 100.0)})
    process(movie[0].astype(np.float32), chosen, {2: (0.0, 100.0)})
    np.testing.assert_array_equal(movie, before)


def test_nothing_is_measured_where_no_step_needs_it(movie):
    def refuse(frame, plane):
        raise AssertionError("a frame was read")

    table = measure_ranges(movie, steps(MEDIAN, PER_FRAME, GAMMA), refuse)
    assert len(INTENSITY_RANGE.validate(table)) == 0


def test_a_drift_table_that_misses_a_frame_is_refused(movie):
    drift = drift_table(np.zeros((4, 2)), np.ones(4), (30, 40))
    with pytest.raises(InputError, match="one row for each of the 5 frames"):
        RegisteredFrames.of(da.from_array(movie), drift, None, "linear")


def test_a_shuffled_drift_table_means_the_same(movie):
    shifts = np.arange(10.0).reshape(5, 2)
    drift = drift_table(shifts, np.ones(5), (30, 40))
    ordered = RegisteredFrames.of(da.from_array(movie), drift, None, "linear")
    mixed = RegisteredFrames.of(da.from_array(movie), drift.iloc[::-1], None, "linear")
    assert mixed.transforms == ordered.transforms


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "sharpen"},
        {"name": "gamma", "gama": 2},
        {"name": "background", "method": {"name": "rolling_ball", "radius_px": -1}},
        {"name": "denoise"},
        {"name": "gamma", "gamma": float("nan")},
    ],
)
def test_wrong_steps_are_refused(wrong):
    with pytest.raises(ValidationError):
        steps(wrong)


def test_every_step_of_the_registry_can_be_configured():
    chosen = steps(BACKGROUND, MEDIAN, NORMALISE, GAMMA)
    assert {type(step) for step in chosen} == {kind.options for kind in STEPS.values()}
