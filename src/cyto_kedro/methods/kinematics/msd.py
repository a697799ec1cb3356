"""Mean squared displacement over real pairs of points, with its uncertainty and fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import MSD
from cyto_kedro.methods.kinematics.lags import (
    Grid,
    LagOptions,
    draw_means,
    percentile_interval,
    sum_pairs,
)
from cyto_kedro.methods.kinematics.points import Points


class MsdOptions(LagOptions):
    """How the mean squared displacement is estimated."""


@dataclass(frozen=True)
class MsdFit:
    """``MSD = 2 d D t^alpha`` in d dimensions; NaN below two usable lags.

    Attributes:
        diffusion: D in um2 / min^alpha, so um2/min for a random walk (alpha = 1).
        alpha: 1 for a random walk, 2 for a straight path, below 1 when confined.
        n_lags: Lags used.
    """

    diffusion: float
    alpha: float
    n_lags: int


def mean_squared_displacement(
    points: Points, times_min: np.ndarray, options: LagOptions
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
    if not len(points):
        return MSD.empty()
    grid = Grid.of(points, times_min)
    lags = grid.lags(options)
    if not len(lags):
        return MSD.empty()
    axes = [grid.spread(axis) for axis in points.axes]

    def squared(lag: int) -> np.ndarray:
        total = (axes[0][lag:] - axes[0][:-lag]) ** 2
        for axis in axes[1:]:
            total += (axis[lag:] - axis[:-lag]) ** 2
        return total

    pairs = sum_pairs(grid, lags, squared, options.time_tolerance)
    low, high = percentile_interval(draw_means(pairs, options), pairs.n_tracks)
    table = pd.DataFrame(
        {
            "lag_frames": lags,
            "lag_min": lags * grid.interval_min,
            "msd_um2": pairs.means,
            "ci_low_um2": low,
            "ci_high_um2": high,
            "n_pairs": pairs.n_pairs,
            "n_tracks": pairs.n_tracks,
        }
    )
    return MSD.conform(table)


def fit_msd(msd: pd.DataFrame, n_frames: int, dimensions: int = 2) -> MsdFit:
    """Fit ``MSD = 2 d D t^alpha`` on lags up to a quarter of ``n_frames``.

    Least squares of the logarithms, each lag weighted by its number of independent
    intervals, n_pairs / lag, which follows the variance of the MSD of a random walk
    (Qian et al. 1991, doi:10.1016/S0006-3495(91)82125-7). Localisation error is not
    modelled: it lowers alpha where steps are short.

    Args:
        msd: Table MSD.
        n_frames: Frames that the longest track spans.
        dimensions: d, 2 or 3.
    """
    used = msd[(msd["lag_frames"] <= n_frames / 4) & (msd["msd_um2"] > 0)]
    if len(used) < 2:
        return MsdFit(float("nan"), float("nan"), len(used))
    weight = np.sqrt((used["n_pairs"] / used["lag_frames"]).to_numpy())
    alpha, level = np.polyfit(
        np.log(used["lag_min"]), np.log(used["msd_um2"]), 1, w=weight
    )
    diffusion = float(np.exp(level)) / (2 * dimensions)
    return MsdFit(diffusion, float(alpha), len(used))
