"""Compiled loop of the position null; import it lazily, it loads numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def count_candidates(  # type: ignore[no-untyped-def]
    death, frame, place, reach, first, cell, where, role, n_cells, moves, size,
):  # fmt: skip
    """(draws, deaths) different effectors within reach of each dead target.

    Rows of targets (``death, frame, place, reach``) are ordered by death; effectors
    (``cell, where, role``) of frame f are ``first[f]`` to ``first[f + 1]``. A move is
    (dy, dx, flip y, flip x) of all effectors at once, on a torus of ``size``.
    """
    n_deaths = death[-1] + 1 if len(death) else 0
    counts = np.zeros((len(moves), n_deaths), np.int64)
    seen = np.empty(n_cells, np.int64)
    for draw in range(len(moves)):
        seen[:] = -1
        for row in range(len(death)):
            f = frame[row]
            for e in range(first[f], first[f + 1]):
                if seen[cell[e]] == death[row]:
                    continue
                limit = reach[row, role[e]]
                if limit < 0:
                    continue
                near = limit * limit
                for axis in range(2):
                    at = where[e, axis]
                    if moves[draw, 2 + axis] > 0:
                        at = size[axis] - at
                    gap = abs(at + moves[draw, axis] - place[row, axis]) % size[axis]
                    gap = min(gap, size[axis] - gap)
                    near -= gap * gap
                if near >= 0:
                    seen[cell[e]] = death[row]
                    counts[draw, death[row]] += 1
    return counts
