"""Robust fits of a transform to the displacements of many places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

Kind = Literal["translation", "rigid", "similarity", "affine"]
LinearFit = tuple[np.ndarray, np.ndarray]  # A (2 x 2) and the shift d

_ROUNDS = 20
_CONVERGED = 1e-4
_LEAST_SPREAD_PX = 0.02  # residuals below this are measurement noise
_CAUCHY = 2.385  # times the spread: 95 % efficient for normal errors
#: Places that a fit needs at least.
LEAST_PLACES: dict[Kind, int] = {
    "translation": 1,
    "rigid": 2,
    "similarity": 2,
    "affine": 3,
}


def robust_linear(source: np.ndarray, target: np.ndarray, kind: Kind) -> LinearFit:
    """``A`` and ``d`` with ``target = A source + d``, outliers losing their weight.

    Iteratively reweighted least squares with Cauchy weights: cells that crawl have
    little say as long as most places agree.

    Args:
        source: (N, 2) places (y, x).
        target: (N, 2) where they belong.
        kind: ``translation``, ``rigid``, ``similarity`` (with one scale) or ``affine``.

    Raises:
        ValueError: There are fewer places than :data:`LEAST_PLACES`.
    """
    if len(source) < LEAST_PLACES[kind]:
        raise ValueError(f"{len(source)} places do not determine a {kind} transform")
    weights = np.ones(len(source))
    for _ in range(_ROUNDS):
        matrix, shift = linear(source, target, weights, kind)
        misfit = np.hypot(*(target - source @ matrix.T - shift).T)
        fresh = cauchy(misfit)
        if np.abs(fresh - weights).max() < _CONVERGED:
            break
        weights = fresh
    return matrix, shift


def linear(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray, kind: Kind
) -> LinearFit:
    """Weighted least squares of one kind of transform.

    Rotation and scale are Umeyama's (1991, doi:10.1109/34.88573).
    """
    share = weights / weights.sum()
    ours, theirs = share @ source, share @ target
    matrix = np.eye(2)
    if kind != "translation":
        before, after = source - ours, target - theirs
        cross = (after * share[:, None]).T @ before
        spread = (before * share[:, None]).T @ before
        matrix = cross @ np.linalg.pinv(spread)
        if kind != "affine":
            left, stretch, right = np.linalg.svd(cross)
            sign = np.array([1.0, np.sign(np.linalg.det(left @ right))])
            matrix = (left * sign) @ right
            if kind == "similarity":
                matrix = matrix * (stretch @ sign) / np.trace(spread)
    return matrix, theirs - matrix @ ours


def cauchy(misfit: np.ndarray) -> np.ndarray:
    """Weight in (0, 1] of each distance, by their median."""
    spread = max(_LEAST_SPREAD_PX, float(np.median(misfit)) / 0.6745)
    return np.asarray(1 / (1 + (misfit / (_CAUCHY * spread)) ** 2))


def robust_field(
    places: np.ndarray,
    displacements: np.ndarray,
    nodes: tuple[np.ndarray, np.ndarray],
    stiffness: float,
) -> np.ndarray:
    """Smooth displacement at the nodes of a grid, outliers losing their weight.

    The bilinear surface through the nodes is fitted with a penalty on its second
    differences, so that nodes without places nearby continue the slope of the others.

    Args:
        places: (N, 2) where the displacement is known.
        displacements: (N, 2) in px.
        nodes: Rows and columns of the grid.
        stiffness: Weight of the penalty against one place per node.

    Returns:
        (rows, columns, 2) displacement in px.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    sizes = len(nodes[0]), len(nodes[1])
    basis = _bilinear(places, nodes)
    bends = [_bending(sizes[0]), _bending(sizes[1])]
    eyes = [sparse.identity(n) for n in sizes]
    penalty = stiffness * (
        sparse.kron(bends[0], eyes[1]) + sparse.kron(eyes[0], bends[1])
    )
    # Where nothing is known in a corner, the slope that is missing is zero.
    penalty = penalty + 1e-9 * sparse.identity(penalty.shape[0])
    weights = np.ones(len(places))
    for _ in range(_ROUNDS):
        weighted = basis.T @ sparse.diags(weights)
        solve: Callable[[np.ndarray], np.ndarray]
        solve = splu(sparse.csc_matrix(weighted @ basis + penalty)).solve
        found = solve(weighted @ displacements)
        fresh = cauchy(np.hypot(*(displacements - basis @ found).T))
        if np.abs(fresh - weights).max() < _CONVERGED:
            break
        weights = fresh
    return np.asarray(found.reshape(*sizes, 2))


def _bilinear(places: np.ndarray, nodes: tuple[np.ndarray, np.ndarray]):  # type: ignore[no-untyped-def]
    """(N, rows * columns) sparse weights of the nodes around each place."""
    from scipy import sparse

    corners, shares = [], []
    for place, axis in zip(places.T, nodes, strict=True):
        low = np.clip(np.searchsorted(axis, place) - 1, 0, len(axis) - 2)
        share = (place - axis[low]) / (axis[low + 1] - axis[low])
        corners.append((low, low + 1))
        shares.append((1 - share, share))
    columns, values = [], []
    for y in range(2):
        for x in range(2):
            columns.append(corners[0][y] * len(nodes[1]) + corners[1][x])
            values.append(shares[0][y] * shares[1][x])
    rows = np.tile(np.arange(len(places)), 4)
    shape = len(places), len(nodes[0]) * len(nodes[1])
    entries = np.concatenate(values), (rows, np.concatenate(columns))
    return sparse.csr_matrix(entries, shape=shape)


def _bending(size: int):  # type: ignore[no-untyped-def]
    """Sum of squared second differences along an axis, as a matrix."""
    from scipy import sparse

    if size < 3:
        return sparse.csr_matrix((size, size))
    steps = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(size - 2, size))
    return steps.T @ steps
