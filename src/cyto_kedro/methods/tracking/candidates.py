"""Candidate links between points that are close enough, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.tracking.points import Points, points_tree

Cost = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Candidates:
    """Possible links, sorted by source, then target.

    Attributes:
        source: Index of the earlier point.
        target: Index of the later point.
        distance_um: From where the source is expected to the target.
        cost: In um2.
    """

    source: np.ndarray
    target: np.ndarray
    distance_um: np.ndarray
    cost: np.ndarray

    def __len__(self) -> int:
        return len(self.source)

    def take(self, index: np.ndarray) -> Candidates:
        """The candidates at these positions."""
        return Candidates(
            self.source[index],
            self.target[index],
            self.distance_um[index],
            self.cost[index],
        )

    @classmethod
    def none(cls) -> Candidates:
        """No candidate."""
        index = np.empty(0, dtype=np.int64)
        return cls(index, index, np.empty(0), np.empty(0))

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """All candidates of the parts in their order."""
        columns = ("source", "target", "distance_um", "cost")
        return cls(*(np.concatenate([getattr(p, c) for p in parts]) for c in columns))


def nearby(
    points: Points,
    expected_um: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    step: int,
    limit_um: float,
    cost: Cost,
) -> Candidates:
    """Pairs whose target lies within ``limit_um`` of where its source is expected.

    Args:
        points: All points.
        expected_um: (N, 2) expected position of each point ``step`` frames later.
        sources: Indices of the points that may be left.
        targets: Indices of the points that may be reached.
        step: Frames from source to target (>= 1, or -1 to look backwards).
        limit_um: Largest distance.
        cost: Turns source, target and distance (um) into costs (um2).

    Returns:
        The candidates.
    """
    if not len(sources) or not len(targets):
        return Candidates.none()
    separation = 4.0 * limit_um
    here = points_tree(points.lifted(step, expected_um, separation)[sources])
    there = points_tree(points.lifted(0, points.position_um, separation)[targets])
    pairs = here.sparse_distance_matrix(there, limit_um, output_type="ndarray")
    source, target = sources[pairs["i"]], targets[pairs["j"]]
    order = np.lexsort((target, source))
    source, target, distance = source[order], target[order], pairs["v"][order]
    return Candidates(source, target, distance, cost(source, target, distance))
