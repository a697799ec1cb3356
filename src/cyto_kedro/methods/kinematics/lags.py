"""Means over pairs of points n frames apart, and their bootstrap over tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.kinematics.points import Points

if TYPE_CHECKING:
    from scipy import sparse

_DRAWS_AT_ONCE = 64


class LagOptions(Params):
    """Which pairs count, and how the uncertainty is found."""

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
class Grid:
    """Tracks with a row for each skipped frame too: lag n is n rows further.

    Attributes:
        row: (N,) row of each point.
        frame, track: (rows,) frame and number of the track, from 0.
        starts: (n_tracks,) first row of each track.
        times_min: (T,) time of each frame.
        interval_min: Median time between frames.
    """

    row: np.ndarray
    frame: np.ndarray
    track: np.ndarray
    starts: np.ndarray
    times_min: np.ndarray
    interval_min: float

    @classmethod
    def of(cls, points: Points, times_min: np.ndarray) -> Grid:
        """Lay out sorted points."""
        last = points.starts + points.counts - 1
        spans = points.frame[last] - points.frame[points.starts] + 1
        starts = np.cumsum(spans) - spans
        offset = points.frame - points.first(points.frame)
        rows = np.arange(int(spans.sum()))
        return cls(
            row=np.repeat(starts, points.counts) + offset,
            frame=rows - np.repeat(starts - points.frame[points.starts], spans),
            track=np.repeat(np.arange(len(spans)), spans),
            starts=starts,
            times_min=times_min,
            interval_min=float(np.median(np.diff(times_min)))
            if len(times_min) > 1
            else float("nan"),
        )

    def spread(self, values: np.ndarray) -> np.ndarray:
        """(rows,) values of the points, NaN where frames were skipped."""
        out = np.full(len(self.track), np.nan)
        out[self.row] = values
        return out

    def lags(self, options: LagOptions) -> np.ndarray:
        """The lags that the longest track has pairs for, from 1."""
        longest = int(np.diff(self.starts, append=len(self.track)).max()) - 1
        most = min(options.max_lag_frames or max(longest // 2, 1), longest)
        return np.arange(1, most + 1)


@dataclass(frozen=True)
class LagSums:
    """(n_tracks, n_lags) sums and counts of a quantity over pairs."""

    sums: sparse.csc_array
    counts: sparse.csc_array

    @property
    def n_pairs(self) -> np.ndarray:
        """(n_lags,) pairs."""
        return np.asarray(self.counts.sum(axis=0))

    @property
    def n_tracks(self) -> np.ndarray:
        """(n_lags,) tracks that have such pairs."""
        return np.diff(self.counts.indptr)

    @property
    def means(self) -> np.ndarray:
        """(n_lags,) mean over all pairs; NaN without one."""
        return _ratio(np.asarray(self.sums.sum(axis=0)), self.n_pairs)


def sum_pairs(
    grid: Grid,
    lags: np.ndarray,
    quantity: Callable[[int], np.ndarray],
    time_tolerance: float,
) -> LagSums:
    """Sum a quantity over every pair of rows of one track that lie a lag apart.

    Args:
        grid: The rows.
        lags: Lags (frames).
        quantity: Of a lag: (rows - lag,) value of each pair, NaN for no pair.
        time_tolerance: Pairs whose times are off by more (of an interval) are left out.
    """
    from scipy import sparse

    found = [_pairs(grid, int(lag), quantity(int(lag)), time_tolerance) for lag in lags]
    return LagSums(
        sparse.csc_array(sparse.hstack([sums for sums, _ in found])),
        sparse.csc_array(sparse.hstack([counts for _, counts in found])),
    )


def _pairs(
    grid: Grid, lag: int, values: np.ndarray, tolerance: float
) -> tuple[sparse.csc_array, sparse.csc_array]:
    """Sums and counts at one lag, (n_tracks, 1) sparse."""
    from scipy import sparse

    real = grid.track[lag:] == grid.track[:-lag]
    real &= ~np.isnan(values)
    times, interval = grid.times_min, grid.interval_min
    off = np.abs(times[lag:] - times[:-lag] - lag * interval)
    regular = off <= tolerance * interval + 1e-9
    if not regular.all():
        # Rows near the end may reach past the movie: they are no real pairs anyway.
        regular = np.append(regular, np.zeros(lag, bool))
        real &= regular[grid.frame[:-lag]]
    track = grid.track[:-lag][real]
    # Sparse columns: one entry per track that has the lag, so never more than points.
    shape = (len(grid.starts), 1)
    count = np.bincount(track, minlength=shape[0])
    total = np.bincount(track, values[real], minlength=shape[0])
    rows = np.flatnonzero(count)
    place = (rows, np.zeros_like(rows))
    return (
        sparse.csc_array((total[rows], place), shape),
        sparse.csc_array((count[rows].astype(np.float64), place), shape),
    )


def draw_means(pairs: LagSums, options: LagOptions) -> np.ndarray:
    """(n_lags, draws) means over resampled tracks; NaN where a draw has no pair.

    No draws with fewer than two tracks, which say nothing of the spread.
    """
    moving = np.unique(pairs.counts.indices)
    none = np.empty((pairs.sums.shape[1], 0))
    if len(moving) < 2 or options.bootstraps == 0:
        return none
    sums, counts = pairs.sums[moving].T.tocsr(), pairs.counts[moving].T.tocsr()
    rng = np.random.default_rng(options.seed)
    draws = [none]
    for begin in range(0, options.bootstraps, _DRAWS_AT_ONCE):
        n_draws = min(_DRAWS_AT_ONCE, options.bootstraps - begin)
        weights = _resample(rng, len(moving), n_draws)
        draws.append(_ratio(sums @ weights, counts @ weights))
    return np.concatenate(draws, axis=1)


def percentile_interval(
    draws: np.ndarray, n_tracks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """2.5 % and 97.5 % bound of each lag; NaN below two tracks (Efron)."""
    low, high = np.full((2, len(draws)), np.nan)
    if draws.shape[1]:
        # A resample may miss every track that reaches a long lag.
        enough = (n_tracks >= 2) & ~np.isnan(draws).all(axis=1)
        low[enough], high[enough] = np.nanpercentile(draws[enough], (2.5, 97.5), axis=1)
    return low, high


def _resample(rng: np.random.Generator, n_tracks: int, n_draws: int) -> np.ndarray:
    """(n_tracks, n_draws) how often each track is in each resample."""
    chosen = rng.integers(0, n_tracks, size=(n_tracks, n_draws))
    flat = chosen * n_draws + np.arange(n_draws)
    counts = np.bincount(flat.ravel(), minlength=n_tracks * n_draws)
    return counts.reshape(n_tracks, n_draws).astype(np.float64)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.where(whole > 0, whole, np.nan)
