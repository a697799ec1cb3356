"""The hit model: contacts hit at a rate, a lethal hit kills after a delay.

Target j dies at the rate ``b + sum_i r int_{contact of i with j} g(t - u) du``: ``b``
without any contact, ``r`` lethal hits per contact minute, ``g`` the density of the
lytic delay. All targets enter, also those that were touched and lived. The posterior of
"a hit of i killed j" is the share of i in the rate at the time of death: stochastic
declustering as for aftershocks (Zhuang, Ogata & Vere-Jones 2002,
doi:10.1198/016214502760046925; by EM: Veen & Schoenberg 2008,
doi:10.1198/016214508000000148). The delay is a gamma distribution, cut at the window;
its mean and shape are averaged over a grid, weighted by likelihood and prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import HIT_MODEL
from cyto_kedro.methods.killing.exposure import Delay, Exposure, gather_exposure
from cyto_kedro.methods.killing.touches import Touches

_SHAPES = (1.0, 2.0, 4.0, 8.0)  # of the delay: spread / mean 1, .71, .5, .35
_PRIOR_STEPS = np.linspace(-2.0, 2.0, 21)  # grid of the mean, in prior deviations
_PSEUDO = 0.5  # deaths added to each cause: no cause is ever excluded for certain
_ITERATIONS, _TOLERANCE = 500, 1e-7
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class DelayPrior:
    """What is known about the lytic delay before the movie is seen."""

    median_min: float = 15.0  # of the mean delay from hit to death (min)
    log_sd: float = 0.7  # spread of its logarithm


@dataclass(frozen=True)
class HitModel:
    """A fitted hit model.

    Attributes:
        table: HIT_MODEL, one row per effector role.
        credit: Columns target, role (index), effector, credit: posterior that a hit
            of this effector killed this target.
        background: Posterior of a death without any effector, by target track.
        gain: Log likelihood gained over a background alone; NaN without deaths.
    """

    table: pd.DataFrame
    credit: pd.DataFrame
    background: pd.Series
    gain: float


@dataclass(frozen=True)
class _Data:
    """Sufficient statistics: G delays, D deaths, R roles, P stretches before deaths."""

    interval: np.ndarray  # (D,) minutes in which the death fell
    watched: float  # target minutes at risk
    death: np.ndarray  # (P,)
    role: np.ndarray  # (P,)
    mass: np.ndarray  # (G, P) arrivals in the interval of death per unit of rate
    arrivals: np.ndarray  # (R, G, D) the same, summed over stretches
    exposure: np.ndarray  # (G, R) arrivals while targets were at risk

    def total(self, rates: _Rates) -> np.ndarray:
        """(G, D) expected deaths in the interval of each death."""
        out = rates.background[:, None] * self.interval
        for hit, arrivals in zip(rates.hit.T, self.arrivals, strict=True):
            out += hit[:, None] * arrivals
        return out


@dataclass(frozen=True)
class _Rates:
    background: np.ndarray  # (G,) deaths per minute
    hit: np.ndarray  # (G, R) lethal hits per contact minute


def fit_hits(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    window_min: float,
    prior: DelayPrior,
) -> HitModel:
    """Fit the hit model to one movie (maximum a posteriori, averaged over delays).

    Args:
        deaths: Table DEATHS of all targets. Those dead at entry are left out.
        touches: Contacts of all effector roles with these targets.
        calibration: Time base; intervals may differ.
        target: Target role.
        window_min: Longest delay that is thought possible (min).
        prior: Of the mean delay.
    """
    exposure = gather_exposure(deaths, touches, calibration)
    means = prior.median_min * np.exp(prior.log_sd * _PRIOR_STEPS)
    delays = [Delay(m, k, window_min) for m, k in product(means, _SHAPES)]
    data, rows = _sufficient(exposure, delays, len(touches.roles))
    rates = _estimate(data)
    log_prior = np.repeat(-0.5 * _PRIOR_STEPS**2, len(_SHAPES))
    weight, gain = _weigh(data, rates, log_prior)

    total = data.total(rates)
    share = rates.hit[:, data.role] * data.mass / total[:, data.death]
    credit = pd.DataFrame(
        {
            "target": exposure.track[exposure.target[rows]],
            "role": data.role,
            "effector": exposure.effector[rows],
            "credit": weight @ share,
        }
    )
    credit = credit.groupby(["target", "role", "effector"], as_index=False).sum()
    alone = rates.background[:, None] * data.interval / total
    background = pd.Series(weight @ alone, index=exposure.track[exposure.died])
    kills = credit.groupby("role")["credit"].sum().reindex(range(len(touches.roles)))
    table = pd.DataFrame(
        {
            "target": target,
            "effector": pd.Series(touches.roles, dtype=object),
            "n_targets": len(exposure.track),
            "n_deaths": len(data.interval),
            "contact_hours": _by_role(exposure, len(touches.roles)) / 60,
            "expected_kills": kills.fillna(0.0).to_numpy(),
            **_rate_columns(data, rates, weight, total),
            **_delay_columns(delays, weight, bool(len(data.interval))),
            "log_likelihood_gain": gain,
        }
    )
    return HitModel(HIT_MODEL.conform(table), credit, background, gain)


def _by_role(exposure: Exposure, n_roles: int) -> np.ndarray:
    minutes = exposure.contact_min
    return np.bincount(exposure.role, weights=minutes, minlength=n_roles)


def _sufficient(
    exposure: Exposure, delays: list[Delay], n_roles: int
) -> tuple[_Data, np.ndarray]:
    """What the likelihood needs, and the stretches before deaths."""
    number = np.cumsum(exposure.died) - 1
    rows = np.flatnonzero(exposure.died[exposure.target])
    mass = np.empty((len(delays), len(rows)))
    total = np.empty((len(delays), n_roles))
    for index, delay in enumerate(delays):
        seen, last = exposure.arrivals(delay)
        total[index] = np.bincount(exposure.role, weights=seen, minlength=n_roles)
        mass[index] = last[rows]
    interval = (exposure.end - exposure.before)[exposure.died]
    death, role = number[exposure.target[rows]], exposure.role[rows]
    arrivals = np.zeros((n_roles, len(delays), len(interval)))
    for r, g in np.ndindex(n_roles, len(delays)):
        weights = np.where(role == r, mass[g], 0.0)
        arrivals[r, g] = np.bincount(death, weights, minlength=len(interval))
    watched = exposure.watched_min
    return _Data(interval, watched, death, role, mass, arrivals, total), rows


def _estimate(data: _Data) -> _Rates:
    """EM at every delay at once; a role that touched nobody has the rate 0."""
    n = len(data.interval)
    known = data.exposure > 0
    safe = np.where(known, data.exposure, 1.0)
    start = 0.5 * n / max(data.watched, 1e-300)
    rates = _Rates(np.full(len(safe), start), np.where(known, 0.5 * n / safe, 0.0))
    if not n:
        return rates
    for _ in range(_ITERATIONS):
        total = data.total(rates)
        alone = rates.background * (data.interval / total).sum(axis=1)
        hits = rates.hit * (data.arrivals / total).sum(axis=2).T
        background = (alone + _PSEUDO) / data.watched
        hit = np.where(known, (hits + _PSEUDO) / safe, 0.0)
        moved = np.abs(background / rates.background - 1).max()
        rates = _Rates(background, hit)
        if moved < _TOLERANCE:
            break
    return rates


def _weigh(
    data: _Data, rates: _Rates, log_prior: np.ndarray
) -> tuple[np.ndarray, float]:
    """Posterior of the delays, and the log likelihood gained by hits at the best one.

    The gain is over a background alone.
    """
    n, known = len(data.interval), data.exposure > 0
    if not n:
        weight = np.exp(log_prior)
        return weight / weight.sum(), float("nan")
    hits = rates.hit * data.exposure
    expected = rates.background * data.watched + hits.sum(axis=1)
    fit = np.log(data.total(rates)).sum(axis=1) - expected
    only = np.log(n / data.watched * data.interval).sum() - n
    # The pseudo-deaths belong to the objective that EM climbs.
    pseudo = np.log(rates.background * data.watched)
    pseudo = pseudo + np.log(np.where(known, hits, 1.0)).sum(axis=1)
    score = fit + _PSEUDO * pseudo + log_prior
    weight = np.exp(score - score.max())
    return weight / weight.sum(), float(fit[score.argmax()] - only)


def _rate_columns(
    data: _Data, rates: _Rates, weight: np.ndarray, total: np.ndarray
) -> dict[str, np.ndarray | float]:
    """Rates per hour with 95 % intervals from the curvature at the best delay."""
    n, n_roles = len(data.interval), data.exposure.shape[1]
    if not n:
        unknown = np.full(n_roles, np.nan)
        names = ("hits_per_contact_hour", "hits_low", "hits_high")
        return dict.fromkeys(names, unknown) | {"background_per_hour": np.nan}
    best = int(weight.argmax())
    slope = np.zeros((n, 1 + n_roles))
    slope[:, 0] = data.interval
    np.add.at(slope, (data.death, 1 + data.role), data.mass[best])
    slope /= total[best][:, None]
    theta = np.r_[rates.background[best], rates.hit[best]]
    # Of the logarithms, with the pseudo-deaths as prior.
    curvature = np.outer(theta, theta) * (slope.T @ slope) + _PSEUDO * np.eye(
        len(theta)
    )
    error = np.sqrt(np.diag(np.linalg.inv(curvature)))[1:]
    hit = 60 * (weight @ rates.hit)
    hit = np.where(data.exposure[best] > 0, hit, np.nan)
    return {
        "hits_per_contact_hour": hit,
        "hits_low": hit * np.exp(-_NORMAL_95 * error),
        "hits_high": hit * np.exp(_NORMAL_95 * error),
        "background_per_hour": 60 * float(weight @ rates.background),
    }


def _delay_columns(
    delays: list[Delay], weight: np.ndarray, informed: bool
) -> dict[str, float]:
    """Posterior mean of the delay and the smallest grid range that holds 95 %."""
    mean = np.array([delay.mean_min for delay in delays])
    spread = np.array([delay.shape**-0.5 for delay in delays])
    if not informed:
        names = ("delay_mean_min", "delay_low_min", "delay_high_min", "delay_cv")
        return dict.fromkeys(names, float("nan"))
    grid, place = np.unique(mean, return_inverse=True)
    below = np.cumsum(np.bincount(place, weights=weight))
    low, high = np.searchsorted(below, [0.025, 0.975])
    return {
        "delay_mean_min": float(weight @ mean),
        "delay_low_min": float(grid[low]),
        "delay_high_min": float(grid[min(high, len(grid) - 1)]),
        "delay_cv": float(weight @ spread),
    }
