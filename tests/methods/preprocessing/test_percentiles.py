"""Streamed percentiles are exactly those of the whole movie."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing import percentiles
from cyto_kedro.methods.preprocessing.percentiles import (
    array_percentiles,
    movie_percentiles,
)

DTYPES = "? u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8 >u2 >i4 >f4".split()


def pixels(dtype, shape, spread, rng):
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if kind == "f":
        return (rng.normal(0, 10.0**spread, shape)).astype(dtype)
    info = np.iinfo(dtype)
    reach = int(min(info.max, 10 ** (2 * spread)))
    low = -reach if kind == "i" else 0
    return rng.integers(low, reach, shape, endpoint=True).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)),
    chunks=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)),
    percent=st.lists(st.floats(0, 100), min_size=1, max_size=3),
    spread=st.integers(0, 4),
    collect=st.sampled_from([0, 5, 1 << 18]),
    seed=st.integers(0, 1000),
)
def test_equal_to_numpy_for_any_dtype_and_chunking(
    dtype, shape, chunks, percent, spread, collect, seed
):
    movie = pixels(dtype, shape, spread, np.random.default_rng(seed))
    wanted = np.percentile(movie.astype(np.float64), percent)
    with pytest.MonkeyPatch.context() as patch:
        # Both ends of the search: bucket by bucket, or by collecting the last values.
        patch.setattr(percentiles, "_COLLECT_LIMIT", collect)
        found = movie_percentiles(da.from_array(movie, chunks=chunks), percent)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u4"])
def test_ties_larger_than_what_may_be_collected(dtype, monkeypatch):
    monkeypatch.setattr(percentiles, "_COLLECT_LIMIT", 100)
    rng = np.random.default_rng(0)
    movie = np.full((3, 40, 40), 7, dtype)
    movie[:, ::4] = rng.uniform(0, 20, (3, 10, 40)).astype(dtype)
    found = movie_percentiles(movie, [2, 50, 97])
    wanted = np.percentile(movie.astype(float), [2, 50, 97])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_large_integers_are_not_rounded_on_the_way():
    top = np.iinfo(np.uint64).max
    movie = np.array([[[0, top - 4096, top]]], np.uint64)
    assert movie_percentiles(movie, [50]).tolist() == [float(top - 4096)]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_does_not_matter(threads):
    movie = np.random.default_rng(1).normal(size=(9, 20, 20)).astype(np.float32)
    set_workers(threads)
    try:
        found = movie_percentiles(movie, [5, 95])
    finally:
        set_workers(None)
    np.testing.assert_allclose(found, np.percentile(movie.astype(float), [5, 95]))


def test_only_prepared_pixels_count():
    movie = np.zeros((2, 4, 4), np.uint8)
    movie[0, :2], movie[1, 2:] = 10, 20
    part = [slice(0, 2), slice(2, 4)]
    found = movie_percentiles(movie, [0, 100], lambda t, plane: plane[part[t]])
    assert found.tolist() == [10, 20]


def test_no_pixels_have_no_percentile():
    movie = np.zeros((2, 4, 4), np.uint16)
    found = movie_percentiles(movie, [5, 95], lambda t, plane: plane[:0])
    assert np.isnan(found).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused_and_its_frame_named(bad):
    movie = np.zeros((3, 4, 4), np.float32)
    movie[1, 2, 2] = bad
    with pytest.raises(InputError, match="frame 1"):
        movie_percentiles(movie, [5])


def test_complex_pixels_are_refused():
    with pytest.raises(InputError, match="complex"):
        array_percentiles(np.zeros((2, 2), np.complex64), [5])
