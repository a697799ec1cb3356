"""Compiled loops over the pixels of an image; import lazily, it loads numba."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_BINS = 256
_SMALL = 24


@njit(cache=True, nogil=True)
def intensities(image, runs, first, area):  # type: ignore[no-untyped-def]
    """(N, 4) sum, mean, median and standard deviation (n - 1) of each object."""
    n = len(area)
    out = np.empty((n, 4))
    largest = 1
    for i in range(n):
        largest = max(largest, area[i])
    values = np.empty(largest)
    bins = np.empty(_BINS, np.int64)
    for i in range(n):
        size = 0
        for k in range(first[i], first[i + 1]):
            line = image[runs[k, 0]]
            for x in range(runs[k, 1], runs[k, 2]):
                values[size] = line[x]
                size += 1
        total = _sum(values, size, 0.0, False)
        mean = total / size
        out[i, 0] = total
        out[i, 1] = mean
        out[i, 3] = np.nan
        if size > 1:
            out[i, 3] = math.sqrt(_sum(values, size, mean, True) / (size - 1))
        out[i, 2] = _median(values, size, bins)
    return out


@njit(cache=True, nogil=True)
def _sum(values, size, centre, squared):  # type: ignore[no-untyped-def]
    """Sum of values, or of squared differences from ``centre``, in a fixed order."""
    # Four independent sums keep the adder busy; the order never changes.
    a = b = c = d = 0.0
    whole = size - size % 4
    for k in range(0, whole, 4):
        p, q = values[k] - centre, values[k + 1] - centre
        r, s = values[k + 2] - centre, values[k + 3] - centre
        if squared:
            p, q, r, s = p * p, q * q, r * r, s * s
        a += p
        b += q
        c += r
        d += s
    for k in range(whole, size):
        p = values[k] - centre
        a += p * p if squared else p
    return (a + b) + (c + d)


@njit(cache=True, nogil=True)
def _median(values, size, bins):  # type: ignore[no-untyped-def]
    """Exact median by repeated bucketing; reorders ``values``; NaN if any is NaN."""
    if size == 0:
        return np.nan
    lower, upper = (size - 1) // 2, size // 2
    while size > _SMALL:
        low = high = values[0]
        broken = False
        for k in range(size):
            low = min(low, values[k])
            high = max(high, values[k])
            broken |= values[k] != values[k]
        if broken:
            return np.nan
        if low == high:
            return low
        scale = _BINS / (high - low)
        if not (0 < scale < np.inf) or high - low == np.inf:
            values[:size].sort()  # infinite, or closer than a bucket can resolve
            return 0.5 * (values[lower] + values[upper])
        bins[:] = 0
        for k in range(size):
            bins[min(_BINS - 1, int((values[k] - low) * scale))] += 1
        before = 0
        box = 0
        while before + bins[box] <= lower:
            before += bins[box]
            box += 1
        if before + bins[box] <= upper:
            return _between(values, size, box, low, scale)
        size = _keep_box(values, size, box, low, scale)
        lower -= before
        upper -= before
    values[:size].sort()
    # Sorting puts NaN last.
    if values[size - 1] != values[size - 1]:
        return np.nan
    return 0.5 * (values[lower] + values[upper])


@njit(cache=True, nogil=True)
def _keep_box(values, size, box, low, scale):  # type: ignore[no-untyped-def]
    kept = 0
    for k in range(size):
        value = values[k]
        if min(_BINS - 1, int((value - low) * scale)) == box:
            values[kept] = value
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _between(values, size, box, low, scale):  # type: ignore[no-untyped-def]
    """Mean of the largest value up to bucket ``box`` and the smallest after it."""
    below, above = -np.inf, np.inf
    for k in range(size):
        value = values[k]
        if min(_BINS - 1, int((value - low) * scale)) <= box:
            below = max(below, value)
        else:
            above = min(above, value)
    return 0.5 * (below + above)


@njit(cache=True, nogil=True)
def background(image, labels, y0, y1, x0, x1):  # type: ignore[no-untyped-def]
    """Exact median of the unlabelled pixels of a rectangle; NaN pixels are no data."""
    values = np.empty(max(0, y1 - y0) * max(0, x1 - x0))
    size = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            value = float(image[y, x])
            values[size] = value
            # Written always, kept on condition: no branch to mispredict.
            size += int((labels[y, x] == 0) & (value == value))
    return _median(values, size, np.empty(_BINS, np.int64))
