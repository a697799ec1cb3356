"""Agreement of a segmentation with a reference, cell by cell.

A predicted and a true cell match when their masks' intersection over union (IoU)
reaches a threshold; matches are one to one and as many as possible. For IoU > 0.5 the
pairs are unique, so this is the usual F1 of the field (Caicedo et al. 2019,
doi:10.1038/s41592-019-0612-7).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching


@dataclass(frozen=True)
class Matching:
    """Matched, spurious and missed cells at one IoU threshold."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Matched share of the predicted cells; NaN without predictions."""
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else float("nan")

    @property
    def recall(self) -> float:
        """Matched share of the true cells; NaN without true cells."""
        there = self.true_positives + self.false_negatives
        return self.true_positives / there if there else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN if there is no cell at all."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / total if total else float("nan")

    def __add__(self, other: Matching) -> Matching:
        """Pool the counts of two frames."""
        if self.threshold != other.threshold:
            raise ValueError("only matchings at the same IoU threshold can be pooled")
        return Matching(
            self.threshold,
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )


def iou_matrix(truth: np.ndarray, found: np.ndarray) -> sparse.csr_array:
    """Sparse IoU of every overlapping pair of cells.

    Args:
        truth: YX integer masks, 0 = background, any ids.
        found: YX integer masks of the same shape.

    Returns:
        (n true cells, n found cells), rows and columns in ascending id order.
    """
    if truth.shape != found.shape:
        raise ValueError(f"masks differ in shape: {truth.shape} and {found.shape}")
    true_ids, rows = np.unique(truth, return_inverse=True)
    found_ids, columns = np.unique(found, return_inverse=True)
    both = sparse.coo_array(
        (np.ones(truth.size, np.int64), (rows.ravel(), columns.ravel())),
        shape=(len(true_ids), len(found_ids)),
    ).tocsr()
    true_area, found_area = both.sum(axis=1), both.sum(axis=0)
    cells = np.ix_(true_ids != 0, found_ids != 0)
    shared = both[cells[0].ravel()][:, cells[1].ravel()].tocoo()
    union = (
        true_area[true_ids != 0][shared.row] + found_area[found_ids != 0][shared.col]
    )
    iou = shared.data / (union - shared.data)
    return sparse.csr_array((iou, (shared.row, shared.col)), shape=shared.shape)


def match_cells(
    truth: np.ndarray, found: np.ndarray, thresholds: Iterable[float] = (0.5, 0.7, 0.9)
) -> tuple[Matching, ...]:
    """One-to-one matching of one frame at each IoU threshold in (0, 1]."""
    iou = iou_matrix(truth, found).tocoo()
    results = []
    for threshold in thresholds:
        close = iou.data >= threshold
        graph = sparse.csr_array(
            (
                np.ones(close.sum(), np.int8),
                (iou.row[close].astype(np.int32), iou.col[close].astype(np.int32)),
            ),
            shape=iou.shape,
        )
        hits = 0
        if graph.nnz:
            hits = int((maximum_bipartite_matching(graph) >= 0).sum())
        n_true, n_found = iou.shape
        results.append(Matching(threshold, hits, n_found - hits, n_true - hits))
    return tuple(results)


def match_movie(
    truth: np.ndarray, found: np.ndarray, thresholds: Iterable[float] = (0.5, 0.7, 0.9)
) -> tuple[Matching, ...]:
    """Counts of :func:`match_cells` pooled over the frames of two TYX stacks."""
    levels = tuple(thresholds)
    pooled = tuple(Matching(level, 0, 0, 0) for level in levels)
    for true_frame, found_frame in zip(truth, found, strict=True):
        frame = match_cells(np.asarray(true_frame), np.asarray(found_frame), levels)
        pooled = tuple(a + b for a, b in zip(pooled, frame, strict=True))
    return pooled
