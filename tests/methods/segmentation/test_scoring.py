"""The score against cases counted by hand and against an exhaustive matching."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cyto_kedro.methods.segmentation.scoring import (
    iou_matrix,
    match_cells,
    match_movie,
)


def strip(*runs):
    """One-row masks: ``strip((1, 4), (0, 2))`` is four ones and two zeros."""
    return np.concatenate([np.full(length, label) for label, length in runs])[None]


def test_iou_by_hand():
    truth = strip((5, 4), (0, 2), (9, 4))
    found = strip((0, 1), (3, 5), (8, 4))
    # 5 and 3 share 3 of 6 pixels; 9 and 8 share 4 of 4
    np.testing.assert_allclose(iou_matrix(truth, found).toarray(), [[0.5, 0], [0, 1]])


def test_counts_by_hand():
    truth = strip((5, 4), (0, 2), (9, 4))
    found = strip((0, 1), (3, 5), (8, 4))
    loose, tight = match_cells(truth, found, [0.5, 0.51])
    assert (loose.true_positives, loose.false_positives) == (2, 0)
    assert (tight.true_positives, tight.false_positives, tight.false_negatives) == (
        1,
        1,
        1,
    )
    assert tight.f1 == tight.precision == tight.recall == 0.5


@settings(max_examples=50, deadline=None)
@given(
    truth=arrays(np.int64, (4, 5), elements=st.integers(0, 3)),
    found=arrays(np.int64, (4, 5), elements=st.integers(0, 3)),
    threshold=st.sampled_from([0.1, 0.3, 0.5, 0.8]),
)
def test_the_matching_is_the_largest_one_to_one(truth, found, threshold):
    pairs = {
        (a, b)
        for a in (1, 2, 3)
        for b in (1, 2, 3)
        if ((truth == a) | (found == b)).any()
        and ((truth == a) & (found == b)).sum() / ((truth == a) | (found == b)).sum()
        >= threshold
    }
    best = max(
        sum((a, b) in pairs for a, b in zip((1, 2, 3), order, strict=True))
        for order in permutations((1, 2, 3))
    )
    assert match_cells(truth, found, [threshold])[0].true_positives == best


def test_a_perfect_movie_and_an_empty_one():
    masks = np.stack([strip((1, 3), (2, 3)), strip((4, 6))])
    assert [m.f1 for m in match_movie(masks, masks)] == [1, 1, 1]
    nothing = np.zeros_like(masks)
    assert all(math.isnan(m.f1) for m in match_movie(nothing, nothing))
    missed = match_movie(masks, nothing)[0]
    assert missed.recall == 0
    assert math.isnan(missed.precision)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="differ in shape"):
        match_cells(np.zeros((2, 3), int), np.zeros((3, 2), int))
