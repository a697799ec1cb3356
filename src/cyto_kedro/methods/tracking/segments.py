"""Second step of the assignment: gaps, divisions and merges between segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.tracking.assignment import best_links
from cyto_kedro.methods.tracking.candidates import Candidates, Penalty, nearby
from cyto_kedro.methods.tracking.points import Points

GAP, SPLIT, MERGE = 0, 1, 2


@dataclass(frozen=True)
class SegmentRules:
    """Limits (um; None = off) and costs of the second step."""

    gap_um: float | None
    gap_steps: int
    split_um: float | None
    merge_um: float | None
    factor: float
    percentile: float
    join_single: bool = True

    @property
    def limits(self) -> tuple[float | None, float | None, float | None]:
        """Limits by kind."""
        return self.gap_um, self.split_um, self.merge_um


def join_segments(
    points: Points,
    velocity_um: np.ndarray,
    links: Candidates,
    rules: SegmentRules,
    penalty: Penalty,
    edge_um: np.ndarray | None,
) -> tuple[Candidates, np.ndarray]:
    """Join ends of segments to starts (gap), and either to middles (split, merge).

    Args:
        points: All points.
        velocity_um: (N, 2) expected step of each point per frame.
        links: Frame-to-frame links.
        rules: Limits and costs.
        penalty: Feature penalty.
        edge_um: (N,) distance to the edge of the field, or None. Its square caps the
            cost to appear or to vanish there.

    Returns:
        The chosen joins and the kind of each (GAP, SPLIT or MERGE).
    """
    near, kind = _candidates(points, velocity_um, links, rules, penalty)
    if not len(near):
        return near, kind
    level = np.percentile(near.cost, rules.percentile, method="nearest") * rules.factor
    alone = np.full(len(points), max(float(level), np.finfo(float).tiny))
    at_edge = alone if edge_um is None else np.minimum(alone, edge_um**2)
    # A middle point that stays whole costs the same as a segment that stays alone.
    leave = np.where(kind == SPLIT, alone[near.source], at_edge[near.source])
    enter = np.where(kind == MERGE, alone[near.target], at_edge[near.target])
    gain = leave + enter - alone[0] - near.cost
    # Leaving and entering are cheap at the edge of the image, but a cell that blinks
    # there for a frame is one cell: the two ends of a gap share one cost.
    gain = np.where(kind == GAP, (leave + enter) / 2 - near.cost, gain)
    # As sources a middle point and a segment end are two rows, even of one point.
    n = len(points)
    source = near.source + n * (kind == SPLIT)
    target = near.target + n * (kind == MERGE)
    chosen = best_links(source, target, gain)
    return near.take(chosen), kind[chosen]


def _candidates(
    points: Points,
    velocity_um: np.ndarray,
    links: Candidates,
    rules: SegmentRules,
    penalty: Penalty,
) -> tuple[Candidates, np.ndarray]:
    every = np.arange(len(points))
    if not rules.join_single:
        every = np.union1d(links.source, links.target)
    ends = np.setdiff1d(every, links.source, assume_unique=True)
    starts = np.setdiff1d(every, links.target, assume_unique=True)
    place = points.position_um
    found, kinds = [], []

    def search(
        kind: int, limit: float, step: int, out: np.ndarray, into: np.ndarray
    ) -> None:
        expected = place + step * velocity_um
        found.append(nearby(points, expected, out, into, step, limit, penalty))
        kinds.append(np.full(len(found[-1]), kind))

    if rules.gap_um is not None:
        for step in range(1, rules.gap_steps + 1):
            search(GAP, rules.gap_um, step, ends, starts)
    if rules.split_um is not None:
        search(SPLIT, rules.split_um, 1, every, starts)
    if rules.merge_um is not None:
        search(MERGE, rules.merge_um, 1, ends, every)
    if not found:
        none = np.empty(0, dtype=np.int64)
        return Candidates(none, none, np.empty(0)), none
    joined = Candidates(
        np.concatenate([one.source for one in found]),
        np.concatenate([one.target for one in found]),
        np.concatenate([one.cost for one in found]),
    )
    return joined, np.concatenate(kinds)
