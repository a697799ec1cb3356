"""What to expect of a cell's next step, learned from the movie itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from cyto_kedro.core.parallel import workers
from cyto_kedro.methods.tracking.candidates import Candidates
from cyto_kedro.methods.tracking.points import Points, points_tree

#: Neighbours whose steps are averaged.
_NEIGHBOURS = 12
#: Pseudo-observations that pull the coefficients to "cells do not predict anything".
_PRIOR = 20.0
#: Common drift is searched up to this many cell spacings per frame.
_REACH = 1.5


@dataclass(frozen=True)
class Neighbourhood:
    """The nearest other cells of each cell in its frame, (N, K) each.

    Attributes:
        index: Point indices.
        found: Whether the entry is another cell of the same frame.
        distance_um: Distances.
    """

    index: np.ndarray
    found: np.ndarray
    distance_um: np.ndarray

    @classmethod
    def of(cls, points: Points) -> Neighbourhood:
        """Search all frames at once."""
        extent = float(np.ptp(points.position_um, axis=0).max()) + 1.0
        lifted = points.lifted(0, points.position_um, 4.0 * extent)
        rank = np.arange(1, min(_NEIGHBOURS + 1, len(points)) + 1)
        distance, index = points_tree(lifted).query(lifted, k=rank, workers=workers())
        own = np.arange(len(points))[:, np.newaxis]
        found = (points.frame[index] == points.frame[:, np.newaxis]) & (index != own)
        return cls(index, found, distance)

    @property
    def spacing_um(self) -> float:
        """Median distance to the nearest other cell; NaN if cells are always alone."""
        near = np.where(self.found, self.distance_um, np.inf).min(
            axis=1, initial=np.inf
        )
        near = near[np.isfinite(near) & (near > 0)]
        return float(np.median(near)) if len(near) else float("nan")

    def mean(self, value: np.ndarray) -> np.ndarray:
        """(N, 2) mean of ``value`` over the neighbours that have one; NaN if none."""
        known = np.isfinite(value[:, 0])
        use = self.found & known[self.index]
        count = use.sum(axis=1)
        filled = np.where(known[:, np.newaxis], value, 0.0)
        mean = np.full(value.shape, np.nan)
        for axis in range(value.shape[1]):
            total = np.einsum("nk,nk->n", filled[self.index, axis], use)
            np.divide(total, count, out=mean[:, axis], where=count > 0)
        return mean


def common_drift_um(points: Points, spacing_um: float) -> np.ndarray:
    """Displacement per frame that all cells of the movie share, (2,) in um.

    The displacements between all cells of consecutive frames are noise around one
    peak, the common motion (the peak of the cross-correlation of point patterns). It
    is refined by mean shift. Without a peak that stands out from the count at rest,
    the drift is zero.
    """
    width = spacing_um / 4.0
    reach = _REACH * spacing_um
    all_votes = _displacements(points, reach + 4.0 * width)
    edges = np.arange(-reach - width / 4.0, reach + width / 2.0, width / 2.0)
    counts = np.histogram2d(all_votes[:, 0], all_votes[:, 1], bins=(edges, edges))[0]
    smooth = gaussian_filter(counts, 2.0, mode="constant")
    peak = np.unravel_index(int(smooth.argmax()), smooth.shape)
    drift = np.array([edges[peak[0]], edges[peak[1]]]) + width / 4.0
    votes = all_votes
    for _ in range(20):
        votes, weight = _near(votes, drift, width)
        if not weight.sum():
            return np.zeros(2)
        moved = np.einsum("n,nd->d", weight, votes) / weight.sum() - drift
        drift = drift + moved
        if np.abs(moved).max() < 1e-3 * width:
            break
    at_peak = _near(votes, drift, width)[1].sum()
    at_rest = _near(all_votes, np.zeros(2), width)[1].sum()
    return drift if at_peak - at_rest > 5.0 * np.sqrt(at_peak) else np.zeros(2)


def _near(
    votes: np.ndarray, centre: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Votes within reach of the centre, and their Gaussian weights."""
    away = (votes[:, 0] - centre[0]) ** 2 + (votes[:, 1] - centre[1]) ** 2
    near = away < (6.0 * width) ** 2
    return votes[near], np.exp(-away[near] / (2.0 * width**2))


def _displacements(points: Points, reach: float) -> np.ndarray:
    place = points.position_um
    here = points_tree(points.lifted(1, place, 4.0 * reach))
    there = points_tree(points.lifted(0, place, 4.0 * reach))
    pairs = here.sparse_distance_matrix(there, reach, output_type="ndarray")
    return place[pairs["j"]] - place[pairs["i"]]


@dataclass(frozen=True)
class Motion:
    """Predicts steps from those of the neighbours and from the cell's own last one.

    The step of a cell is regressed on (1) the mean step of its nearest neighbours in
    the same frame and (2) its own previous step relative to that of its neighbours.
    Two coefficients for the whole movie say how far cells move together and persist;
    where they do neither, the coefficients vanish and a cell is expected in place.
    """

    points: Points
    drift_um: np.ndarray
    neighbours: Neighbourhood

    def expected(self, links: Candidates | None) -> np.ndarray:
        """(N, 2) expected position in the next frame, given links found so far."""
        place = self.points.position_um
        if links is None:
            return place + self.drift_um
        step = np.full(place.shape, np.nan)
        last = np.full(place.shape, np.nan)
        step[links.source] = place[links.target] - place[links.source] - self.drift_um
        last[links.target] = step[links.source]
        together = np.nan_to_num(self.neighbours.mean(step))
        persistent = last - np.nan_to_num(self.neighbours.mean(last))
        known = np.isfinite(persistent[:, 0])
        features = np.stack([together, np.nan_to_num(persistent)])
        guess = _regression(features[:1], step, np.isfinite(step[:, 0]))
        guess[known] = _regression(features, step, known & np.isfinite(step[:, 0]))[
            known
        ]
        return place + self.drift_um + guess


def _regression(features: np.ndarray, step: np.ndarray, use: np.ndarray) -> np.ndarray:
    """(N, 2) ridge prediction of ``step``; y and x share the (F,) coefficients."""
    design = features[:, use].reshape(len(features), -1)
    if not use.any():
        return np.zeros(step.shape)
    # einsum, not BLAS: its sums do not depend on the number of threads.
    moment = np.einsum("fn,gn->fg", design, design)
    towards = np.einsum("fn,n->f", design, step[use].ravel())
    ridge = np.diag(np.diag(moment) / use.sum() * _PRIOR + 1e-12)
    coefficient = np.linalg.solve(moment + ridge, towards)
    return sum(c * feature for c, feature in zip(coefficient, features, strict=True))
