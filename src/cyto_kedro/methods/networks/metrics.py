"""Numbers of each frame's graph, for all frames in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import NETWORK_METRICS
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.graphs import Edges

if TYPE_CHECKING:
    from scipy import sparse


def graph_metrics(
    kind: str,
    cells: MovieCells,
    edges: Edges,
    times_min: np.ndarray,
    radii_um: np.ndarray,
) -> pd.DataFrame:
    """Table NETWORK_METRICS of one kind of graph, one row per frame.

    No edge leaves its frame, so the movie is one block-diagonal graph and each
    algorithm runs once. The clustering coefficient is that of Watts & Strogatz, Nature
    393, 440 (1998), doi:10.1038/30918; cells with fewer than two neighbours count as 0,
    as in networkx.

    Args:
        kind: Name of the graph.
        cells: All cells.
        edges: Edges, each pair at most once.
        times_min: (T,) time of each frame.
        radii_um: (T,) connecting radius of each frame.
    """
    from scipy import sparse

    # int32 is the index type of scipy's graphs.
    a, b = edges.ends[:, 0].astype(np.int32), edges.ends[:, 1].astype(np.int32)
    n_frames = len(times_min)
    shape = (len(cells), len(cells))
    n_nodes = np.bincount(cells.frame, minlength=n_frames)
    edge_frame = cells.frame[a]
    n_edges = np.bincount(edge_frame, minlength=n_frames)
    links = sparse.coo_array((np.ones(len(a)), (a, b)), shape)
    links = (links + links.T).tocsr()
    mixed = cells.role[a] != cells.role[b]
    clustering = np.bincount(cells.frame, _clustering(links), minlength=n_frames)
    length = np.bincount(edge_frame, edges.length_um, minlength=n_frames)
    n_components, largest = _components(links, cells.frame, n_frames)
    heterotypic = _mean(np.bincount(edge_frame[mixed], minlength=n_frames), n_edges)
    table = pd.DataFrame(
        {
            "graph": kind,
            "frame": np.arange(n_frames),
            "time_min": times_min,
            "n_nodes": n_nodes,
            "n_edges": n_edges,
            "mean_degree": _mean(2 * n_edges, n_nodes),
            "n_components": n_components,
            "mean_clustering": _mean(clustering, n_nodes),
            "mean_edge_um": _mean(length, n_edges),
            "heterotypic_fraction": heterotypic,
            "connecting_radius_um": radii_um,
            "largest_component": _mean(largest, n_nodes),
            "assortativity": _assortativity(cells, links, n_frames, heterotypic),
        }
    )
    return NETWORK_METRICS.conform(table)


def _clustering(links: sparse.csr_array) -> np.ndarray:
    """(N,) share of each node's pairs of neighbours that are joined themselves."""
    degree = np.diff(links.indptr)
    # Closed walks of length 3; the product is masked by the links themselves.
    walks = np.asarray((links @ links).multiply(links).sum(axis=1)).ravel()
    pairs = degree * (degree - 1.0)
    return walks / np.where(pairs > 0, pairs, 1)


def _components(
    links: sparse.csr_array, frame: np.ndarray, n_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """(T,) connected components of each frame, and cells of its largest one."""
    from scipy.sparse.csgraph import connected_components

    largest = np.zeros(n_frames, np.int64)
    if not len(frame):
        return largest, largest
    _, member = connected_components(links, directed=False)
    _, one_of_each, size = np.unique(member, return_index=True, return_counts=True)
    np.maximum.at(largest, frame[one_of_each], size)
    return np.bincount(frame[one_of_each], minlength=n_frames), largest


def _assortativity(
    cells: MovieCells,
    links: sparse.csr_array,
    n_frames: int,
    heterotypic: np.ndarray,
) -> np.ndarray:
    """(T,) assortativity of the roles; NaN where one role holds all ends of edges.

    ``(sum e_ii - sum a_i^2) / (1 - sum a_i^2)`` with e the mixing matrix and a its
    margins. Source: Newman, Phys Rev E 67, 026126 (2003),
    doi:10.1103/PhysRevE.67.026126.
    """
    n_roles = max(len(cells.roles), 1)
    ends = np.bincount(
        cells.frame * n_roles + cells.role,
        np.diff(links.indptr),
        minlength=n_frames * n_roles,
    ).reshape(n_frames, n_roles)
    total = ends.sum(axis=1, keepdims=True)
    alike = ((ends / np.where(total > 0, total, np.nan)) ** 2).sum(axis=1)
    # One role: exactly 1, though rounding may say otherwise.
    several = (ends > 0).sum(axis=1) > 1
    return np.where(several, 1 - heterotypic / np.where(several, 1 - alike, 1), np.nan)


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return total / np.where(count > 0, count, np.nan)
