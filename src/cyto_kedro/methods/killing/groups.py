"""Comparing survival between groups of movies: log-rank, permutation, bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cyto_kedro.methods.killing.resampling import cluster_weights
from cyto_kedro.methods.killing.survival import Subjects

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Attributes:
        observed: (G,) deaths of each group.
        expected: (G,) deaths if the groups had one common hazard.
        statistic: Chi-squared statistic.
        dof: Degrees of freedom, groups with anyone at risk less one.
        p_value: NaN if there is nothing to compare.
    """

    observed: np.ndarray
    expected: np.ndarray
    statistic: float
    dof: int
    p_value: float


def log_rank(
    subjects: Subjects, group: np.ndarray, strata: np.ndarray | None = None
) -> LogRank:
    """Log-rank test of two or more groups, with delayed entry and strata.

    Args:
        subjects: Cells of all groups.
        group: (N,) group number from 0.
        strata: (N,) stratum number; groups are compared within strata only.

    Source: Mantel 1966; Klein & Moeschberger 2003, section 7.3 to 7.5.
    """
    from scipy.special import gammaincc

    n_groups = int(group.max()) + 1 if len(group) else 0
    observed, expected = np.zeros(n_groups), np.zeros(n_groups)
    variance = np.zeros((n_groups, n_groups))
    levels = np.zeros(len(group), dtype=np.int64) if strata is None else strata
    for level in np.unique(levels):
        inside = levels == level
        seen, due, spread = _one_stratum(subjects[inside], group[inside], n_groups)
        observed, expected = observed + seen, expected + due
        variance = variance + spread
    present = np.flatnonzero(np.diag(variance) > 0)
    if len(present) < 2:
        return LogRank(observed, expected, float("nan"), 0, float("nan"))
    keep = present[1:]  # the rows sum to 0: one is redundant
    gap = (observed - expected)[keep]
    statistic = float(gap @ np.linalg.pinv(variance[np.ix_(keep, keep)]) @ gap)
    dof = int(np.linalg.matrix_rank(variance[np.ix_(keep, keep)]))
    p_value = float(gammaincc(dof / 2, statistic / 2))
    return LogRank(observed, expected, statistic, dof, p_value)


def _one_stratum(
    subjects: Subjects, group: np.ndarray, n_groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observed and expected deaths and their covariance (hypergeometric)."""
    times = np.unique(subjects.exit[subjects.died])
    n = np.empty((n_groups, len(times)))
    d = np.empty_like(n)
    for index in range(n_groups):
        part = subjects[group == index]
        n[index], d[index] = part.at_risk(times), part.deaths_at(times)
    total, deaths = n.sum(axis=0), d.sum(axis=0)
    at_risk = total > 0  # a death at the moment of entry is nobody's risk
    total, deaths = total[at_risk], deaths[at_risk]
    share = n[:, at_risk] / total
    factor = deaths * (total - deaths) / np.maximum(total - 1, 1)
    variance = np.diag((share * factor).sum(axis=1)) - (share * factor) @ share.T
    return d[:, at_risk].sum(axis=1), (share * deaths).sum(axis=1), variance


def movie_permutation_test(
    subjects: Subjects,
    movie: np.ndarray,
    group_of_movie: np.ndarray,
    stratum_of_movie: np.ndarray,
    n_permutations: int,
    seed: int,
) -> float:
    """P-value of the log-rank comparison with movies, not cells, as the unit.

    Cells of one well share medium, donor and day; counting them as independent makes
    p-values far too small. Here the group labels are permuted over whole movies,
    within strata. The statistic ``sum_g (O_g - E_g)^2 / E_g`` needs each movie's
    observed and expected deaths only once, since these add up.

    Args:
        subjects: Cells.
        movie: (N,) movie number of each cell, from 0, every movie with cells.
        group_of_movie: (M,) group number of each movie.
        stratum_of_movie: (M,) stratum number of each movie.
        n_permutations: Random permutations; the observed labels count as one more.
        seed: Seed of the permutations.

    Returns:
        The share of labellings at least as extreme. With two movies against two it
        stays near 1/3: few movies prove little, whatever the number of cells.
    """
    ranked = log_rank(subjects, movie, stratum_of_movie[movie])
    gap, expected = ranked.observed - ranked.expected, ranked.expected
    groups = np.arange(int(group_of_movie.max()) + 1)

    def statistic(labels: np.ndarray) -> np.ndarray:
        one_hot = labels[..., None] == groups
        due = (one_hot * expected[:, None]).sum(axis=-2)
        off = (one_hot * gap[:, None]).sum(axis=-2) ** 2
        return np.divide(off, due, out=np.zeros_like(due), where=due > 0).sum(axis=-1)

    random = np.random.default_rng(seed)
    keys = random.random((n_permutations, len(group_of_movie))) + stratum_of_movie
    labels = np.empty(keys.shape, dtype=np.int64)
    slots = np.argsort(stratum_of_movie, kind="stable")
    labels[:, slots] = group_of_movie[np.argsort(keys, axis=1)]
    as_extreme = statistic(labels) >= statistic(group_of_movie) - 1e-9
    return (1 + int(as_extreme.sum())) / (1 + n_permutations)


def bootstrap_survival(
    subjects: Subjects,
    cluster: np.ndarray,
    n_bootstrap: int,
    seed: int,
    strata: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kaplan-Meier curves of resampled clusters (wells, or cells one by one).

    Resampling only changes how often each cluster counts, so that all curves come
    from one product of the (sparse) events of the clusters with these counts.

    Args:
        subjects: Cells.
        cluster: (N,) cluster number from 0; drawn with replacement as a whole.
        n_bootstrap: Resamples.
        seed: Seed of the draws.
        strata: (C,) stratum of each cluster, such as its donor; clusters are drawn
            within their stratum, one less than there are (`cluster_weights`).

    Returns:
        (K,) distinct times of death and (n_bootstrap, K) survival estimates.
    """
    times = np.unique(subjects.exit[subjects.died])
    n_clusters = int(cluster.max()) + 1 if len(cluster) else 0
    random = np.random.default_rng(seed)
    if not n_clusters or not len(times):
        return times, np.ones((n_bootstrap, len(times)))
    strata = np.zeros(n_clusters, np.int64) if strata is None else strata
    weights = cluster_weights(strata, n_bootstrap, random)
    sizes = np.unique(strata, return_counts=True)[1]
    if len(np.unique(sizes)) == 1:  # counts: exact up to 2**24, in half the time
        weights = weights.astype(np.float32)
    change, fallen = _events(subjects, cluster, times, n_clusters, weights.dtype)
    of_cluster = np.ascontiguousarray(weights.T)
    n = np.cumsum((change @ of_cluster)[:-1], axis=0, dtype=np.float64)
    d = (fallen @ of_cluster).astype(np.float64)
    hazard = np.divide(d, n, out=np.zeros_like(d), where=n > 0)
    return times, np.ascontiguousarray(np.cumprod(1 - hazard, axis=0).T)


def _events(
    subjects: Subjects,
    cluster: np.ndarray,
    times: np.ndarray,
    n_clusters: int,
    dtype: np.dtype,
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """(K + 1, C) change of the number at risk and (K, C) deaths, at each time.

    A cell has three events whatever the number of times: sparse, one resample costs
    three additions per cell and not one per cell and time.
    """
    from scipy import sparse

    # At risk from the first time after entry to the last time not after exit.
    begins = np.searchsorted(times, subjects.entry, "right")
    ends = np.searchsorted(times, subjects.exit, "right")
    steps = np.repeat(np.array([1, -1], dtype), len(cluster))
    at = np.r_[begins, ends], np.r_[cluster, cluster]
    change = sparse.coo_array((steps, at), shape=(len(times) + 1, n_clusters))
    dead = cluster[subjects.died]
    at = np.searchsorted(times, subjects.exit[subjects.died]), dead
    ones = np.ones(len(dead), dtype)
    fallen = sparse.coo_array((ones, at), shape=(len(times), n_clusters))
    return change.tocsr(), fallen.tocsr()


def curves_at(times: np.ndarray, curves: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values of the (B, K) step curves at the times ``at``: (B, len(at))."""
    start = np.ones((len(curves), 1))
    return np.hstack([start, curves])[:, np.searchsorted(times, at, side="right")]


def restricted_means(
    times: np.ndarray, curves: np.ndarray, horizon: float
) -> np.ndarray:
    """Area under each of the (B, K) curves from 0 to ``horizon`` (min)."""
    within = times <= horizon
    edges = np.r_[0.0, times[within], horizon]
    start = np.ones((len(curves), 1))
    return np.hstack([start, curves[:, within]]) @ np.diff(edges)
