"""Mean squared displacement over real pairs of points, with its uncertainty and fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import MSD
from cyto_kedro.methods.kinematics.points import Points

if TYPE_CHECKING:
    from scipy import sparse

_DRAWS_AT_ONCE = 64


class MsdOptions(Params):
    """How the mean squared displacement is estimated."""

    max_lag_frames: int | None = Field(
        default=None,
        ge=1,
        description="longest lag (frames); null = half of the longest track",
    )
    time_tolerance: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="how far the time between two points may be off the lag "
        "(fraction of the frame interval)",
    )
    bootstraps: int = Field(
        default=500, ge=0, description="resamplings of tracks for the 95 % interval"
    )
    seed: int = Field(default=0, ge=0, description="seed of the resampling")


@dataclass(frozen=True)
class MsdFit:
    """``MSD = 4 D t^alpha``; NaN where fewer than two lags could be used.

    Attributes:
        diffusion: D in um2 / min^alpha, so um2/min for a random walk (alpha = 1).
        alpha: 1 for a random walk, 2 for a straight path, below 1 when confined.
        n_lags: Lags used.
    """

    diffusion: float
    alpha: float
    n_lags: int


@dataclass(frozen=True)
class _Filled:
    """Tracks with a NaN row for each skipped frame: lag n is n rows further."""

    y_um: np.ndarray
    x_um: np.ndarray
    frame: np.ndarray
    track: np.ndarray
    starts: np.ndarray


def mean_squared_displacement(
    points: Points, times_min: np.ndarray, options: MsdOptions
) -> pd.DataFrame:
    """Table MSD of all tracks together.

    ``MSD(n) = mean |r(i + n) - r(i)|^2`` over every pair of points of one track that
    lie exactly n frames apart and whose times differ by n median frame intervals
    within the tolerance. The interval is a percentile bootstrap over tracks (Efron),
    NaN with fewer than two tracks.

    Source: Qian, Sheetz & Elson, Biophys J 60, 910 (1991),
    doi:10.1016/S0006-3495(91)82125-7; Beltman et al. (2009), doi:10.1038/nri2638.

    Args:
        points: The sorted points.
        times_min: (T,) time of each frame.
        options: Lags, tolerance, bootstrap.
    """
    from scipy import sparse

    if not len(points):
        return MSD.empty()
    filled = _fill(points)
    longest = int(np.diff(filled.starts, append=len(filled.track)).max()) - 1
    most = min(options.max_lag_frames or max(longest // 2, 1), longest)
    lags = np.arange(1, most + 1)
    if not len(lags):
        return MSD.empty()
    interval = float(np.median(np.diff(times_min)))
    found = [_pairs(filled, int(lag), times_min, interval, options) for lag in lags]
    sums = sparse.csc_array(sparse.hstack([s for s, _ in found]))
    counts = sparse.csc_array(sparse.hstack([c for _, c in found]))
    n_pairs = np.asarray(counts.sum(axis=0))
    low, high = _bootstrap(sums, counts, options)
    table = pd.DataFrame(
        {
            "lag_frames": lags,
            "lag_min": lags * interval,
            "msd_um2": _ratio(np.asarray(sums.sum(axis=0)), n_pairs),
            "ci_low_um2": low,
            "ci_high_um2": high,
            "n_pairs": n_pairs,
            "n_tracks": np.diff(counts.indptr),
        }
    )
    return MSD.conform(table)


def fit_msd(msd: pd.DataFrame, n_frames: int) -> MsdFit:
    """Fit ``MSD = 4 D t^alpha`` (2D) on lags up to a quarter of ``n_frames``.

    Least squares of the logarithms, each lag weighted by its number of independent
    intervals, n_pairs / lag, which follows the variance of the MSD of a random walk
    (Qian et al. 1991, doi:10.1016/S0006-3495(91)82125-7). Localisation error is not
    modelled: it lowers alpha where steps are short.

    Args:
        msd: Table MSD.
        n_frames: Frames that the longest track spans.
    """
    used = msd[(msd["lag_frames"] <= n_frames / 4) & (msd["msd_um2"] > 0)]
    if len(used) < 2:
        return MsdFit(float("nan"), float("nan"), len(used))
    weight = np.sqrt((used["n_pairs"] / used["lag_frames"]).to_numpy())
    alpha, level = np.polyfit(
        np.log(used["lag_min"]), np.log(used["msd_um2"]), 1, w=weight
    )
    return MsdFit(float(np.exp(level) / 4), float(alpha), len(used))


def _fill(points: Points) -> _Filled:
    last = points.starts + points.counts - 1
    spans = points.frame[last] - points.frame[points.starts] + 1
    starts = np.cumsum(spans) - spans
    row = np.repeat(starts, points.counts) + points.frame - points.first(points.frame)
    y, x = np.full((2, int(spans.sum())), np.nan)
    y[row], x[row] = points.y_um, points.x_um
    track = np.repeat(np.arange(len(spans)), spans)
    frame = np.arange(len(track)) - np.repeat(
        starts - points.frame[points.starts], spans
    )
    return _Filled(y, x, frame, track, starts)


def _pairs(
    filled: _Filled,
    lag: int,
    times_min: np.ndarray,
    interval: float,
    options: MsdOptions,
) -> tuple[sparse.csc_array, sparse.csc_array]:
    """Sums and counts of squared displacements at one lag, (n_tracks, 1) sparse."""
    from scipy import sparse

    squared = (filled.y_um[lag:] - filled.y_um[:-lag]) ** 2
    squared += (filled.x_um[lag:] - filled.x_um[:-lag]) ** 2
    real = filled.track[lag:] == filled.track[:-lag]
    real &= ~np.isnan(squared)
    off = np.abs(times_min[lag:] - times_min[:-lag] - lag * interval)
    regular = off <= options.time_tolerance * interval + 1e-9
    if not regular.all():
        # Rows near the end may reach past the movie: they are no real pairs anyway.
        regular = np.append(regular, np.zeros(lag, bool))
        real &= regular[filled.frame[:-lag]]
    track = filled.track[:-lag][real]
    # Sparse columns: one entry per track that has the lag, so never more than points.
    shape = (len(filled.starts), 1)
    count = np.bincount(track, minlength=shape[0])
    total = np.bincount(track, squared[real], minlength=shape[0])
    rows = np.flatnonzero(count)
    place = (rows, np.zeros_like(rows))
    return (
        sparse.csc_array((total[rows], place), shape),
        sparse.csc_array((count[rows].astype(np.float64), place), shape),
    )


def _bootstrap(
    sums: sparse.csc_array, counts: sparse.csc_array, options: MsdOptions
) -> tuple[np.ndarray, np.ndarray]:
    """2.5 % and 97.5 % bound of each lag over resampled tracks."""
    n_lags = sums.shape[1]
    moving = np.unique(counts.indices)
    unknown = np.full(n_lags, np.nan)
    if len(moving) < 2 or options.bootstraps == 0:
        return unknown, unknown.copy()
    lag_sums, lag_counts = sums[moving].T.tocsr(), counts[moving].T.tocsr()
    rng = np.random.default_rng(options.seed)
    draws = []
    for begin in range(0, options.bootstraps, _DRAWS_AT_ONCE):
        n_draws = min(_DRAWS_AT_ONCE, options.bootstraps - begin)
        weights = _resample(rng, len(moving), n_draws)
        draws.append(_ratio(lag_sums @ weights, lag_counts @ weights))
    drawn = np.concatenate(draws, axis=1)
    # A resample may miss every track that reaches a long lag.
    enough = (np.diff(counts.indptr) >= 2) & ~np.isnan(drawn).all(axis=1)
    low, high = unknown, unknown.copy()
    low[enough], high[enough] = np.nanpercentile(drawn[enough], (2.5, 97.5), axis=1)
    return low, high


def _resample(rng: np.random.Generator, n_tracks: int, n_draws: int) -> np.ndarray:
    """(n_tracks, n_draws) how often each track is in each resample."""
    chosen = rng.integers(0, n_tracks, size=(n_tracks, n_draws))
    flat = chosen * n_draws + np.arange(n_draws)
    counts = np.bincount(flat.ravel(), minlength=n_tracks * n_draws)
    return counts.reshape(n_tracks, n_draws).astype(np.float64)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.where(whole > 0, whole, np.nan)
