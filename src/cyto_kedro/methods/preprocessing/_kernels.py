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
