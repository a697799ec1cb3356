"""Our own LAP tracker: adaptive motion, sparse assignment, two steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking.candidates import Candidates, Penalty
from cyto_kedro.methods.tracking.limits import Limits, field_um
from cyto_kedro.methods.tracking.lineage import tracks_table
from cyto_kedro.methods.tracking.linking import link_frames
from cyto_kedro.methods.tracking.motion import (
    Motion,
    Neighbourhood,
    common_drift_um,
)
from cyto_kedro.methods.tracking.options import LapOptions
from cyto_kedro.methods.tracking.points import Points, read_points
from cyto_kedro.methods.tracking.segments import MERGE, SegmentRules, join_segments

#: Most rounds of linking and learning; two or three do unless cells are confusable.
_ROUNDS = 6
#: Share of changed links below which another round is not worth its time.
_SETTLED = 1e-3


@dataclass(frozen=True)
class Links:
    """Links of a movie: point indices and confidence in [0, 1], merges last."""

    source: np.ndarray
    target: np.ndarray
    confidence: np.ndarray


def track_lap(
    detections: pd.DataFrame, calibration: Calibration, options: LapOptions
) -> pd.DataFrame:
    """Track by linear assignment (Jaqaman et al. 2008, doi:10.1038/nmeth.1237).

    Step 1 links consecutive frames, repeatedly: the links of one round teach the
    motion model that the next one starts from. Step 2 closes gaps and finds divisions
    and merges. Costs are squared distances to the expected position.

    Args:
        detections: Table DETECTIONS.
        calibration: Its field size bounds the costs of entering and leaving.
        options: Limits and switches.

    Returns:
        Table TRACKS.

    Raises:
        InputError: A position is not finite, a (frame, label) repeats, or a penalised
            feature does not exist.
    """
    points = read_points(detections)
    penalty = Penalty(detections, points, options.feature_penalties)
    links = find_links(points, calibration, options, penalty)
    return tracks_table(
        detections, points, links.source, links.target, links.confidence
    )


def find_links(
    points: Points, calibration: Calibration, options: LapOptions, penalty: Penalty
) -> Links:
    """All links of :func:`track_lap`."""
    if not len(points):
        none = np.empty(0, dtype=np.int64)
        return Links(none, none, np.empty(0))
    neighbours = Neighbourhood.of(points)
    limits = Limits.of(neighbours.spacing_um, calibration, options)
    links, expected, linking = _settle(points, neighbours, limits, penalty)
    rules = SegmentRules(
        gap_um=limits.gap(linking),
        gap_steps=options.max_gap_frames + 1,
        split_um=limits.split,
        merge_um=options.merging_max_distance_um,
        factor=options.alternative_cost_factor,
        percentile=options.alternative_cost_percentile,
        join_single=options.join_single_detections,
    )
    edge = _edge_distance_um(points, calibration) if options.field_edge else None
    step = expected - points.position_um
    joins, kind = join_segments(points, step, links, rules, penalty, edge)
    reach = np.array([limit or 1.0 for limit in rules.limits])[kind]
    order = np.argsort(kind == MERGE, kind="stable")
    trust = np.concatenate(
        [1.0 - links.cost / linking**2, (1.0 - joins.cost / reach**2)[order]]
    )
    return Links(
        np.concatenate([links.source, joins.source[order]]),
        np.concatenate([links.target, joins.target[order]]),
        np.clip(trust, 0.0, 1.0),
    )


def _settle(
    points: Points, neighbours: Neighbourhood, limits: Limits, penalty: Penalty
) -> tuple[Candidates, np.ndarray, float]:
    """Link, learn how cells move, and link again until the links have settled.

    Returns:
        The links, the expected positions they were found from, and the limit in um.
    """
    factor = limits.options.alternative_cost_factor
    motion = _motion(points, neighbours, limits.options)
    expected = motion.expected(None) if motion else points.position_um
    limit = limits.first
    links = link_frames(points, expected, limit, factor, penalty)
    for _ in range(_ROUNDS):
        before, limit = links, limits.linking(links)
        expected = motion.expected(links) if motion else points.position_um
        links = link_frames(points, expected, limit, factor, penalty)
        if _changed(before, links) <= _SETTLED * len(links):
            break
    return links, expected, limit


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
