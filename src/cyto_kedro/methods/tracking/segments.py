"""Second step of the assignment: gaps, divisions and merges between segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.tracking.assignment import best_links
from cyto_kedro.methods.tracking.candidates import Candidates, nearby
from cyto_kedro.methods.tracking.costs import Costs
from cyto_kedro.methods.tracking.divisions import NOBODY, DivisionJudge
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


@dataclass(frozen=True)
class Joins:
    """The outcome of the second step.

    Attributes:
        links: Frame-to-frame links that stay.
        made: Joins between segments.
        kind: (J,) GAP, SPLIT or MERGE.
    """

    links: Candidates
    made: Candidates
    kind: np.ndarray


def join_segments(
    points: Points,
    velocity_um: np.ndarray,
    links: Candidates,
    rules: SegmentRules,
    costs: Costs,
    edge_um: np.ndarray | None,
    judge: DivisionJudge | None = None,
) -> Joins:
    """Join ends of segments to starts (gap), and either to middles (split, merge).

    Args:
        points: All points.
        velocity_um: (N, 2) expected step of each point per frame.
        links: Frame-to-frame links.
        rules: Limits and costs.
        costs: What a join costs.
        edge_um: (N,) distance to the edge of the field, or None. Its square caps the
            cost to appear or to vanish there.
        judge: Knows which divisions are plausible; None takes all.
    """
    near, kind = _candidates(points, velocity_um, links, rules, costs)
    if not len(near):
        return Joins(links, near, kind)
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
    if judge is not None:
        near, kind, gain = _judged(
            points, velocity_um, links, rules, costs, judge, near, kind, gain
        )
    # As sources a middle point and a segment end are two rows, even of one point.
    n = len(points)
    source = near.source + n * (kind == SPLIT)
    target = near.target + n * (kind == MERGE)
    chosen = best_links(source, target, gain)
    joins = Joins(links, near.take(chosen), kind[chosen])
    return joins if judge is None else _without_pieces(joins, judge, rules, n)


def _candidates(
    points: Points,
    velocity_um: np.ndarray,
    links: Candidates,
    rules: SegmentRules,
    costs: Costs,
) -> tuple[Candidates, np.ndarray]:
    every = np.arange(len(points))
    if not rules.join_single:
        every = np.union1d(links.source, links.target)
    ends = np.setdiff1d(every, links.source, assume_unique=True)
    starts = np.setdiff1d(every, links.target, assume_unique=True)
    place = points.position_um
    found = [Candidates.none()]
    if rules.gap_um is not None:
        for step in range(1, rules.gap_steps + 1):
            aim = place + step * velocity_um
            near = nearby(points, aim, ends, starts, step, rules.gap_um, costs)
            found.append(near)
    n_gap = sum(map(len, found))
    plain = costs.distance_only
    if rules.split_um is not None:
        aim = place + velocity_um
        near = nearby(points, aim, every, starts, 1, rules.split_um, plain)
        found.append(near)
    n_split = sum(map(len, found)) - n_gap
    if rules.merge_um is not None:
        aim = place + velocity_um
        found.append(nearby(points, aim, ends, every, 1, rules.merge_um, plain))
    every_one = Candidates.joined(found)
    kind = np.full(len(every_one), MERGE)
    kind[: n_gap + n_split] = SPLIT
    kind[:n_gap] = GAP
    return every_one, kind


def _judged(
    points: Points,
    velocity_um: np.ndarray,
    links: Candidates,
    rules: SegmentRules,
    costs: Costs,
    judge: DivisionJudge,
    near: Candidates,
    kind: np.ndarray,
    gain: np.ndarray,
) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """Candidates, kinds and gains once implausible divisions are worth nothing.

    Those that the places prove compete with nothing but each other, and are also
    sought where a daughter was missed at first.
    """
    if rules.split_um is None:
        return near, kind, gain
    following = _following(len(points), links.source, links.target)
    split = np.flatnonzero(kind == SPLIT)
    one = near.take(split)
    expected = (points.position_um + velocity_um)[one.source]
    fine, proven = judge.verdict(one.source, one.target, expected, following)
    worth = rules.split_um**2 - one.cost
    gain = gain.copy()
    gain[split] = np.where(
        proven, np.maximum(worth, gain[split]), np.where(fine, gain[split], 0.0)
    )
    found, gains = [near], [gain]
    explained = one.target[gain[split] > 0]
    every = np.arange(len(points))
    starts = np.setdiff1d(every, links.target, assume_unique=True)
    for step in range(2, rules.gap_steps + 1):
        aim = points.position_um + step * velocity_um
        orphans = np.setdiff1d(starts, explained)
        late = nearby(
            points, aim, every, orphans, step, rules.split_um, costs.distance_only
        )
        _, proven = judge.verdict(late.source, late.target, aim[late.source], following)
        late = late.take(np.flatnonzero(proven & judge.measured(late.target)))
        found.append(late)
        gains.append(rules.split_um**2 - late.cost)
        explained = np.union1d(explained, late.target)
    every_one = Candidates.joined(found)
    more = np.full(len(every_one) - len(near), SPLIT)
    return every_one, np.concatenate([kind, more]), np.concatenate(gains)


def _following(n: int, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(N,) next point of each point, or NOBODY."""
    following = np.full(n, NOBODY)
    following[source] = target
    return following


def _without_pieces(
    joins: Joins, judge: DivisionJudge, rules: SegmentRules, n: int
) -> Joins:
    """Undo divisions of which one daughter is but a short-lived piece of a mask.

    If it is the one that the mother's track went on with, the other takes its place.
    """
    links, made, kind = joins.links, joins.made, joins.kind
    goes_on = kind == GAP
    source = np.concatenate([links.source, made.source[goes_on]])
    target = np.concatenate([links.target, made.target[goes_on]])
    reach = rules.split_um or 0.0
    lasting = judge.lasting(source, target, reach)
    following = _following(n, source, target)
    split = np.flatnonzero(kind == SPLIT)
    mother, daughter = made.source[split], made.target[split]
    sister = following[mother]
    known = sister >= 0
    real = ~known | (lasting[daughter] & lasting[sister])
    other_way = ~real & lasting[daughter]
    kind = kind.copy()
    kind[split[other_way]] = GAP
    keep = np.ones(len(made), dtype=bool)
    keep[split[~real & ~other_way]] = False
    # The links and joins from these mothers to the pieces are cut.
    cut = np.isin(np.arange(n), mother[other_way])
    piece = np.zeros(n, dtype=bool)
    piece[sister[other_way]] = True
    keep &= ~(cut[made.source] & piece[made.target])
    stays = ~(cut[links.source] & piece[links.target])
    return Joins(links.take(np.flatnonzero(stays)), made.take(keep), kind[keep])
