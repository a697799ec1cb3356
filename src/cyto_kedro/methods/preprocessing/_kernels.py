"""Compiled loops of preprocessing; imported where they are needed only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def histogram_digit(keys: np.ndarray, shift: int) -> np.ndarray:
    """Counts (65536,) int64 of 16 bits of each unsigned key, from bit ``shift`` up."""
    counts = np.zeros(65536, np.int64)
    cut = np.uint64(shift)
    mask = np.uint64(0xFFFF)
    for key in keys:
        counts[(np.uint64(key) >> cut) & mask] += 1
    return counts


@njit(cache=True, nogil=True)
def histogram_within(keys: np.ndarray, shift: int, prefix: int) -> np.ndarray:
    """As :func:`histogram_digit`, of the keys whose higher bits are ``prefix``."""
    counts = np.zeros(65536, np.int64)
    cut, above = np.uint64(shift), np.uint64(shift + 16)
    mask, wanted = np.uint64(0xFFFF), np.uint64(prefix)
    for key in keys:
        wide = np.uint64(key)
        if wide >> above == wanted:
            counts[(wide >> cut) & mask] += 1
    return counts


@njit(cache=True, nogil=True)
def ordered_bits(bits: np.ndarray, sign: int) -> np.ndarray:
    """Keys that order like the IEEE 754 floats whose bits are given.

    Positive floats order like their bits, negative ones the other way round.
    """
    out = np.empty_like(bits)
    top = np.uint64(sign)
    for i in range(bits.size):
        wide = np.uint64(bits[i])
        out[i] = ~wide if wide & top else wide | top
    return out


@njit(cache=True, nogil=True)
def look_up(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """``table[values]`` for a contiguous 1D uint16 or uint8 array."""
    out = np.empty(values.size, table.dtype)
    for i in range(values.size):
        out[i] = table[values[i]]
    return out


@njit(cache=True, nogil=True)
def largest_rectangle(inside: np.ndarray) -> tuple[int, int, int, int]:
    """(y0, y1, x0, x1) of the largest all-true rectangle of a mask, end excluded.

    Row by row, the columns' heights of true pixels form a histogram, whose largest
    rectangle a stack of rising heights finds in one pass. All zero for an empty mask.
    """
    rows, columns = inside.shape
    heights = np.zeros(columns + 1, np.int64)  # the last 0 empties the stack
    starts = np.empty(columns + 1, np.int64)
    levels = np.empty(columns + 1, np.int64)
    best = 0
    y0 = y1 = x0 = x1 = 0
    for y in range(rows):
        depth = 0
        for x in range(columns + 1):
            if x < columns:
                heights[x] = heights[x] + 1 if inside[y, x] else 0
            start = x
            while depth > 0 and levels[depth - 1] >= heights[x]:
                depth -= 1
                start = starts[depth]
                area = levels[depth] * (x - start)
                if area > best:
                    best = area
                    y0, y1, x0, x1 = y + 1 - levels[depth], y + 1, start, x
            starts[depth], levels[depth] = start, heights[x]
            depth += 1
    return y0, y1, x0, x1
