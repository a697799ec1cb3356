"""Compiled loops of the contact measurement; import it lazily, it loads numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def overlaps(runs_a, index_a, runs_b, index_b, n_b):  # type: ignore[no-untyped-def]
    """Stretches that runs of two masks share: (pair key, pixels), runs in scan order.

    The key of objects i and j is ``i * n_b + j``.
    """
    bound = len(index_a) + len(index_b)
    keys = np.empty(bound, np.int64)
    pixels = np.empty(bound, np.int64)
    count = 0
    i = j = 0
    while i < len(index_a) and j < len(index_b):
        row_a, row_b = runs_a[i, 0], runs_b[j, 0]
        if row_a == row_b:
            shared = min(runs_a[i, 2], runs_b[j, 2]) - max(runs_a[i, 1], runs_b[j, 1])
            if shared > 0:
                keys[count] = np.int64(index_a[i]) * n_b + index_b[j]
                pixels[count] = shared
                count += 1
        if row_a < row_b or (row_a == row_b and runs_a[i, 2] <= runs_b[j, 2]):
            i += 1
        else:
            j += 1
    return keys[:count], pixels[:count]


@njit(cache=True, nogil=True)
def boundary(labels, ids, runs, first, most, weights):  # type: ignore[no-untyped-def]
    """Boundary pixels of each object, rows ascending, with the length they stand for.

    A boundary pixel has a neighbour outside its object among the eight around it;
    what lies outside the image is outside. ``weights`` are lengths per crossing along
    rows, columns and diagonals; ``most`` bounds the number of pixels.
    """
    n = len(ids)
    place = np.empty((most, 2), np.int32)
    length = np.empty(most)
    start = np.zeros(n + 1, np.int64)
    count = 0
    for i in range(n):
        name = ids[i]
        for k in range(first[i], first[i + 1]):
            y = runs[k, 0]
            for x in range(runs[k, 1], runs[k, 2]):
                if runs[k, 1] < x < runs[k, 2] - 1 and _is_inner(labels, y, x, name):
                    continue  # most pixels end here
                along = _outside(labels, y, x - 1, name)
                along += _outside(labels, y, x + 1, name)
                across = _outside(labels, y - 1, x, name)
                across += _outside(labels, y + 1, x, name)
                slanted = _outside(labels, y - 1, x - 1, name)
                slanted += _outside(labels, y - 1, x + 1, name)
                slanted += _outside(labels, y + 1, x - 1, name)
                slanted += _outside(labels, y + 1, x + 1, name)
                place[count, 0], place[count, 1] = y, x
                length[count] = (
                    along * weights[0] + across * weights[1] + slanted * weights[2]
                )
                count += 1
        start[i + 1] = count
    return place[:count].copy(), length[:count].copy(), start


@njit(cache=True, nogil=True)
def _is_inner(labels, y, x, name):  # type: ignore[no-untyped-def]
    """Whether the rows above and below continue the object; x is inside a run."""
    if y == 0 or y == labels.shape[0] - 1:
        return False
    same = (labels[y - 1, x - 1] == name) & (labels[y + 1, x - 1] == name)
    same &= (labels[y - 1, x] == name) & (labels[y + 1, x] == name)
    return same & (labels[y - 1, x + 1] == name) & (labels[y + 1, x + 1] == name)


@njit(cache=True, nogil=True)
def _outside(labels, y, x, name):  # type: ignore[no-untyped-def]
    height, width = labels.shape
    if y < 0 or x < 0 or y >= height or x >= width:
        return 1
    return int(labels[y, x] != name)


@njit(cache=True, nogil=True)
def near_pairs(box_a, box_b, dy, dx, reach, same):  # type: ignore[no-untyped-def]
    """(K, 2) object pairs whose bounding boxes are within ``reach``.

    With ``same`` both are one mask: each unordered pair is listed once.
    """
    order = np.argsort(box_a[:, 0])
    top = box_a[order, 0]
    tallest = 0
    for i in range(len(box_a)):
        tallest = max(tallest, box_a[i, 2] - box_a[i, 0])
    rows = int(reach / dy) + 1
    pairs = np.empty((16, 2), np.int64)
    count = 0
    for j in range(len(box_b)):
        k = np.searchsorted(top, box_b[j, 0] - rows - tallest)
        while k < len(top) and top[k] <= box_b[j, 2] + rows:
            i = order[k]
            k += 1
            gap = _box_gap(box_a[i], box_b[j], dy, dx)
            if gap > reach * reach or (same and i >= j):
                continue
            if count == len(pairs):
                grown = np.empty((2 * count, 2), np.int64)
                grown[:count] = pairs
                pairs = grown
            pairs[count, 0], pairs[count, 1] = i, j
            count += 1
    return pairs[:count].copy()


@njit(cache=True, nogil=True)
def _box_gap(a, b, dy, dx):  # type: ignore[no-untyped-def]
    """Least squared distance of the pixel centres of two bounding boxes."""
    y = max(0, max(a[0] - (b[2] - 1), b[0] - (a[2] - 1))) * dy
    x = max(0, max(a[1] - (b[3] - 1), b[1] - (a[3] - 1))) * dx
    return y * y + x * x


@njit(cache=True, nogil=True)
def measure_pairs(  # type: ignore[no-untyped-def]
    pairs, labels_a, ids_a, box_a, place_a, start_a, place_b, length_b, start_b,
    dy, dx, contact, reach,
):  # fmt: skip
    """Least squared distance and contact length of each pair of objects.

    ``place_*`` and ``length_b`` are what ``boundary`` gives. A distance beyond
    ``reach`` comes back as infinity. Where masks are disjoint, the nearest pixels lie
    on both boundaries: from an inner pixel, one step towards the other is nearer.
    """
    least = np.full(len(pairs), np.inf)
    touching = np.zeros(len(pairs))
    rows = int(reach / dy)
    for p in range(len(pairs)):
        i, j = pairs[p]
        box, name = box_a[i], ids_a[i]
        for q in range(start_b[j], start_b[j + 1]):
            y, x = np.int64(place_b[q, 0]), np.int64(place_b[q, 1])
            gap_y = max(0, max(box[0] - y, y - box[2] + 1)) * dy
            gap_x = max(0, max(box[1] - x, x - box[3] + 1)) * dx
            if gap_y * gap_y + gap_x * gap_x > reach * reach:
                continue
            near = 0.0
            if labels_a[y, x] != name:
                near = _nearest(place_a, start_a[i], start_a[i + 1], y, x, rows, dy, dx)
            least[p] = min(least[p], near)
            if near <= contact * contact:
                touching[p] += length_b[q]
        if least[p] > reach * reach:
            least[p] = np.inf
    return least, touching


@njit(cache=True, nogil=True)
def _nearest(place, begin, end, y, x, rows, dy, dx):  # type: ignore[no-untyped-def]
    """Least squared distance of (y, x) to pixels at most ``rows`` rows away."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if place[middle, 0] < y - rows:
            low = middle + 1
        else:
            high = middle
    near = np.inf
    while low < end and place[low, 0] <= y + rows:
        a = (place[low, 0] - y) * dy
        b = (place[low, 1] - x) * dx
        near = min(near, a * a + b * b)
        low += 1
    return near
