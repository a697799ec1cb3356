"""Simultaneous confidence bands: they hold the whole survival curve at once."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from cyto_kedro.methods.killing.survival import Curve, greenwood

Band = Literal["equal_precision", "hall_wellner"]

#: The equal-precision band is drawn where a = n s^2 / (1 + n s^2) is in this range:
#: at the very ends of the curve it would have to be endless.
_PRECISION_RANGE = (0.05, 0.95)


def simultaneous_band(
    curve: Curve, confidence: float, kind: Band
) -> tuple[np.ndarray, np.ndarray]:
    """(K,) lower and upper bound of a band on the log-log scale.

    A pointwise interval holds the true survival at one time with the given
    confidence; the band holds it at all its times together. NaN where the band is not
    defined: where the estimate is 0 or 1, or the variance too small or large.

    Args:
        curve: Kaplan-Meier estimate.
        confidence: Coverage.
        kind: ``equal_precision`` (Nair 1984, doi:10.1080/00401706.1984.10487964)
            is everywhere a multiple of the pointwise one; ``hall_wellner`` (Hall &
            Wellner 1980, doi:10.1093/biomet/67.1.133) is narrower late, wider early.
    """
    count = float((curve.deaths + curve.censored).sum())
    sigma2 = greenwood(curve.at_risk, curve.deaths)
    inner = (curve.survival > 0) & (curve.survival < 1) & np.isfinite(sigma2)
    scaled = count * np.where(inner, sigma2, 0.0)
    a = scaled / (1 + scaled)
    if kind == "equal_precision":
        low, high = _PRECISION_RANGE
        inner &= (a >= low) & (a <= high)
    nothing = np.full(len(a), np.nan)
    if not inner.any():
        return nothing, nothing.copy()
    first, last = float(a[inner].min()), float(a[inner].max())
    if kind == "equal_precision":
        width = equal_precision_limit(first, last, confidence) * np.sqrt(sigma2)
    else:
        limit = hall_wellner_limit(last, confidence)
        width = limit * (1 + scaled) / math.sqrt(count)
    s = np.where(inner, curve.survival, np.nan)
    factor = np.exp(np.where(inner, width, np.nan) / np.log(s))  # below 1
    return s ** (1 / factor), s**factor


def equal_precision_limit(a_low: float, a_high: float, confidence: float) -> float:
    """Bound of |B(x)| / sqrt(x (1 - x)) on [a_low, a_high], B a Brownian bridge.

    Source: Miller & Siegmund 1982, doi:10.2307/2529881 (an approximation of the tail).
    On a single point it is the normal quantile.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    pointwise = float(ndtri(0.5 + confidence / 2))
    length = math.log(a_high * (1 - a_low) / (a_low * (1 - a_high)))

    def excess(c: float) -> float:
        density = math.exp(-c * c / 2) / math.sqrt(2 * math.pi)
        tail = density * ((c - 1 / c) * length + 4 / c)
        return tail - (1 - confidence)

    # The approximation exceeds the truth on a short range, where the point rules.
    return max(pointwise, float(brentq(excess, 1.0, 12.0))) if length > 0 else pointwise


def hall_wellner_limit(a_high: float, confidence: float) -> float:
    """Bound of |B(x)| on [0, a_high], B a Brownian bridge.

    Source: Hall & Wellner 1980, doi:10.1093/biomet/67.1.133.
    """
    from scipy.optimize import brentq

    def gap(limit: float) -> float:
        return _bridge_stays_below(limit, a_high) - confidence

    return float(brentq(gap, 1e-3, 4.0))


def _bridge_stays_below(limit: float, a: float) -> float:
    """P(|B(x)| <= limit for all x in [0, a])."""
    from scipy.special import ndtr

    if a >= 1:
        r, d = 0.0, math.inf
        edge = math.inf
    else:
        r, d = limit * math.sqrt((1 - a) / a), 1 / (1 - a)
        edge = limit / math.sqrt(a * (1 - a))
    k = np.arange(1, 60)
    reach = edge if math.isinf(d) else r * d
    terms = np.exp(-2.0 * k**2 * limit**2) * (
        ndtr(2 * k * r + reach) - ndtr(2 * k * r - reach)
    )
    signs = np.where(k % 2, -1.0, 1.0)
    return float(1 - 2 * ndtr(-edge) + 2 * (signs * terms).sum())
