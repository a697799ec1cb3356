"""From links between detections to the table TRACKS."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.tracking.confidence import track_confidence
from cyto_kedro.methods.tracking.links import Links
from cyto_kedro.methods.tracking.points import Points


def tracks_table(
    detections: pd.DataFrame,
    points: Points,
    links: Links,
    margin: np.ndarray,
) -> pd.DataFrame:
    """Add the track columns to the detections.

    A cell with one link onwards keeps its track; with two or more it divides: its
    track ends and each daughter starts one of its own. Of several links into a cell
    (a merge) the first given continues and the other tracks end there.

    Args:
        detections: Table DETECTIONS.
        points: The same detections in canonical order.
        links: Between ``points``.
        margin: (E,) margin over the best alternative
            (:func:`~cyto_kedro.methods.tracking.confidence.link_margins`).

    Returns:
        Table TRACKS sorted by frame and label. Track ids count from 1 by first frame,
        then by position of the first point. A track's first row has no link.
    """
    _, first = np.unique(links.target, return_index=True)
    links, margin = links.take(first), margin[first]
    source, target = links.source, links.target
    n = len(points)
    divides = np.bincount(source, minlength=n) > 1
    stays = ~divides[source]
    track = number_chains(n, source[stays], target[stays])
    parent = np.zeros(track.max(initial=0) + 1, dtype=np.int64)
    parent[track[target[~stays]]] = track[source[~stays]]
    kept = links.take(np.flatnonzero(stays))
    return _assemble(detections, points, track, parent, kept, margin[stays])


def number_chains(n: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(N,) chain of each point, from 1 in the order of their first points."""
    ones = np.ones(len(before), dtype=bool)
    graph = coo_matrix((ones, (before, after)), shape=(n, n))
    _, chain = connected_components(graph, directed=False)
    _, first, inverse = np.unique(chain, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[inverse]


def _assemble(
    detections: pd.DataFrame,
    points: Points,
    track: np.ndarray,
    parent: np.ndarray,
    links: Links,
    margin: np.ndarray,
) -> pd.DataFrame:
    n, before, after = len(points), links.source, links.target
    distance, trust, sure = np.full((3, n), np.nan)
    gap = np.zeros(n, dtype=np.int64)
    moved = points.position_um[after] - points.position_um[before]
    distance[after] = np.hypot(moved[:, 0], moved[:, 1])
    gap[after] = points.frame[after] - points.frame[before] - 1
    trust[after] = np.clip(links.confidence, 0.0, 1.0)
    sure[after] = margin
    mother = pd.array(parent[track], dtype="Int64")
    mother[parent[track] == 0] = pd.NA
    table = detections.iloc[points.row].assign(
        track_id=track,
        parent_track_id=mother,
        link_distance_um=distance,
        gap_frames=gap,
        link_confidence=trust,
        link_margin=sure,
        track_confidence=track_confidence(track, sure),
        relinked=False,
    )
    table = table.sort_values(["frame", "label"], ignore_index=True)
    return TRACKS.conform(table)
