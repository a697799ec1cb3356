"""Compiled loops over the runs of a label frame; import lazily, it loads numba."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def find_runs(labels):  # type: ignore[no-untyped-def]
    """Runs (row, start, stop) of a label frame in scan order, and their labels."""
    height, width = labels.shape
    count = 0
    for y in range(height):
        line = labels[y]
        if width and line[0] != 0:
            count += 1
        for x in range(1, width):
            count += int((line[x] != line[x - 1]) & (line[x] != 0))
    runs = np.empty((count, 3), np.int32)
    names = np.empty(count, np.uint32)
    k = 0
    for y in range(height):
        line = labels[y]
        x = 0
        while x < width:
            here = line[x]
            start = x
            x += 1
            while x < width and line[x] == here:
                x += 1
            if here != 0:
                runs[k, 0] = y
                runs[k, 1] = start
                runs[k, 2] = x
                names[k] = here
                k += 1
    return runs, names


@njit(cache=True, nogil=True)
def group_runs(runs, index, n):  # type: ignore[no-untyped-def]
    """Counting sort of the runs by object; rows stay in order within an object."""
    first = np.zeros(n + 1, np.int64)
    for k in range(len(index)):
        first[index[k] + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    place = first[:-1].copy()
    grouped = np.empty_like(runs)
    for k in range(len(index)):
        i = index[k]
        for c in range(3):
            grouped[place[i], c] = runs[k, c]
        place[i] += 1
    return grouped, first


@njit(cache=True, nogil=True)
def _squares_up_to(k):  # type: ignore[no-untyped-def]
    return k * (k + 1) * (2 * k + 1) // 6


@njit(cache=True, nogil=True)
def measure_runs(runs, index, n):  # type: ignore[no-untyped-def]
    """Area, bounding box, coordinate sums, origin and grid crossings per object."""
    area = np.zeros(n, np.int64)
    bbox = np.zeros((n, 4), np.int64)
    sums = np.zeros((n, 5), np.int64)
    origin = np.zeros((n, 2), np.int64)
    crossings = np.zeros((n, 3), np.int64)
    for k in range(len(index)):
        i = index[k]
        y, start, stop = (
            np.int64(runs[k, 0]),
            np.int64(runs[k, 1]),
            np.int64(runs[k, 2]),
        )
        if area[i] == 0:
            origin[i, 0], origin[i, 1] = y, start
            bbox[i, 0], bbox[i, 1], bbox[i, 3] = y, start, stop
        bbox[i, 1] = min(bbox[i, 1], start)
        bbox[i, 2] = y + 1
        bbox[i, 3] = max(bbox[i, 3], stop)
        length = stop - start
        dy = y - origin[i, 0]
        a, b = start - origin[i, 1], stop - origin[i, 1]
        sum_x = (a + b - 1) * length // 2
        area[i] += length
        sums[i, 0] += dy * length
        sums[i, 1] += sum_x
        sums[i, 2] += dy * dy * length
        sums[i, 3] += _squares_up_to(b - 1) - _squares_up_to(a - 1)
        sums[i, 4] += dy * sum_x
        crossings[i, 0] += 2
    for i in range(n):
        crossings[i, 1] = 2 * area[i]
        crossings[i, 2] = 4 * area[i]
    _take_inner_pairs(runs, index, crossings)
    return area, bbox, sums, origin, crossings


@njit(cache=True, nogil=True)
def _take_inner_pairs(runs, index, crossings):  # type: ignore[no-untyped-def]
    """Each pixel pair inside an object takes two crossings off its grid line."""
    behind = 0
    for k in range(len(index)):
        y, start, stop = runs[k, 0], runs[k, 1], runs[k, 2]
        # Skip runs that no later run of this row can touch, diagonals included.
        while runs[behind, 0] < y - 1 or (
            runs[behind, 0] == y - 1 and runs[behind, 2] < start
        ):
            behind += 1
        j = behind
        while runs[j, 0] == y - 1 and runs[j, 1] <= stop:
            if index[j] == index[k]:
                i = index[k]
                s, e = runs[j, 1], runs[j, 2]
                crossings[i, 1] -= 2 * max(0, min(e, stop) - max(s, start))
                crossings[i, 2] -= 2 * max(0, min(e + 1, stop) - max(s + 1, start))
                crossings[i, 2] -= 2 * max(0, min(e - 1, stop) - max(s - 1, start))
            j += 1


@njit(cache=True, nogil=True)
def feret(runs, first, dy, dx):  # type: ignore[no-untyped-def]
    """Largest distance of two pixel centres of each object."""
    n = len(first) - 1
    out = np.zeros(n)
    longest = 0
    for i in range(n):
        longest = max(longest, first[i + 1] - first[i])
    hull = np.empty((2 * longest, 2), np.int64)
    for i in range(n):
        best = 0.0
        left = _chain(runs, first[i], first[i + 1], hull, 0, -1)
        size = _chain(runs, first[i], first[i + 1], hull, left, 1)
        # A diameter joins two corners of the hull.
        for p in range(size):
            for q in range(p):
                a = (hull[p, 0] - hull[q, 0]) * dy
                b = (hull[p, 1] - hull[q, 1]) * dx
                best = max(best, a * a + b * b)
        out[i] = math.sqrt(best)
    return out


@njit(cache=True, nogil=True)
def _chain(runs, begin, end, hull, base, sign):  # type: ignore[no-untyped-def]
    """Append the left (sign -1) or right (sign 1) half of an object's convex hull."""
    size = base
    k = begin
    while k < end:
        y = np.int64(runs[k, 0])
        x = np.int64(runs[k, 1])
        if sign > 0:
            x = np.int64(runs[k, 2]) - 1
        k += 1
        while k < end and runs[k, 0] == y:
            if sign > 0:
                x = np.int64(runs[k, 2]) - 1
            k += 1
        while size > base + 1:
            ay, ax = hull[size - 2, 0], hull[size - 2, 1]
            by, bx = hull[size - 1, 0], hull[size - 1, 1]
            turn = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
            if turn * sign > 0:
                break
            size -= 1
        hull[size, 0], hull[size, 1] = y, x
        size += 1
    return size
