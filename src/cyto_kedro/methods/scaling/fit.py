"""Amdahl's and Gustafson's laws, fitted to measured times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.scaling import FITS

_LEAST_POINTS = 3


def fit_scaling(
    timed: pd.DataFrame, scaling: pd.DataFrame, confidence: float = 0.95
) -> pd.DataFrame:
    """Serial fraction of each stage with a confidence interval.

    Amdahl (1967, doi:10.1145/1465482.1465560): ``T(N) = a + b / N`` with serial
    fraction ``a / (a + b)``, by least squares on the net times of all measurable
    trials, weighted by ``1 / T^2`` because the noise of times grows with them. The
    interval is Student's by the delta method. Gustafson (1988,
    doi:10.1145/42411.42415): with ``s' = a / (a + b / N)`` work that grows with N is
    ``N + (1 - N) s'`` times faster.

    Args:
        timed: Table TIMED.
        scaling: Table SCALING: says what is measurable.
        confidence: Of the interval, 0 to 1.

    Returns:
        Table FITS; NaN with fewer than three trials or two different N.
    """
    measurable = scaling.loc[scaling["measurable"], ["stage", "n_jobs"]]
    rows = []
    for stage in scaling["stage"].unique():
        trials = timed[(timed["stage"] == stage) & (timed["failed"] == 0)]
        trials = trials.merge(measurable, on=["stage", "n_jobs"])
        trials = trials[trials["net_s"].notna()]
        jobs = trials["n_jobs"].to_numpy(float)
        seconds = trials["net_s"].to_numpy(float)
        row: dict[str, Any] = {"stage": stage, "points": len(jobs)}
        rows.append(row | _amdahl(jobs, seconds, confidence))
    return FITS.conform(pd.DataFrame(rows)) if rows else FITS.empty()


def _amdahl(
    jobs: np.ndarray, seconds: np.ndarray, confidence: float
) -> dict[str, float]:
    names = [name for name in FITS.columns if name not in ("stage", "points")]
    unknown = dict.fromkeys(names, float("nan"))
    if len(jobs) < _LEAST_POINTS or len(np.unique(jobs)) < 2:
        return unknown
    from scipy.stats import t

    design = np.column_stack([np.ones_like(jobs), 1 / jobs]) / seconds[:, None]
    inverse = np.linalg.inv(design.T @ design)
    serial, parallel = inverse @ design.T @ np.ones_like(jobs)
    dof = len(jobs) - 2
    rest = 1 - design @ (serial, parallel)
    covariance = inverse * (rest @ rest) / dof
    total = serial + parallel
    slope = np.array([parallel, -serial]) / total**2
    spread = float(np.sqrt(slope @ covariance @ slope)) * t.ppf(
        0.5 + confidence / 2, dof
    )
    fraction = serial / total
    most = jobs.max()
    scaled = serial / (serial + parallel / most)
    # Below 0 it scales better than linearly, from 1 on it does not scale at all: the
    # law does not hold, and there is no limit to name.
    return {
        "serial_fraction": fraction,
        "serial_ci_low": fraction - spread,
        "serial_ci_high": fraction + spread,
        "max_speedup": 1 / fraction if 0 < fraction < 1 else float("nan"),
        "scaled_serial_fraction": scaled,
        "scaled_speedup": most + (1 - most) * scaled,
        "at_jobs": most,
    }
