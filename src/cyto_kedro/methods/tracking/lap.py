"""Our own LAP tracker: adaptive motion, sparse assignment, two steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking.candidates import Candidates
from cyto_kedro.methods.tracking.confidence import link_margins
from cyto_kedro.methods.tracking.costs import Costs
from cyto_kedro.methods.tracking.divisions import DivisionJudge
from cyto_kedro.methods.tracking.limits import Limits, field_um
from cyto_kedro.methods.tracking.lineage import tracks_table
from cyto_kedro.methods.tracking.linking import link_frames
from cyto_kedro.methods.tracking.links import Links
from cyto_kedro.methods.tracking.motion import (
    Motion,
    Neighbourhood,
    common_drift_um,
)
from cyto_kedro.methods.tracking.options import LapOptions
from cyto_kedro.methods.tracking.overlaps import Stack
from cyto_kedro.methods.tracking.points import Points, read_points
from cyto_kedro.methods.tracking.segments import (
    MERGE,
    Joins,
    SegmentRules,
    join_segments,
)

#: Most rounds of linking and learning; two or three do unless cells are confusable.
_ROUNDS = 6
#: Share of changed links below which another round is not worth its time.
_SETTLED = 1e-3


def track_lap(
    detections: pd.DataFrame,
    calibration: Calibration,
    options: LapOptions,
    labels: Stack | None = None,
) -> pd.DataFrame:
    """Track by linear assignment (Jaqaman et al. 2008, doi:10.1038/nmeth.1237).

    Step 1 links consecutive frames, repeatedly: the links of one round teach the
    motion model that the next one starts from. Step 2 closes gaps and finds divisions
    and merges. Costs are squared distances to the expected position.

    Args:
        detections: Table DETECTIONS.
        calibration: Its field size bounds the costs of entering and leaving.
        options: Limits and switches.
        labels: TYX masks, needed only if ``cost_terms.overlap`` is not 0.

    Returns:
        Table TRACKS.

    Raises:
        InputError: A position is not finite, a (frame, label) repeats, a feature that
            costs are taken from does not exist, or masks are needed and not given.
    """
    points = read_points(detections)
    costs = Costs.of(detections, points, options, labels)
    links, expected = find_links(points, calibration, options, costs)
    margin = link_margins(points, expected, links.source, links.target)
    return tracks_table(detections, points, links, margin)


def find_links(
    points: Points, calibration: Calibration, options: LapOptions, costs: Costs
) -> tuple[Links, np.ndarray]:
    """All links of :func:`track_lap`, and where each point is expected next (um)."""
    if not len(points):
        return Links.none(), points.position_um
    neighbours = Neighbourhood.of(points)
    limits = Limits.of(neighbours.spacing_um, calibration, options)
    settled = _settle(points, neighbours, limits, costs)
    rules = SegmentRules(
        gap_um=limits.gap(settled.limit_um),
        gap_steps=options.max_gap_frames + 1,
        split_um=limits.split,
        merge_um=options.merging_max_distance_um,
        factor=options.alternative_cost_factor,
        percentile=options.alternative_cost_percentile,
        join_single=options.join_single_detections,
    )
    edge = _edge_distance_um(points, calibration) if options.field_edge else None
    step = settled.expected_um - points.position_um
    judge = None
    if options.division is not None:
        sigma = limits.sigma(settled.links)
        judge = DivisionJudge(
            points, costs.area_um2, options.division, sigma, edge, settled.limit_um
        )
    joins = join_segments(
        points, step, settled.links, rules, settled.costs, edge, judge
    )
    return _all_links(settled, joins, rules), settled.expected_um


def _all_links(settled: _Settled, joins: Joins, rules: SegmentRules) -> Links:
    """Links and joins with their confidence, merges last."""
    links, made = joins.links, joins.made
    reach = np.array([limit or 1.0 for limit in rules.limits])[joins.kind]
    last = np.argsort(joins.kind == MERGE, kind="stable")
    trust = np.concatenate(
        [1.0 - links.cost / settled.limit_um**2, (1.0 - made.cost / reach**2)[last]]
    )
    return Links(
        np.concatenate([links.source, made.source[last]]),
        np.concatenate([links.target, made.target[last]]),
        np.clip(trust, 0.0, 1.0),
    )


@dataclass(frozen=True)
class _Settled:
    """Frame-to-frame links, and what they were found with."""

    links: Candidates
    expected_um: np.ndarray
    limit_um: float
    costs: Costs


def _settle(
    points: Points, neighbours: Neighbourhood, limits: Limits, costs: Costs
) -> _Settled:
    """Link, learn how cells move, and link again until the links have settled."""
    factor = limits.options.alternative_cost_factor
    motion = _motion(points, neighbours, limits.options)
    expected = motion.expected(None) if motion else points.position_um
    limit = limits.first
    links = link_frames(points, expected, limit, factor, costs)
    for _ in range(_ROUNDS):
        before, limit = links, limits.linking(links)
        costs = costs.learned(links)
        expected = motion.expected(links) if motion else points.position_um
        links = link_frames(points, expected, limit, factor, costs)
        if _changed(before, links) <= _SETTLED * len(links):
            break
    return _Settled(links, expected, limit, costs)


def _motion(
    points: Points, neighbours: Neighbourhood, options: LapOptions
) -> Motion | None:
    spacing = neighbours.spacing_um
    if options.motion == "none" or not np.isfinite(spacing):
        return None
    return Motion(points, common_drift_um(points, spacing), neighbours)


def _changed(one: Candidates, other: Candidates) -> int:
    """Number of links that only one of the two has."""
    size = 1 + max(one.target.max(initial=0), other.target.max(initial=0))
    return len(
        np.setxor1d(
            one.source * size + one.target,
            other.source * size + other.target,
            assume_unique=True,
        )
    )


def _edge_distance_um(points: Points, calibration: Calibration) -> np.ndarray:
    """(N,) distance from each cell's centroid to the nearest edge of the field."""
    place = points.position_um
    far = np.asarray(field_um(calibration)) - place
    return np.maximum(np.minimum(place, far).min(axis=1), 0.0)
