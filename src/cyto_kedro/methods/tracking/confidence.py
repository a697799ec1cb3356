"""How sure a link is: how much worse its best alternative would have been."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.parallel import workers
from cyto_kedro.methods.tracking.points import Points, points_tree


def link_margins(
    points: Points, expected_um: np.ndarray, source: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """(E,) margin of each link over its best alternative, in [0, 1].

    ``1 - d / d_alt``: ``d`` is how far the target lies from where its source is
    expected, ``d_alt`` the least such distance if one end is exchanged, for another
    cell of the target's frame or for another source in the frame before it. 1 means
    that the cell is where it was expected or that nobody else is near; 0 that an
    alternative is as near.

    Args:
        points: All points.
        expected_um: (N, 2) where each point is expected one frame later.
        source: (E,) earlier point of each link.
        target: (E,) later point.
    """
    if not len(source):
        return np.empty(0)
    place = points.position_um
    steps = (points.frame[target] - points.frame[source])[:, np.newaxis]
    aim = place[source] + steps * (expected_um - place)[source]
    own = np.hypot(*(aim - place[target]).T)
    both = np.concatenate([place, expected_um, aim])
    apart = 4.0 * (float(np.ptp(both, axis=0).max()) + 1.0)
    level = points.frame * apart
    there = _nearest_other(place, level, aim, level[target], target)
    here = _nearest_other(
        expected_um, level + apart, place[target], level[target], source
    )
    other = np.minimum(there, here)
    other[other > apart / 2.0] = np.inf  # nobody else in that frame
    worse = other > own
    return 1.0 - np.divide(own, other, out=np.ones(len(own)), where=worse)


def _nearest_other(
    place: np.ndarray,
    level: np.ndarray,
    query: np.ndarray,
    query_level: np.ndarray,
    own: np.ndarray,
) -> np.ndarray:
    """Distance from each query to the nearest point that is not its ``own``."""
    tree = points_tree(np.column_stack([place, level]))
    distance, index = tree.query(
        np.column_stack([query, query_level]), k=[1, 2], workers=workers()
    )
    return np.where(index[:, 0] == own, distance[:, 1], distance[:, 0])


def track_confidence(track: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """(N,) least link margin of each row's track; NaN for tracks without a link.

    Args:
        track: (N,) track id of each row.
        margin: (N,) margin of the link into each row; NaN without link.
    """
    rows = pd.Series(np.asarray(margin, dtype=np.float64))
    return rows.groupby(track).transform("min").to_numpy(dtype=np.float64)
