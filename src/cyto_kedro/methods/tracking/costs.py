"""What a candidate link costs: distance, and how unlike its two cells are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.tracking.candidates import Candidates
from cyto_kedro.methods.tracking.options import LapOptions
from cyto_kedro.methods.tracking.overlaps import Stack, find_overlaps
from cyto_kedro.methods.tracking.points import Points

#: A difference beyond this many of its spreads counts no more: it is an error of the
#: mask, or a cell that changed in earnest.
_CAP = 3.0
#: Fewest links that spreads are learned from.
_ENOUGH = 30
#: Least spread of a term: what never differs would otherwise forbid every change.
_LEAST_SPREAD = 0.02
_AREA, _INTENSITY, _OVERLAP = "area", "intensity", "overlap"
_COLUMN = {_AREA: "area_um2", _INTENSITY: "mean"}


@dataclass(frozen=True)
class Costs:
    """Costs of candidate links in um2.

    ``(distance x penalty)^2 + sigma^2 sum_f w_f min(|D_f| / s_f, 3)^2``: the negative
    log likelihood of the step (x 2 sigma^2) if distance and differences ``D_f`` were
    independent and normal. The prediction error ``sigma`` and the spreads ``s_f`` are
    those of the links found so far (robust, from medians); before there are any, only
    distance counts. ``D_f`` is the log ratio of areas or mean intensities, or 1 - IoU
    of the masks. Differences that are unknown cost nothing.

    Attributes:
        penalty: TrackMate's feature penalty.
        area_um2: (N,) area; NaN where unknown or cut by the image edge.
        weights: By term, above 0.
        sigma_um: Prediction error; 0 = not learned yet.
        spread: ``s_f`` by term.
    """

    penalty: Penalty
    area_um2: np.ndarray
    weights: dict[str, float] = field(default_factory=dict)
    logs: dict[str, np.ndarray] = field(default_factory=dict)
    overlap: PairValues | None = None
    sigma_um: float = 0.0
    spread: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        detections: pd.DataFrame,
        points: Points,
        options: LapOptions,
        labels: Stack | None = None,
    ) -> Costs:
        """Read what the options ask for.

        Raises:
            InputError: A feature does not exist, or masks are needed and not given.
        """
        weights = {name: w for name, w in options.cost_terms if w > 0}
        logs = {}
        for name in set(weights) & set(_COLUMN):
            value = _numbers(detections, _COLUMN[name], "cost_terms")[points.row]
            logs[name] = np.log(np.where(value > 0, value, np.nan))
        overlap = None
        if _OVERLAP in weights:
            overlap = _ious(detections, points, labels)
        area = detections["area_um2"].to_numpy(dtype=np.float64)
        cut = detections["touches_border"].to_numpy(dtype=bool)
        return cls(
            Penalty(detections, points, options.feature_penalties),
            np.where(cut, np.nan, area)[points.row],
            weights,
            logs,
            overlap,
        )

    def __call__(
        self, source: np.ndarray, target: np.ndarray, distance_um: np.ndarray
    ) -> np.ndarray:
        """(E,) cost of each candidate."""
        cost = (distance_um * self.penalty(source, target)) ** 2
        if self.sigma_um == 0:
            return cost
        for name, weight in self.weights.items():
            off = np.abs(self._difference(name, source, target)) / self.spread[name]
            off = np.nan_to_num(np.minimum(off, _CAP), nan=0.0)
            cost = cost + self.sigma_um**2 * weight * off**2
        return cost

    def learned(self, links: Candidates) -> Costs:
        """The same terms with the scales that these links show."""
        if not self.weights or len(links) < _ENOUGH:
            return self
        sigma = float(np.sqrt(np.median(links.distance_um**2) / (2.0 * np.log(2.0))))
        spread = {}
        for name in self.weights:
            off = self._difference(name, links.source, links.target)
            off = np.abs(off[np.isfinite(off)])
            typical = float(np.median(off)) / 0.6745 if len(off) else 1.0
            spread[name] = max(typical, _LEAST_SPREAD)
        return replace(self, sigma_um=sigma, spread=spread)

    def distance_only(
        self, source: np.ndarray, target: np.ndarray, distance_um: np.ndarray
    ) -> np.ndarray:
        """(E,) cost without terms: a daughter is expected to differ from its mother."""
        return (distance_um * self.penalty(source, target)) ** 2

    def _difference(
        self, name: str, source: np.ndarray, target: np.ndarray
    ) -> np.ndarray:
        if name == _OVERLAP and self.overlap is not None:
            return 1.0 - self.overlap(source, target)
        return self.logs[name][target] - self.logs[name][source]


class PairValues:
    """A value for some pairs of points; 0 for those of consecutive frames without one.

    Pairs that lie further apart in time have no value (NaN).
    """

    def __init__(
        self, points: Points, source: np.ndarray, target: np.ndarray, value: np.ndarray
    ) -> None:
        self._frame = points.frame
        key = source * len(points) + target
        order = np.argsort(key)
        self._key = np.append(key[order], -1)
        self._value = np.append(value[order], 0.0)

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """(E,) value of each pair."""
        key = source * len(self._frame) + target
        at = np.searchsorted(self._key[:-1], key)
        found = np.where(self._key[at] == key, self._value[at], 0.0)
        next_ = self._frame[target] - self._frame[source] == 1
        return np.where(next_, found, np.nan)


def _ious(detections: pd.DataFrame, points: Points, labels: Stack | None) -> PairValues:
    if labels is None:
        raise InputError(
            "The overlap of cells is to be compared, but there are no masks",
            where="parameter cost_terms.overlap",
            fix="give the labels of the detections, or set this weight to 0",
        )
    label = detections["label"].to_numpy(dtype=np.int64)[points.row]
    near = find_overlaps(points, label, labels)
    return PairValues(points, near.source, near.target, near.iou)


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
            values = _numbers(detections, column, "feature_penalties")
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


def _numbers(detections: pd.DataFrame, column: str, parameter: str) -> np.ndarray:
    known = column in detections
    if not known or not pd.api.types.is_numeric_dtype(detections[column]):
        raise InputError(
            f"There is no numeric column '{column}' to compare cells by",
            where=f"parameter {parameter}",
            fix="name a column of the detections table, such as size or mean",
        )
    return detections[column].to_numpy(dtype=np.float64)
