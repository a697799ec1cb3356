"""Two groups of wells: effect sizes with bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.killing.resampling import widened_interval


@dataclass(frozen=True)
class Sample:
    """Units of two groups; only differences within a stratum count.

    Attributes:
        value: (N,) outcome of each unit.
        in_b: (N,) whether it belongs to group b.
        stratum: (N,) its stratum, such as the donor; each has units of both groups.
        paired: Each stratum has one unit of either group; strata are resampled.
    """

    value: np.ndarray
    in_b: np.ndarray
    stratum: np.ndarray
    paired: bool = False

    def arms(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Values of a and of b in each stratum."""
        found = []
        for level in np.unique(self.stratum):
            own = self.stratum == level
            found.append((self.value[own & ~self.in_b], self.value[own & self.in_b]))
        return found


@dataclass(frozen=True)
class Effect:
    """An estimate with bounds; NaN where there are too few units."""

    value: float
    low: float
    high: float


def mean_difference(sample: Sample) -> float:
    """Mean over strata, weighing alike, of mean b - mean a."""
    return float(np.mean([b.mean() - a.mean() for a, b in sample.arms()]))


def hodges_lehmann(sample: Sample) -> float:
    """Median of all differences b - a within strata (Hodges & Lehmann 1963)."""
    return float(np.median(_pairs(sample.arms())))


def cliffs_delta(sample: Sample, confidence: float) -> Effect:
    """P(b > a) - P(b < a) within strata, with Newcombe's score-like bounds.

    Unlike resampling the bounds do not collapse where the groups do not overlap.

    Source: Cliff 1993; Newcombe 2006, method 5, doi:10.1002/sim.2324.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    delta = float(np.mean(np.sign(_pairs(sample.arms()))))
    m, n = int((~sample.in_b).sum()), int(sample.in_b.sum())
    found, z = (1 + delta) / 2, float(ndtri(0.5 + confidence / 2))
    more = (m + n) / 2 - 1

    def gap(theta: float) -> float:
        inflate = 1 + more * (1 - theta) / (2 - theta) + more * theta / (1 + theta)
        return (theta - found) ** 2 - z**2 * theta * (1 - theta) * inflate / (m * n)

    # The point estimate itself solves the equation where the groups do not overlap.
    low = brentq(gap, 0.0, found - 1e-9) if found > 0 else 0.0
    high = brentq(gap, found + 1e-9, 1.0) if found < 1 else 1.0
    return Effect(delta, 2 * float(low) - 1, 2 * float(high) - 1)


def resampled_effects(
    sample: Sample, confidence: float, n_bootstrap: int, seed: int
) -> tuple[Effect, Effect]:
    """Difference of means and Hodges-Lehmann shift, bounds from resampled units.

    n - 1 of n units are drawn (Rao & Wu 1988) and the percentile interval is widened
    to the t distribution with Welch-Satterthwaite degrees of freedom.
    """
    arms = sample.arms()
    estimates = np.array([mean_difference(sample), hodges_lehmann(sample)])
    dof = _degrees(arms, sample.paired)
    draws = np.empty((0, 2))
    if dof >= 1:
        random = np.random.default_rng(seed)
        draw = _draw_pairs if sample.paired else _draw_units
        draws = draw(arms, n_bootstrap, random)
    low, high = widened_interval(estimates, draws, dof, confidence)
    mean, shift = map(Effect, estimates.tolist(), low.tolist(), high.tolist())
    return mean, shift


def _pairs(arms: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.concatenate([(b[:, None] - a).ravel() for a, b in arms])


def _draw_pairs(
    arms: list[tuple[np.ndarray, np.ndarray]], n: int, random: np.random.Generator
) -> np.ndarray:
    """Mean and median difference of all but one of the pairs, with replacement."""
    drawn = random.choice(_pairs(arms), size=(n, len(arms) - 1))
    return np.column_stack([drawn.mean(axis=1), np.median(drawn, axis=1)])


def _draw_units(
    arms: list[tuple[np.ndarray, np.ndarray]], n: int, random: np.random.Generator
) -> np.ndarray:
    """Mean difference and median of all differences of units drawn within arms."""
    means, pairs = [], []
    for a, b in arms:
        less_a, less_b = (random.choice(s, size=(n, len(s) - 1)) for s in (a, b))
        means.append(less_b.mean(axis=1) - less_a.mean(axis=1))
        pairs.append((less_b[:, :, None] - less_a[:, None, :]).reshape(n, -1))
    shift = np.median(np.concatenate(pairs, axis=1), axis=1)
    return np.column_stack([np.mean(means, axis=0), shift])


def _degrees(arms: list[tuple[np.ndarray, np.ndarray]], paired: bool) -> float:
    """Welch-Satterthwaite over all arms, or pairs less one; 0 if an arm has one."""
    if paired:
        return len(arms) - 1
    sides = [side for pair in arms for side in pair]
    if min(len(side) for side in sides) < 2:
        return 0
    parts = np.array([side.var(ddof=1) / len(side) for side in sides])
    each = np.array([len(side) - 1 for side in sides])
    if not parts.sum() > 0:
        return float(each.sum())
    return float(parts.sum() ** 2 / (parts**2 / each).sum())
