"""Resampling wells within donors, with few wells in mind."""

from __future__ import annotations

import numpy as np


def cluster_weights(
    stratum: np.ndarray, n_bootstrap: int, random: np.random.Generator
) -> np.ndarray:
    """How much each cluster counts in each resample, up to a factor: (n_bootstrap, C).

    In a stratum of n clusters n - 1 are drawn with replacement and weighed by
    n / (n - 1): unlike n draws, this has the right variance for small n (Rao & Wu
    1988, doi:10.1080/01621459.1988.10478591). An only cluster is kept as it is.

    Args:
        stratum: (C,) stratum of each cluster, such as its donor.
        n_bootstrap: Resamples.
        random: Source of the draws.
    """
    weights = np.ones((n_bootstrap, len(stratum)))
    levels, sizes = np.unique(stratum, return_counts=True)
    alike = len(np.unique(sizes)) < 2  # then the factor is common: counts stay exact
    for level, n in zip(levels, sizes.tolist(), strict=True):
        if n > 1:
            drawn = random.integers(0, n, size=(n_bootstrap, n - 1))
            drawn += n * np.arange(n_bootstrap)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=n * n_bootstrap)
            counts = counts.reshape(n_bootstrap, n)
            weights[:, stratum == level] = counts if alike else counts * (n / (n - 1))
    return weights


def degrees_of_freedom(stratum: np.ndarray) -> int:
    """Clusters less strata: how much resampling can tell about the spread."""
    return len(stratum) - len(np.unique(stratum))


def widened_interval(
    estimate: np.ndarray,
    draws: np.ndarray,
    dof: float,
    confidence: float,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval, stretched from the normal to the t distribution.

    The spread of a few wells is itself uncertain; a plain percentile interval of
    three wells holds the truth far too rarely (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789).

    Args:
        estimate: (...) estimates.
        draws: (B, ...) resampled estimates; NaN draws are left out.
        dof: Degrees of freedom of the spread; below 1 the bounds are NaN.
        confidence: Coverage.
        bounds: Least and largest value that makes sense.
    """
    from scipy.special import ndtri, stdtrit

    estimate = np.asarray(estimate, dtype=np.float64)
    if dof < 1 or not len(draws):
        nothing = np.full(estimate.shape, np.nan)
        return nothing, nothing.copy()
    level = 0.5 + confidence / 2
    stretch = float(stdtrit(dof, level) / ndtri(level))
    defined = np.isfinite(draws).any(axis=0) & np.isfinite(estimate)
    safe = np.where(defined, draws, 0.0)
    # Looking for NaN in each column is slow, and there rarely are any.
    quantile = np.nanquantile if np.isnan(safe).any() else np.quantile
    low, high = quantile(safe, [1 - level, level], axis=0)
    low = np.clip(estimate - stretch * (estimate - low), *bounds)
    high = np.clip(estimate + stretch * (high - estimate), *bounds)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)
