"""Cumulative incidence of death when cells also end in other ways (Aalen-Johansen)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import COMPETING_RISKS
from cyto_kedro.methods.killing.cohorts import Group, Population
from cyto_kedro.methods.killing.survival import Subjects


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence of C ways to end, at the K distinct exit times.

    Attributes:
        time: (K,) exit times (min).
        at_risk: (K,) subjects at risk just before.
        events: (C, K) subjects that ended in each way.
        incidence: (C, K) estimate.
        ci_low: (C, K) log-log bound; NaN where the estimate is 0 or 1.
        ci_high: (C, K) log-log bound; NaN where the estimate is 0 or 1.
    """

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    incidence: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray


def aalen_johansen(
    subjects: Subjects, cause: np.ndarray, n_causes: int, confidence: float = 0.95
) -> Incidence:
    """Aalen-Johansen estimate with delayed entry.

    Unlike ``1 - Kaplan-Meier`` it does not count what might have happened to cells
    that left: the incidences and the share still there sum to 1.

    Args:
        subjects: Cells; ``died`` is not looked at.
        cause: (N,) how each ended: 0 censored, then 1 to ``n_causes``.
        n_causes: C.
        confidence: Coverage of the pointwise bounds.

    Source: Aalen & Johansen 1978; variance of Marubini & Valsecchi 1995, section 10;
    bounds on the log-log scale.
    """
    watched = subjects.exit > subjects.entry
    subjects, cause = subjects[watched], cause[watched]
    time = np.unique(subjects.exit)
    at_risk = subjects.at_risk(time)
    slot = np.searchsorted(time, subjects.exit)
    events = np.stack(
        [
            np.bincount(slot[cause == c + 1], minlength=len(time))
            for c in range(n_causes)
        ]
    )
    total = events.sum(axis=0)
    before = np.r_[1.0, np.cumprod(1 - total / at_risk)][: len(time)]
    incidence = np.cumsum(before * events / at_risk, axis=1)
    variance = _variance(incidence, before, events, at_risk)
    low, high = _log_log(incidence, np.sqrt(variance), confidence)
    return Incidence(time, at_risk, events, incidence, low, high)


def _variance(
    incidence: np.ndarray, before: np.ndarray, events: np.ndarray, n: np.ndarray
) -> np.ndarray:
    """Sum over past exits of (F(t) - F(s))^2 a + b - 2 (F(t) - F(s)) c."""
    total = events.sum(axis=0)
    left = n * (n - total)
    # Where all at risk end, F changes no more: the term is 0.
    a = np.divide(total, left, out=np.zeros(len(n)), where=left > 0)
    b = before**2 * (n - events) * events / n.astype(np.float64) ** 3
    c = before * events / n.astype(np.float64) ** 2
    f = incidence
    square = f**2 * np.cumsum(a) - 2 * f * np.cumsum(f * a, axis=1)
    square = square + np.cumsum(f**2 * a, axis=1)
    cross = f * np.cumsum(c, axis=1) - np.cumsum(f * c, axis=1)
    return np.maximum(square + np.cumsum(b, axis=1) - 2 * cross, 0.0)


def _log_log(
    incidence: np.ndarray, error: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import ndtri

    inner = (incidence > 0) & (incidence < 1 - 1e-12)
    f = np.where(inner, incidence, np.nan)
    width = ndtri(0.5 + confidence / 2) * error / (f * np.log(f))  # negative
    return f ** np.exp(-width), f ** np.exp(width)


def competing_table(
    population: Population,
    groups: list[Group],
    role: str,
    competing: tuple[str, ...],
    confidence: float,
) -> pd.DataFrame:
    """Incidence of death and of every competing end, by movie and condition.

    Args:
        population: Cells of one target role.
        groups: Movies and conditions.
        role: Target role.
        competing: Reasons of DEATHS that compete with death; all others censor.
        confidence: Coverage of the bounds.

    Returns:
        Table COMPETING_RISKS.
    """
    cause = causes(population, competing)
    tables = [COMPETING_RISKS.empty()]
    for group in groups:
        own = group.rows & population.at_risk
        found = aalen_johansen(
            population.subjects[own], cause[own], 1 + len(competing), confidence
        )
        for number, outcome in enumerate(("died", *competing)):
            rows = {
                "group": group.name,
                "level": group.level,
                "role": role,
                "outcome": outcome,
                "time_min": found.time,
                "n_at_risk": found.at_risk,
                "n_events": found.events[number],
                "incidence": np.clip(found.incidence[number], 0, 1),
                "ci_low": found.ci_low[number],
                "ci_high": found.ci_high[number],
            }
            tables.append(COMPETING_RISKS.conform(pd.DataFrame(rows)))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def causes(population: Population, competing: tuple[str, ...]) -> np.ndarray:
    """(N,) 1 for death, then one number per competing reason, 0 if censored."""
    cause = population.subjects.died.astype(np.int64)
    for number, reason in enumerate(competing, start=2):
        cause[(population.cells["reason"] == reason).to_numpy(bool)] = number
    return cause
