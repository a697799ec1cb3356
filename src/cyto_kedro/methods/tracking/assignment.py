"""Sparse linear assignment where every link is optional."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import (
    connected_components,
    min_weight_full_bipartite_matching,
)

_BATCH = 512


def best_links(source: np.ndarray, target: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Choose links of largest total gain, each source and target at most once.

    The augmented matrix of Jaqaman et al. 2008 (doi:10.1038/nmeth.1237) with costs
    ``c_ij`` to link, ``a_i`` and ``b_j`` to leave alone and ``m`` in its lower right
    block has the same optimum as this problem with ``gain = a_i + b_j - m - c_ij``, at
    a quarter of its size. Connected components are independent of each other: they
    are solved in batches, so that the time grows linearly with the movie.

    Args:
        source: (E,) source index of each candidate link.
        target: (E,) target index, in a numbering of its own.
        gain: (E,) what is won by taking the link; only gains > 0 are taken.

    Returns:
        Sorted indices of the chosen candidates.
    """
    useful = np.flatnonzero(gain > 0)
    if not len(useful):
        return useful
    source, target, gain = source[useful], target[useful], gain[useful]
    component = _components(source, target)
    alone = np.bincount(component)[component] == 1
    contested = np.flatnonzero(~alone)
    chosen = [np.flatnonzero(alone)]
    for batch in _batches(component[contested]):
        part = contested[batch]
        chosen.append(part[_solve(source[part], target[part], gain[part])])
    return np.sort(useful[np.concatenate(chosen)])


def _components(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Connected component of each candidate in the graph of sources and targets."""
    n_source, from_ = _compact(source)
    n_target, to = _compact(target)
    size = n_source + n_target
    ones = np.ones(len(source), dtype=bool)
    graph = coo_matrix((ones, (from_, n_source + to)), shape=(size, size))
    return connected_components(graph, directed=False)[1][from_]


def _compact(index: np.ndarray) -> tuple[int, np.ndarray]:
    values, inverse = np.unique(index, return_inverse=True)
    return len(values), inverse


def _batches(component: np.ndarray) -> list[np.ndarray]:
    """Candidates of whole components, about ``_BATCH`` at a time."""
    order = np.argsort(component, kind="stable")
    border = np.flatnonzero(np.diff(component[order])) + 1
    wanted = np.searchsorted(border, np.arange(_BATCH, len(order), _BATCH))
    cuts = np.unique(border[wanted[wanted < len(border)]])
    return np.split(order, cuts)


def _solve(source: np.ndarray, target: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Indices of the optimal links of one batch."""
    if not len(source):
        return np.empty(0, dtype=np.int64)
    n_source, row = _compact(source)
    n_target, column = _compact(target)
    highest = np.zeros(n_source)
    np.maximum.at(highest, row, gain)
    # A column of its own for each source means "not linked". Adding a constant to a
    # row changes no optimum and keeps weights positive: SciPy drops explicit zeros.
    alone = np.arange(n_source)
    weight = np.concatenate([highest[row] - gain, highest]) + highest.max()
    matrix = csr_matrix(
        (
            weight,
            (np.concatenate([row, alone]), np.concatenate([column, n_target + alone])),
        ),
        shape=(n_source, n_target + n_source),
    )
    match = np.empty(n_source, dtype=np.int64)
    rows, columns = min_weight_full_bipartite_matching(matrix)
    match[rows] = columns
    return np.flatnonzero(match[row] == column)
