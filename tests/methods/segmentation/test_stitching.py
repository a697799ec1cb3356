"""Masks of tiles become one frame: no cell lost, doubled or cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.methods.segmentation.stitching import stitch
from cyto_kedro.methods.segmentation.tiling import cut


def ellipses(shape, count, seed, largest):
    """Ellipses that may touch; each is one connected cell."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    truth = np.zeros(shape, np.uint32)
    for number in range(1, count + 1):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        a, b = rng.uniform(2, largest, 2)
        cell = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
        if not truth[cell].any():
            truth[cell] = number
    return truth


def seen(truth, tiles, seed=0):
    """Each tile's view of the truth, with ids of its own."""
    rng = np.random.default_rng(seed)
    for tile in tiles:
        ids = np.zeros(int(truth.max()) + 1, np.uint32)
        ids[1:] = 1 + rng.permutation(len(ids) - 1)
        yield tile, ids[truth[tile.window]]


def in_reading_order(truth):
    """The same cells numbered by their first pixel."""
    ids, first = np.unique(truth[truth > 0], return_index=True)
    numbers = np.zeros(int(truth.max()) + 1, np.uint32)
    numbers[ids[np.argsort(first)]] = np.arange(1, len(ids) + 1)
    return numbers[truth]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, 25),
    st.sampled_from([4.0, 9.0, 40.0]),
    st.integers(12, 70),
    st.integers(1, 20),
)
def test_what_all_tiles_agree_on_comes_out_as_it_is(seed, count, largest, size, margin):
    shape = (61, 83)
    truth = ellipses(shape, count, seed, largest)
    tiles = list(cut(shape, size, margin))
    np.testing.assert_array_equal(
        stitch(seen(truth, tiles, seed), shape), in_reading_order(truth)
    )


@pytest.mark.parametrize("size", [7, 20, 200])
def test_cores_cover_the_frame_once_and_windows_look_further(size):
    shape, margin = (50, 33), 5
    count = np.zeros(shape, int)
    for tile in cut(shape, size, margin):
        count[tile.core] += 1
        for core, window, length in zip(tile.core, tile.window, shape, strict=True):
            assert core.stop - core.start <= size
            assert window.start == max(0, core.start - margin)
            assert window.stop == min(length, core.stop + margin)
    assert (count == 1).all()


TWO = list(cut((20, 40), 20, 10))  # cores at columns 0-20 and 20-40, windows to 30, 10


def drawn(tile, *cells):
    """Masks of a tile from (rows, columns) of the frame."""
    frame = np.zeros((20, 40), np.uint32)
    for number, (rows, columns) in enumerate(cells, start=1):
        frame[slice(*rows), slice(*columns)] = number
    return frame[tile.window]


WHOLE = ((5, 11), (12, 26))  # the centre, and that of the left half, in the left core
HALVES = ((5, 11), (12, 19)), ((5, 11), (19, 26))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_cell_that_one_tile_splits_is_whole_or_split_but_never_half(mirrored):
    views = [drawn(TWO[0], WHOLE), drawn(TWO[1], *HALVES)]
    if mirrored:
        views = [view[:, ::-1] for view in views[::-1]]
    labels = stitch(zip(TWO, views, strict=True), (20, 40))
    expected = np.zeros((20, 40), bool)
    expected[5:11, 12:26] = True
    np.testing.assert_array_equal(
        labels > 0, expected[:, ::-1] if mirrored else expected
    )


def test_a_cell_whose_centre_each_tile_gives_to_the_other_is_found_once():
    left, right = drawn(TWO[0], ((5, 11), (16, 26))), drawn(TWO[1], ((5, 11), (14, 24)))
    labels = stitch(zip(TWO, (left, right), strict=True), (20, 40))
    assert labels.max() == 1


def test_what_only_a_tile_that_does_not_own_it_saw_is_no_cell():
    left, right = drawn(TWO[0], ((5, 11), (22, 28))), drawn(TWO[1])
    assert not stitch(zip(TWO, (left, right), strict=True), (20, 40)).any()


def test_what_a_rim_makes_up_in_two_tiles_is_no_cell():
    """Tiles above each other have the same rim to the right."""
    tiles = list(cut((40, 40), 20, 8))
    speck = ((18, 22), (26, 28))
    frame = np.zeros((40, 40), np.uint32)
    frame[slice(*speck[0]), slice(*speck[1])] = 1
    views = [frame[t.window] * (t.core[1].start == 0) for t in tiles]
    assert not stitch(zip(tiles, views, strict=True), (40, 40)).any()


def test_a_cut_cell_is_taken_from_the_tile_that_sees_it_whole():
    """Its centre lies in the tile that cuts it, which also gets its outline wrong."""
    left = drawn(TWO[0], ((5, 11), (9, 30)))
    right = drawn(TWO[1], ((4, 12), (11, 35)))
    labels = stitch(zip(TWO, (left, right), strict=True), (20, 40))
    assert np.argwhere(labels).min(axis=0).tolist() == [4, 11]
    assert np.argwhere(labels).max(axis=0).tolist() == [11, 34]
    assert labels.max() == 1


def test_a_cell_larger_than_a_tile_is_united_from_its_pieces():
    bar = ((5, 11), (2, 38))
    labels = stitch(zip(TWO, [drawn(t, bar) for t in TWO], strict=True), (20, 40))
    assert labels.max() == 1
    assert (labels > 0).sum() == 6 * 36


def test_small_overlaps_of_neighbours_go_to_the_first():
    left = drawn(TWO[0], ((5, 11), (10, 20)))
    right = drawn(TWO[1], ((5, 11), (18, 26)))
    labels = stitch(zip(TWO, (left, right), strict=True), (20, 40))
    assert np.bincount(labels.ravel())[1:].tolist() == [60, 36]
