"""Holes, pieces, sizes, borders and ids of label images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage as ndi

from cyto_kedro.methods.segmentation import clean_labels
from cyto_kedro.methods.segmentation.margins import data_rectangle, within_data
from cyto_kedro.methods.segmentation.regions import fill_holes, largest_pieces

SMALL_LABELS = arrays(np.int32, (9, 8), elements=st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(labels=SMALL_LABELS)
def test_only_background_is_filled_and_only_by_the_cell_around_it(labels):
    filled = fill_holes(labels)
    np.testing.assert_array_equal(filled[labels > 0], labels[labels > 0])
    gaps, count = ndi.label(labels == 0)
    for gap in range(1, count + 1):
        inside = gaps == gap
        touches = (
            inside[0].any()
            or inside[-1].any()
            or inside[:, 0].any()
            or inside[:, -1].any()
        )
        around = np.unique(labels[ndi.binary_dilation(inside) & ~inside])
        expected = around[0] if len(around) == 1 and not touches else 0
        assert (filled[inside] == expected).all()


@settings(max_examples=60, deadline=None)
@given(labels=SMALL_LABELS)
def test_one_piece_of_each_cell_stays_and_it_is_the_largest(labels):
    kept = largest_pieces(labels)
    for cell in np.unique(labels[labels > 0]):
        pieces, count = ndi.label(labels == cell)
        _, left = ndi.label(kept == cell)
        assert left == 1
        sizes = ndi.sum_labels(np.ones(labels.shape), pieces, range(1, count + 1))
        assert (kept == cell).sum() == sizes.max()
    assert set(np.unique(kept)) <= set(np.unique(labels)) | {0}


def squares():
    labels = np.zeros((12, 14), np.uint32)
    labels[0:2, 0:2] = 7  # 4 px, at the border
    labels[3:6, 3:6] = 2  # 9 px
    labels[7:11, 7:12] = 5  # 20 px
    return labels


def test_ids_become_consecutive_in_their_old_order():
    cleaned = clean_labels(squares(), 1.0)
    assert cleaned.dtype == np.uint32
    assert [cleaned[0, 0], cleaned[4, 4], cleaned[8, 8]] == [3, 1, 2]


@pytest.mark.parametrize(
    ("options", "areas"),
    [
        ({"min_area_um2": 2.25}, [9, 20]),  # 9 px of 0.25 um2: kept at the bound
        ({"min_area_um2": 2.26}, [20]),
        ({"max_area_um2": 2.25}, [9, 4]),
        ({"exclude_border": True}, [9, 20]),
        ({"min_area_um2": 100}, []),
    ],
)
def test_sizes_are_physical_and_the_border_is_excluded(options, areas):
    cleaned = clean_labels(squares(), 0.25, **options)
    assert np.bincount(cleaned.ravel())[1:].tolist() == areas


def test_a_frame_without_cells_or_without_background():
    assert not clean_labels(np.zeros((4, 5), np.int64), 1.0).any()
    assert (clean_labels(np.full((4, 5), 9, np.uint32), 1.0) == 1).all()
    # ids so large that a table over them would not fit
    sparse = np.full((2, 2), 4_000_000_000, np.uint32)
    sparse[0, 0] = 3_000_000_000
    assert clean_labels(sparse, 1.0).tolist() == [[1, 2], [2, 2]]


def test_more_cells_than_sixteen_bits():
    labels = np.zeros((600, 600), np.uint32)
    labels[::2, ::2] = np.arange(1, 90_001).reshape(300, 300)
    cleaned = clean_labels(labels, 1.0)
    assert cleaned.max() == 90_000
    np.testing.assert_array_equal(cleaned, labels)


def test_margins_without_data_are_not_segmented():
    image = np.full((20, 30), 50)
    image[:4] = 0
    image[:, 25:] = 0
    seen = []

    def everything(part):
        seen.append(part.shape)
        return np.ones(part.shape, np.uint32)

    masks = within_data(everything)(image)
    assert seen == [(16, 25)]
    np.testing.assert_array_equal(masks > 0, image > 0)


def test_cells_on_a_black_background_are_no_field_of_view():
    image = np.zeros((20, 30))
    image[5:15, 5:25] = 9
    image[5, 5] = 0
    assert data_rectangle(image) == (slice(0, 20), slice(0, 30))
    assert data_rectangle(np.zeros((4, 5))) == (slice(0, 4), slice(0, 5))
