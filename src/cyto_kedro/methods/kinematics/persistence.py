"""How long cells keep their direction: autocorrelation of steps, and its decay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.schemas import PERSISTENCE
from cyto_kedro.methods.kinematics.lags import (
    Grid,
    LagOptions,
    draw_means,
    percentile_interval,
    sum_pairs,
)
from cyto_kedro.methods.kinematics.points import Points
from cyto_kedro.methods.kinematics.steps import since

_TIMES_PER_DECADE = 230


class PersistenceOptions(LagOptions):
    """How the memory of direction is measured."""

    weight: Literal["direction", "velocity"] = Field(
        default="direction",
        description="direction: every step counts alike; velocity: by its length",
    )
    min_step_um: float = Field(
        default=0.0,
        ge=0,
        description="steps shorter than this have no direction (um); the localisation "
        "error of still cells would look like turning",
    )


@dataclass(frozen=True)
class PersistenceFit:
    """``autocorrelation = amplitude exp(-t / time)``; NaN unless verdict is fitted.

    Attributes:
        n_lags: Lags used.
        verdict: fitted, none, longer_than_seen or too_few_lags.
        time_min, low_min, high_min: Persistence time with its 95 % interval.
        amplitude: Autocorrelation extrapolated to lag 0; below 1 by localisation error.
    """

    n_lags: int
    verdict: str
    time_min: float = float("nan")
    low_min: float = float("nan")
    high_min: float = float("nan")
    amplitude: float = float("nan")


def directional_persistence(
    points: Points, times_min: np.ndarray, options: PersistenceOptions
) -> tuple[pd.DataFrame, PersistenceFit]:
    """Table PERSISTENCE and the fit of an exponential to it.

    With direction weights ``C(n) = mean cos(angle between steps i and i + n)``, with
    velocity weights ``C(n) = mean(v(i) v(i + n)) / mean(v(i)^2)``, over all pairs of
    steps of one track. Steps across skipped frames, without length, or of another
    duration than the frame interval have no direction.

    Source: Gorelik & Gautreau, Nat Protoc 9, 1931 (2014), doi:10.1038/nprot.2014.131;
    Selmeczi et al., Biophys J 89, 912 (2005), doi:10.1529/biophysj.105.061150.

    Args:
        points: The sorted points.
        times_min: (T,) time of each frame.
        options: Weights, lags, bootstrap.
    """
    nothing = PersistenceFit(0, "too_few_lags")
    if not len(points):
        return PERSISTENCE.empty(), nothing
    grid = Grid.of(points, times_min)
    lags = grid.lags(options)
    if not len(lags):
        return PERSISTENCE.empty(), nothing
    steps = _directions(points, grid, options)

    def cosine(lag: int) -> np.ndarray:
        return sum(axis[lag:] * axis[:-lag] for axis in steps)

    pairs = sum_pairs(grid, lags, cosine, options.time_tolerance)
    seen = pairs.n_pairs > 0
    draws = draw_means(pairs, options)
    low, high = percentile_interval(draws, pairs.n_tracks)
    span = int(np.diff(grid.starts, append=len(grid.track)).max())
    used = seen & (lags <= max(span / 4, 2))
    fit, curve = _fit(lags * grid.interval_min, pairs.means, pairs.n_pairs, used, draws)
    table = pd.DataFrame(
        {
            "lag_frames": lags,
            "lag_min": lags * grid.interval_min,
            "autocorrelation": pairs.means,
            "ci_low": low,
            "ci_high": high,
            "fitted": curve,
            "n_pairs": pairs.n_pairs,
            "n_tracks": pairs.n_tracks,
        }
    )
    return PERSISTENCE.conform(table[seen].reset_index(drop=True)), fit


def _directions(
    points: Points, grid: Grid, options: PersistenceOptions
) -> list[np.ndarray]:
    """Per axis the (rows,) components of each step; NaN where it has no direction."""
    moved = [since(axis, points.starts) for axis in points.axes]
    length = np.sqrt(sum(part * part for part in moved))
    dt = since(points.time_min, points.starts)
    off = np.abs(dt - grid.interval_min)
    known = off <= options.time_tolerance * grid.interval_min + 1e-9
    known &= since(points.frame.astype(np.float64), points.starts) == 1
    known &= (length > 0) & (length >= options.min_step_um)
    if options.weight == "direction":
        scale = np.where(known, length, np.nan)
    else:
        mean_square = float(np.mean(length[known] ** 2)) if known.any() else np.nan
        scale = np.where(known, np.sqrt(mean_square), np.nan)
    return [grid.spread(part / scale) for part in moved]


def _fit(
    lag_min: np.ndarray,
    values: np.ndarray,
    weight: np.ndarray,
    used: np.ndarray,
    draws: np.ndarray,
) -> tuple[PersistenceFit, np.ndarray]:
    """Least squares, each lag weighted by its pairs, and the fitted curve."""
    n_lags = int(used.sum())
    curve = np.full(len(values), np.nan)

    def failed(verdict: str) -> tuple[PersistenceFit, np.ndarray]:
        return PersistenceFit(n_lags, verdict), curve

    if n_lags < 2:
        return failed("too_few_lags")
    t, w = lag_min[used], weight[used].astype(np.float64)
    first = draws[np.flatnonzero(used)[0]]
    lower = np.nanpercentile(first, 2.5) if first.size else values[used][0]
    if not lower > 0:
        return failed("none")
    grid = _times(t)
    (best,), (amplitude,) = _nearest(t, w, values[used][None], grid)
    if best == 0:
        return failed("none")
    if grid[best] > t[-1]:
        return failed("longer_than_seen")
    low = high = np.nan
    complete = draws[used][:, ~np.isnan(draws[used]).any(axis=0)].T
    if len(complete):
        drawn = grid[_nearest(t, w, complete, grid)[0]]
        low, high = np.percentile(drawn, (2.5, 97.5))
    curve[used] = amplitude * np.exp(-t / grid[best])
    found = (float(grid[best]), float(low), float(high), float(amplitude))
    return PersistenceFit(n_lags, "fitted", *found), curve


def _times(t: np.ndarray) -> np.ndarray:
    """Times to try, 1 % apart: a fifth of the first lag to ten times the last."""
    low, high = np.log10(t[0] / 5), np.log10(t[-1] * 10)
    return np.logspace(low, high, int(np.ceil((high - low) * _TIMES_PER_DECADE)) + 1)


def _nearest(
    t: np.ndarray, weight: np.ndarray, values: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Index of the best time of each row of values, and its best amplitude.

    For a given time the amplitude follows in closed form, so one matrix product
    serves all times and all resamples.
    """
    decay = np.exp(-t / grid[:, np.newaxis])
    overlap = (values * weight) @ decay.T
    norm = (weight * decay * decay).sum(axis=1)
    # A negative amplitude is no persistence: such a time explains nothing.
    gain = np.clip(overlap, 0, None) ** 2 / norm
    best = gain.argmax(axis=1)
    rows = np.arange(len(values))
    return best, overlap[rows, best] / norm[best]
