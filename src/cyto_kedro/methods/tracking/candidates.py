"""Candidate links between points that are close enough, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.tracking.points import Points


@dataclass(frozen=True)
class Candidates:
    """Possible links: point indices and costs, sorted by source, then target."""

    source: np.ndarray
    target: np.ndarray
    cost: np.ndarray

    def __len__(self) -> int:
        return len(self.source)

    def take(self, index: np.ndarray) -> Candidates:
        """The candidates at these positions."""
        return Candidates(self.source[index], self.target[index], self.cost[index])


def nearby(
    points: Points,
    expected_um: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    step: int,
    limit_um: float,
    penalty: Penalty,
) -> Candidates:
    """Pairs whose target lies within ``limit_um`` of where its source is expected.

    Args:
        points: All points.
        expected_um: (N, 2) expected position of each point ``step`` frames later.
        sources: Indices of the points that may be left.
        targets: Indices of the points that may be reached.
        step: Frames from source to target (>= 1, or -1 to look backwards).
        limit_um: Largest distance.
        penalty: Turns distances into costs.

    Returns:
        Candidates with cost (distance x penalty) squared, in um2.
    """
    if not len(sources) or not len(targets):
        none = np.empty(0, dtype=np.int64)
        return Candidates(none, none, np.empty(0))
    separation = 4.0 * limit_um
    here = cKDTree(points.lifted(step, expected_um, separation)[sources])
    there = cKDTree(points.lifted(0, points.position_um, separation)[targets])
    pairs = here.sparse_distance_matrix(there, limit_um, output_type="ndarray")
    source, target = sources[pairs["i"]], targets[pairs["j"]]
    order = np.lexsort((target, source))
    source, target, distance = source[order], target[order], pairs["v"][order]
    return Candidates(source, target, (distance * penalty(source, target)) ** 2)


class Penalty:
    """TrackMate's feature penalty of a link.

    ``1 + sum_f 3 w_f |f1 - f2| / |f1 + f2|`` (Tinevez et al. 2017,
    doi:10.1016/j.ymeth.2016.09.016); features that are unknown on a side cost nothing.

    Raises:
        InputError: A weighted column is missing or not numeric.
    """

    def __init__(
        self, detections: pd.DataFrame, points: Points, weights: dict[str, float]
    ) -> None:
        self._features = []
        for column, weight in weights.items():
            if column not in detections or not pd.api.types.is_numeric_dtype(
                detections[column]
            ):
                raise InputError(
                    f"There is no numeric column '{column}' to compare cells by",
                    where="parameter feature_penalties",
                    fix="name a column of the detections table, such as size or mean",
                )
            values = detections[column].to_numpy(dtype=np.float64)
            self._features.append((weight, values[points.row]))

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(E,) factor >= 1 for each pair of point indices."""
        factor = np.ones(len(source))
        for weight, value in self._features:
            one, other = value[source], value[target]
            total = np.abs(one + other)
            ratio = np.divide(
                np.abs(one - other), total, out=np.zeros(len(total)), where=total > 0
            )
            factor += 3.0 * weight * np.nan_to_num(ratio)
        return factor
