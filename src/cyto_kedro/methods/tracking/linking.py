"""First step of the assignment: from each frame to the next."""

from __future__ import annotations

import numpy as np

from cyto_kedro.methods.tracking.assignment import best_links
from cyto_kedro.methods.tracking.candidates import Candidates, nearby
from cyto_kedro.methods.tracking.costs import Costs
from cyto_kedro.methods.tracking.points import Points


def link_frames(
    points: Points,
    expected_um: np.ndarray,
    limit_um: float,
    factor: float,
    costs: Costs,
) -> Candidates:
    """Optimal one-to-one links between consecutive frames.

    A pair of frames charges ``factor`` x its largest candidate cost for each point
    left alone, as TrackMate does, so that as many points as possible are linked.

    Args:
        points: All points.
        expected_um: (N, 2) where each point is expected in the next frame.
        limit_um: Largest distance between expected and found position.
        factor: Alternative cost factor (> 0.5).
        costs: What a candidate costs.

    Returns:
        The chosen links.
    """
    every = np.arange(len(points))
    near = nearby(points, expected_um, every, every, 1, limit_um, costs)
    if not len(near):
        return near
    level = points.frame[near.source] - points.frame[0]
    highest = np.zeros(level.max() + 1)
    lowest = np.full(level.max() + 1, np.inf)
    np.maximum.at(highest, level, near.cost)
    np.minimum.at(lowest, level, near.cost)
    # A movie in which nothing moves has no cost to scale by; any will do.
    highest[highest == 0] = 1.0
    gain = 2.0 * factor * highest[level] - lowest[level] - near.cost
    return near.take(best_links(near.source, near.target, gain))
