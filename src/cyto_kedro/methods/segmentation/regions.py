"""Small operations on label images: holes, pieces, levels, ids."""

from __future__ import annotations

import numpy as np


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """Fill background that a single cell encloses (4-connected, not at the border).

    Args:
        labels: YX integer masks.

    Returns:
        A new array of the same dtype.
    """
    from skimage.measure import label

    gaps = label(labels == 0, connectivity=1)
    count = int(gaps.max()) + 1
    lowest = np.full(count, np.iinfo(np.int64).max)
    highest = np.zeros(count, np.int64)
    for gap, cell in _neighbours(gaps, labels):
        edge = (gap > 0) & (cell > 0)
        np.minimum.at(lowest, gap[edge], cell[edge].astype(np.int64))
        np.maximum.at(highest, gap[edge], cell[edge].astype(np.int64))
    enclosed = lowest == highest
    for side in (gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]):
        enclosed[side] = False
    enclosed[0] = False
    filled = labels.copy()
    inside = enclosed[gaps]
    filled[inside] = highest[gaps[inside]].astype(labels.dtype)
    return filled


def _neighbours(
    first: np.ndarray, second: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Pairs of pixels of two images that share a side."""
    return (
        (first[1:], second[:-1]),
        (first[:-1], second[1:]),
        (first[:, 1:], second[:, :-1]),
        (first[:, :-1], second[:, 1:]),
    )


def largest_pieces(labels: np.ndarray) -> np.ndarray:
    """Keep the largest 4-connected piece of each cell."""
    from skimage.measure import label

    pieces = label(labels, connectivity=1)
    area = np.bincount(pieces.ravel())
    owner = np.zeros(len(area), np.int64)
    owner[pieces.ravel()] = labels.ravel()
    # By owner, then from large to small: the first of each owner stays.
    order = np.lexsort((-area, owner))
    leads = np.ones(len(order), bool)
    leads[1:] = owner[order][1:] != owner[order][:-1]
    keep = np.zeros(len(area), bool)
    keep[order[leads]] = True
    keep[0] = False
    return np.where(keep[pieces], labels, 0).astype(labels.dtype)


def number_kept(labels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """uint32 masks of the kept ids, numbered 1..n in ascending order of the old ids.

    Args:
        labels: YX masks with ids below ``len(keep)``.
        keep: bool per id; entry 0 is ignored.
    """
    chosen = keep.copy()
    chosen[0] = False
    ids = np.zeros(len(keep), np.uint32)
    ids[chosen] = np.arange(1, chosen.sum() + 1, dtype=np.uint32)
    return ids[labels]


def largest_values(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """(count + 1,) largest value in each label; -inf where a label has no pixel."""
    found = np.full(count + 1, -np.inf, values.dtype)
    inside = labels > 0
    np.maximum.at(found, labels[inside], values[inside])
    return found


def mean_values(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """(count + 1,) mean of each label; 0 where a label has no pixel, and at 0."""
    inside = labels > 0
    return _mean(labels[inside], values[inside].astype(np.float64), count)


def half_levels(
    signal: np.ndarray, labels: np.ndarray, count: int, share: float
) -> np.ndarray:
    """Threshold of each label at a share of its own mean brightness.

    The mean is that of the pixels above the threshold, found by iteration as in
    Ridler & Calvard 1978 (doi:10.1109/TSMC.1978.4310039) with the background at 0.

    Returns:
        (count + 1,) float64; 0 for labels without signal.
    """
    inside = labels > 0
    ids, values = labels[inside], np.maximum(signal[inside], 0).astype(np.float64)
    # The signal's own weighted mean starts near the plateau, not in the halo.
    mean = _mean(ids, values * values, count, values)
    for _ in range(3):
        above = values > share * mean[ids]
        mean = _mean(ids[above], values[above], count)
    return share * mean


def _mean(
    ids: np.ndarray, values: np.ndarray, count: int, weight: np.ndarray | None = None
) -> np.ndarray:
    total = np.bincount(ids, values, count + 1)
    size = np.bincount(ids, weight, count + 1)
    return np.divide(total, size, out=np.zeros(count + 1), where=size > 0)
