"""Kaplan-Meier survival with delayed entry, and what is read off the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Subjects:
    """Cells under observation: at risk in ``(entry, exit]``, then dead or censored.

    Attributes:
        entry: (N,) time of the first sight (min).
        exit: (N,) time of death, or of the last sight (min).
        died: (N,) whether ``exit`` is a death.
    """

    entry: np.ndarray
    exit: np.ndarray
    died: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Subjects:
        return Subjects(self.entry[rows], self.exit[rows], self.died[rows])

    def __len__(self) -> int:
        return len(self.exit)

    def at_risk(self, times: np.ndarray) -> np.ndarray:
        """Subjects with ``entry < t <= exit`` for each time."""
        entered = np.searchsorted(np.sort(self.entry), times)
        return entered - np.searchsorted(np.sort(self.exit), times)

    def deaths_at(self, times: np.ndarray) -> np.ndarray:
        """Deaths at each of the sorted, distinct times."""
        hit = np.searchsorted(times, self.exit[self.died])
        return np.bincount(hit, minlength=len(times))


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve at the distinct exit times.

    Attributes:
        time: (K,) exit times (min).
        at_risk: (K,) subjects at risk just before.
        deaths: (K,) deaths.
        censored: (K,) censored.
        survival: (K,) estimate.
        ci_low: (K,) log-log bound; NaN where the estimate is 0 or 1.
        ci_high: (K,) log-log bound; NaN where the estimate is 0 or 1.
    """

    time: np.ndarray
    at_risk: np.ndarray
    deaths: np.ndarray
    censored: np.ndarray
    survival: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray


def kaplan_meier(subjects: Subjects, confidence: float = 0.95) -> Curve:
    """Product-limit estimate with delayed entry, Greenwood variance, log-log bounds.

    Source: Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452; bounds of
    Kalbfleisch & Prentice. Subjects that were seen in one frame only were never at
    risk and are left out.
    """
    from scipy.special import ndtri

    subjects = subjects[subjects.exit > subjects.entry]
    time, which = np.unique(subjects.exit, return_inverse=True)
    removed = np.bincount(which, minlength=len(time))
    deaths = subjects.deaths_at(time)
    at_risk = subjects.at_risk(time)
    survival = np.cumprod(1 - deaths / at_risk)
    inner = (survival > 0) & (survival < 1)
    log_s = np.log(survival, out=np.full(len(time), np.nan), where=inner)
    width = ndtri(0.5 + confidence / 2) * np.sqrt(greenwood(at_risk, deaths)) / log_s
    log_h = np.log(-log_s)
    return Curve(
        time,
        at_risk,
        deaths,
        removed - deaths,
        survival,
        np.exp(-np.exp(log_h - width)),
        np.exp(-np.exp(log_h + width)),
    )


def greenwood(at_risk: np.ndarray, deaths: np.ndarray) -> np.ndarray:
    """Cumulative ``sum d / (n (n - d))``: variance of the log survival.

    Infinite from the time when the last subject at risk died.
    """
    left = at_risk * (at_risk - deaths)
    terms = np.full(len(left), np.inf)
    np.divide(deaths, left, out=terms, where=left > 0)
    return np.cumsum(terms)


def survival_at(curve: Curve, time: float) -> float:
    """Estimate at one time; NaN after the last exit unless all had died."""
    if not len(curve.time):
        return float("nan")
    at = int(np.searchsorted(curve.time, time, side="right")) - 1
    if at < 0:
        return 1.0
    if time > curve.time[-1] and curve.survival[-1] > 0:
        return float("nan")
    return float(curve.survival[at])


def median_survival(curve: Curve) -> float:
    """First time at which the estimate is 1/2 or less; NaN if it stays above."""
    low = np.flatnonzero(curve.survival <= 0.5)
    return float(curve.time[low[0]]) if len(low) else float("nan")


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Restricted mean survival time up to ``horizon`` and its standard error (min).

    The area under the curve from 0; the variance is ``sum A_i^2 d_i / (n_i (n_i -
    d_i))`` with ``A_i`` the area from the i-th exit on (Klein & Moeschberger 2003,
    section 4.5). NaN if the curve ends before the horizon.
    """
    if np.isnan(survival_at(curve, horizon)):
        return float("nan"), float("nan")
    within = curve.time <= horizon
    edges = np.r_[0.0, curve.time[within], horizon]
    area = np.diff(edges) * np.r_[1.0, curve.survival[within]]
    rest = np.cumsum(area[::-1])[::-1][1:]
    n, d = curve.at_risk[within], curve.deaths[within]
    left = n * (n - d)
    terms = np.zeros(len(left))
    # Where all at risk die nothing of the area is left: the term is 0.
    np.divide(rest**2 * d, left, out=terms, where=left > 0)
    return float(area.sum()), float(np.sqrt(terms.sum()))


def specific_lysis(survival_test: float, survival_control: float) -> float:
    """``100 (D_test - D_spont) / (1 - D_spont)`` with ``D = 1 - S``, in percent.

    NaN if all control cells died. Negative if more died without effectors.
    """
    if not survival_control > 0:
        return float("nan")
    return 100.0 * (survival_control - survival_test) / survival_control
