"""Neighbour graphs of points in one frame: Delaunay, spanning tree, radius."""

from __future__ import annotations

import numpy as np


def delaunay_edges(points: np.ndarray) -> np.ndarray:
    """Edges of the Delaunay triangulation; it always joins all points.

    Two points are joined, points on one line become a chain, and points at the same
    place are joined to one of them (a triangulation leaves them out).

    Args:
        points: (n, 2) finite positions (um).

    Returns:
        (m, 2) int64 point indices, smaller first, sorted, each edge once.
    """
    from scipy.spatial import Delaunay, QhullError

    if len(points) < 3:
        return _chain(points)
    try:
        found = Delaunay(points)
    except QhullError:
        # Qhull refuses finite points only where they lie on one line.
        return _chain(points)
    a, b, c = found.simplices.T
    # Points so close to another one that qhull merged them: join them to it.
    twin, _, corner = found.coplanar.T
    return _unique_edges(
        np.concatenate([a, b, c, twin]), np.concatenate([b, c, a, corner])
    )


def edge_lengths(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(m,) Euclidean length of each edge, in the unit of the points."""
    step = points[edges[:, 0]] - points[edges[:, 1]]
    return np.sqrt((step * step).sum(axis=1))


def connecting_radius(points: np.ndarray, triangulation: np.ndarray) -> float:
    """Smallest radius within which all points hang together; NaN below two points.

    It is the longest edge of the Euclidean minimum spanning tree, which is a subgraph
    of the Delaunay triangulation (Toussaint, Pattern Recognition 12, 261 (1980),
    doi:10.1016/0031-3203(80)90066-7).

    Args:
        points: (n, 2) positions.
        triangulation: Their uncut :func:`delaunay_edges`.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import minimum_spanning_tree

    if len(points) < 2:
        return float("nan")
    length = edge_lengths(points, triangulation)
    # A sparse matrix takes a zero length for no edge: rank the lengths instead.
    rank = np.empty(len(length), np.int64)
    rank[np.argsort(length, kind="stable")] = np.arange(1, len(length) + 1)
    shape = (len(points), len(points))
    ends = triangulation.T.astype(np.int32)  # the index type of scipy's graphs
    graph = sparse.coo_array((rank, (ends[0], ends[1])), shape).tocsr()
    longest = int(minimum_spanning_tree(graph).data.max())
    return float(length[rank == longest][0])


def radius_edges(points: np.ndarray, radius: float) -> np.ndarray:
    """All pairs of points at most ``radius`` apart, as :func:`delaunay_edges`."""
    from scipy.spatial import cKDTree

    # The tree squares distances: let rounding not lose the pair that sets the radius.
    pairs = cKDTree(points).query_pairs(radius * (1 + 1e-12), output_type="ndarray")
    return _unique_edges(pairs[:, 0], pairs[:, 1])


def _chain(points: np.ndarray) -> np.ndarray:
    """Join each point of a line to the next one along it."""
    if len(points) < 2:
        return np.empty((0, 2), np.int64)
    centred = points - points.mean(axis=0)
    along = np.linalg.svd(centred, full_matrices=False)[2][0]
    order = np.argsort(centred @ along, kind="stable")
    return _unique_edges(order[:-1], order[1:])


def _unique_edges(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if not len(a):
        return np.empty((0, 2), np.int64)
    size = int(max(a.max(), b.max())) + 1
    packed = np.minimum(a, b).astype(np.int64) * size + np.maximum(a, b)
    return np.column_stack(np.divmod(np.unique(packed), size))
