"""When the death signal of a cell rose: a fitted step or sigmoid with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# A logistic curve takes this many of its time constants from 10 % to 50 %.
_TENTH = float(np.log(9.0))
_STEPS_PER_FRAME = 10
_N_RISES = 24
_MIN_POINTS = 6  # four parameters and something to judge them by


@dataclass(frozen=True)
class Rise:
    """A rise fitted to one cell; NaN where there was too little to fit.

    Attributes:
        onset: Time of 10 % of the rise (min).
        low: Lower bound of its interval.
        high: Upper bound of its interval.
        duration: Time from 10 % to 90 % (min); near 0 for a step.
        baseline: Level before.
        plateau: Level after.
        r2: Share of the variance that the rise explains.
        n_points: Points used.
    """

    onset: float
    low: float
    high: float
    duration: float
    baseline: float
    plateau: float
    r2: float
    n_points: int


class _Curves(NamedTuple):
    """Candidate rises, one per row, on a common set of times."""

    onset: np.ndarray
    duration: np.ndarray
    centred: np.ndarray  # (curves, points) from 0 to 1, less their mean
    mean: np.ndarray
    square: np.ndarray  # sum of squares of `centred`


def fit_rises(
    events: list[tuple[np.ndarray, np.ndarray, float]],
    interval_min: float,
    window_min: float,
    shape: str,
    confidence: float,
) -> list[Rise]:
    """Least-squares rise ``b + (p - b) / (1 + exp(-(t - m) / c))`` of each event.

    Middle and time constant are searched on a grid (a tenth of a frame fine), baseline
    and plateau follow by linear regression; so the optimum is global and its profile
    is known. The interval holds every onset whose best fit is not worse than the
    optimum by an F test, with as many fewer points as the residuals' correlation
    costs. It is never narrower than one frame: what the curve does in between is
    assumed, not seen.

    Args:
        events: Per death: (points,) times (min), signal, and the time found so far.
        interval_min: Time between frames (min).
        window_min: Points this far from the time found count (min).
        shape: ``sigmoid``, or ``change_point`` for steps only.
        confidence: Coverage of the interval.
    """
    curves: dict[bytes, _Curves] = {}
    fits = []
    for times, signal, found in events:
        near = np.isfinite(signal) & (np.abs(times - found) <= window_min + 1e-9)
        after = np.round(times[near] - found, 9)
        key = after.tobytes()
        if key not in curves:  # most deaths have the same times around them
            curves[key] = _make_curves(after, interval_min, window_min, shape)
        fits.append(_best(curves[key], signal[near], found, interval_min, confidence))
    return fits


def _make_curves(
    after: np.ndarray, interval: float, window: float, shape: str
) -> _Curves:
    step = interval / _STEPS_PER_FRAME
    middle = np.arange(-window, window + step / 2, step)
    # Anything faster than half a frame looks like a step.
    rises = np.array([step * 1e-3])
    if shape == "sigmoid":
        gradual = np.geomspace(interval / 2, window, _N_RISES)
        rises = np.r_[rises, gradual / (2 * _TENTH)]
    m, c = (a.ravel() for a in np.meshgrid(middle, rises, indexing="ij"))
    steps = np.clip((after - m[:, None]) / c[:, None], -700, 700)
    curve = 1.0 / (1.0 + np.exp(-steps))
    mean = curve.mean(axis=1) if len(after) else np.zeros(len(m))
    centred = curve - mean[:, None]
    onset, duration = m - _TENTH * c, 2 * _TENTH * c
    return _Curves(onset, duration, centred, mean, (centred**2).sum(axis=1))


def _unknown(n_points: int) -> Rise:
    nan = float("nan")
    return Rise(nan, nan, nan, nan, nan, nan, nan, n_points)


def _independent_share(residual: np.ndarray) -> float:
    """Independent points per point of an AR(1) series: ``(1 - r) / (1 + r)``.

    Source: Bartlett 1946, doi:10.2307/2983611.
    """
    power = float((residual**2).sum())
    if power <= 0:
        return 1.0
    r = float((residual[1:] * residual[:-1]).sum()) / power
    return (1 - r) / (1 + r) if r > 0 else 1.0


def _best(
    curves: _Curves, values: np.ndarray, found: float, interval: float, level: float
) -> Rise:
    n = len(values)
    spread = ((values - values.mean()) ** 2).sum() if n else 0.0
    flat = spread <= 1e-24 * max((values**2).sum(), 1e-300) if n else True
    if n < _MIN_POINTS or flat:
        return _unknown(n)
    from scipy.special import fdtri

    # A row-wise sum, not BLAS: the result must not depend on the number of threads.
    common = np.einsum("ij,j->i", curves.centred, values - values.mean())
    usable = (curves.square > 1e-9) & (common > 0)
    if not usable.any():
        return _unknown(n)
    height = np.divide(common, curves.square, out=np.zeros(len(common)), where=usable)
    rest = np.where(usable, spread - height * common, np.inf)
    least = max(float(rest.min()), 0.0)
    ties = rest <= least + 1e-9 * spread
    chosen = int(rest.argmin())
    residual = values - values.mean() - height[chosen] * curves.centred[chosen]
    free = max((n - 4) * _independent_share(residual), 1.0)
    limit = least * (1 + fdtri(1, free, level) / free) + 1e-9 * spread
    inside = curves.onset[rest <= limit]
    onset = float(curves.onset[ties].mean())
    baseline = float(values.mean() - height[chosen] * curves.mean[chosen])
    return Rise(
        onset=found + onset,
        low=found + min(float(inside.min()), onset - interval / 2),
        high=found + max(float(inside.max()), onset + interval / 2),
        duration=float(curves.duration[ties].mean()),
        baseline=baseline,
        plateau=baseline + float(height[chosen]),
        r2=1.0 - least / float(spread),
        n_points=n,
    )
