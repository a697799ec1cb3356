"""Compiled loops of preprocessing; imported where they are needed only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def histogram16(digits: np.ndarray) -> np.ndarray:
    """Count each value of a contiguous 1D uint16 array; returns (65536,) int64."""
    counts = np.zeros(65536, np.int64)
    for digit in digits:
        counts[digit] += 1
    return counts


@njit(cache=True, nogil=True)
def look_up(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """``table[values]`` for a contiguous 1D uint16 or uint8 array."""
    out = np.empty(values.size, table.dtype)
    for i in range(values.size):
        out[i] = table[values[i]]
    return out
