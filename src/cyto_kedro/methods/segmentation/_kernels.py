"""Compiled flooding; imported inside the functions that use it."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def flood(
    below: np.ndarray, order: np.ndarray, depth: float, min_area: int
) -> np.ndarray:
    """Watershed from all maxima, merging shallow and tiny basins on the way down.

    Pixels arrive from high to low. Each joins the basin of its highest flooded
    neighbour (8-connected) or founds one. Where two basins meet, the lower one is
    merged into the other if its peak stands less than ``depth`` above the saddle
    (persistence, the "dynamics" of h-maxima) or if it is smaller than ``min_area``.

    Args:
        below: YX uint16 distance below the highest pixel.
        order: Flat indices of the pixels to flood, from high to low.
        depth: Least height of a peak above its saddle, in the units of ``below``.
        min_area: Least pixels of a basin at its first saddle.

    Returns:
        YX int32 labels, consecutive from 1 in order of descending peak.
    """
    rows, columns = below.shape
    flat = below.ravel()
    label = np.zeros(rows * columns, np.int32)
    parent = np.zeros(order.size + 1, np.int32)
    peak = np.zeros(order.size + 1, np.int32)
    area = np.zeros(order.size + 1, np.int32)
    met = np.zeros(8, np.int32)
    count = 0
    for index in order:
        value = np.int32(flat[index])
        row, column = index // columns, index % columns
        n_met = 0
        home = 0
        best = np.int32(1 << 30)
        for dy in range(-1, 2):
            y = row + dy
            if y < 0 or y >= rows:
                continue
            for dx in range(-1, 2):
                x = column + dx
                if x < 0 or x >= columns or (dx == 0 and dy == 0):
                    continue
                near = y * columns + x
                if label[near] == 0:
                    continue
                root = _root(parent, label[near])
                if flat[near] < best:
                    best = np.int32(flat[near])
                    home = root
                known = False
                for k in range(n_met):
                    known = known or met[k] == root
                if not known:
                    met[n_met] = root
                    n_met += 1
        if home == 0:
            count += 1
            parent[count] = count
            peak[count] = value
            area[count] = 1
            label[index] = count
            continue
        for k in range(n_met):
            home = _root(parent, home)
            other = _root(parent, met[k])
            if other == home:
                continue
            # The older basin has the higher peak (and the lower id).
            high, low = (home, other) if home < other else (other, home)
            if value - peak[low] < depth or area[low] < min_area:
                parent[low] = high
                area[high] += area[low]
        home = _root(parent, home)
        label[index] = home
        area[home] += 1
    final = np.zeros(count + 1, np.int32)
    n_final = 0
    for basin in range(1, count + 1):
        if parent[basin] == basin:
            n_final += 1
            final[basin] = n_final
    for index in order:
        label[index] = final[_root(parent, label[index])]
    return label.reshape(rows, columns)
