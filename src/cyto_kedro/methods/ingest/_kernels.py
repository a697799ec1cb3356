"""Compiled sweeps over one frame; imported where they are needed only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def histogram(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Count each value of a contiguous 1D unsigned integer array; (n_bins,) int64."""
    counts = np.zeros(n_bins, np.int64)
    for value in values:
        counts[value] += 1
    return counts


@njit(cache=True, nogil=True)
def laplacian_variance(plane: np.ndarray) -> float:
    """Variance of the 4-neighbour Laplacian over the inner pixels of a YX plane."""
    height, width = plane.shape
    total, squares = 0.0, 0.0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            around = (
                float(plane[y - 1, x])
                + float(plane[y + 1, x])
                + float(plane[y, x - 1])
                + float(plane[y, x + 1])
            )
            value = around - 4.0 * float(plane[y, x])
            total += value
            squares += value * value
    count = (height - 2) * (width - 2)
    mean = total / count
    return squares / count - mean * mean
