"""From links between detections to the table TRACKS."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.tracking.points import Points


def tracks_table(
    detections: pd.DataFrame,
    points: Points,
    source: np.ndarray,
    target: np.ndarray,
    confidence: np.ndarray,
) -> pd.DataFrame:
    """Add the track columns to the detections.

    A cell with one link onwards keeps its track; with two or more it divides: its
    track ends and each daughter starts one of its own. Of several links into a cell
    (a merge) the first given continues and the other tracks end there.

    Args:
        detections: Table DETECTIONS.
        points: The same detections in canonical order.
        source: (E,) earlier point of each link, as index into ``points``.
        target: (E,) later point.
        confidence: (E,) confidence in [0, 1].

    Returns:
        Table TRACKS sorted by frame and label. Track ids count from 1 by first frame,
        then by position of the first point. A track's first row has no link.
    """
    _, first = np.unique(target, return_index=True)
    source, target, confidence = source[first], target[first], confidence[first]
    n = len(points)
    divides = np.bincount(source, minlength=n) > 1
    stays = ~divides[source]
    before, after = source[stays], target[stays]
    track = _number_chains(n, before, after)
    parent = np.zeros(track.max(initial=0) + 1, dtype=np.int64)
    parent[track[target[~stays]]] = track[source[~stays]]
    return _assemble(
        detections, points, track, parent, before, after, confidence[stays]
    )


def _number_chains(n: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
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
    before: np.ndarray,
    after: np.ndarray,
    confidence: np.ndarray,
) -> pd.DataFrame:
    n = len(points)
    distance, trust = np.full(n, np.nan), np.full(n, np.nan)
    gap = np.zeros(n, dtype=np.int64)
    moved = points.position_um[after] - points.position_um[before]
    distance[after] = np.hypot(moved[:, 0], moved[:, 1])
    gap[after] = points.frame[after] - points.frame[before] - 1
    trust[after] = np.clip(confidence, 0.0, 1.0)
    mother = pd.array(parent[track], dtype="Int64")
    mother[parent[track] == 0] = pd.NA
    table = detections.iloc[points.row].assign(
        track_id=track,
        parent_track_id=mother,
        link_distance_um=distance,
        gap_frames=gap,
        link_confidence=trust,
    )
    table = table.sort_values(["frame", "label"], ignore_index=True)
    return TRACKS.conform(table)
