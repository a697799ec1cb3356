"""Where a cell is found again after a gap, learned from tracks without one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Points of a track that its velocity is taken from.
_RECENT = 4
#: Fewest pairs of points that one lag is learned from.
_ENOUGH = 30
#: Most pairs per lag that are looked at; more change nothing.
_MOST = 20_000
#: Robust spread of a normal distribution, from the median of its absolute value.
_MAD = 0.6745
#: A cell whose look changed by more spreads than this has changed in earnest.
_CAP = 3.0
#: Columns whose log ratio tells cells apart.
_LOOKS = ("area_um2", "mean")


@dataclass(frozen=True)
class GapModel:
    """Displacement and change of looks over a gap of L frames, L = 1 .. longest.

    A cell moves by ``persistence[L]`` x the mean of its velocities on both sides x the
    time between, with a normal error of ``sigma[L]`` per axis.

    Attributes:
        frame: (N,) frame of each row.
        time: (N,) time (min).
        place: (N, 2) position (um).
        before: (N, 2) velocity over the points up to each row (um/min); 0 at starts.
        after: (N, 2) velocity over the points from each row on; 0 at ends.
        looks: (F, N) log of area and mean intensity.
        persistence: (L + 1,) coefficient by lag.
        sigma: (L + 1,) error by lag (um).
        spread: (F, L + 1) spread of the change of looks; infinite where unknown.
        typical: (F, L + 1) spread of the difference between two cells at random.
    """

    frame: np.ndarray
    time: np.ndarray
    place: np.ndarray
    before: np.ndarray
    after: np.ndarray
    looks: np.ndarray
    persistence: np.ndarray
    sigma: np.ndarray
    spread: np.ndarray
    typical: np.ndarray

    @classmethod
    def learn(cls, ordered: pd.DataFrame, longest: int, appearance: bool) -> GapModel:
        """Learn from a TRACKS table sorted by track and frame."""
        track = ordered["track_id"].to_numpy()
        frame = ordered["frame"].to_numpy()
        time = ordered["time_min"].to_numpy()
        place = ordered[["y_um", "x_um"]].to_numpy()
        before, after = _velocities(track, time, place)
        names = _LOOKS if appearance else ()
        value = ordered[list(names)].to_numpy(dtype=np.float64).T
        looks = np.log(np.where(value > 0, value, np.nan))
        beta: np.ndarray = np.zeros(longest + 1)
        sigma: np.ndarray = np.full(longest + 1, np.nan)
        spread = np.full((len(names), longest + 1), np.nan)
        for lag in range(1, longest + 1):
            i, j = _pairs(track, frame, lag)
            if len(i) < _ENOUGH:
                continue
            step = place[j] - place[i]
            guess = (before[i] + after[j]) / 2.0 * (time[j] - time[i])[:, np.newaxis]
            norm = float(np.einsum("nd,nd->", guess, guess))
            towards = float(np.einsum("nd,nd->", guess, step))
            beta[lag] = np.clip(towards / norm, 0.0, 1.0) if norm > 0 else 0.0
            sigma[lag] = _rms(step - beta[lag] * guess)
            for f, look in enumerate(looks):
                spread[f, lag] = _robust(look[j] - look[i])
        beta = np.where(np.isnan(sigma), _last_known(beta, sigma), beta)
        sigma = _extended(sigma, ordered)
        spread = np.array([_extended_flat(one) for one in spread]).reshape(spread.shape)
        typical = np.array([np.sqrt(2.0) * _robust(one) for one in looks])
        return cls(
            frame, time, place, before, after, looks, beta, sigma, spread, typical
        )

    def log_density(self, end: np.ndarray, start: np.ndarray) -> np.ndarray:
        """(P,) log of the density (1/um2) of ``start`` given ``end``.

        Looks enter as the ratio of their density to that between cells at random.
        """
        lag = self.frame[start] - self.frame[end]
        wait = (self.time[start] - self.time[end])[:, np.newaxis]
        guess = (self.before[end] + self.after[start]) / 2.0 * wait
        guess = guess * self.persistence[lag][:, np.newaxis]
        off = self.place[start] - self.place[end] - guess
        variance = self.sigma[lag] ** 2
        density = -(off**2).sum(axis=1) / (2.0 * variance)
        density -= np.log(2.0 * np.pi * variance)
        for look, spread, typical in zip(
            self.looks, self.spread, self.typical, strict=True
        ):
            change = look[start] - look[end]
            same = np.minimum(np.abs(change) / spread[lag], _CAP) ** 2 / 2.0
            other = np.minimum(np.abs(change) / typical, _CAP) ** 2 / 2.0
            ratio = other - same + np.log(typical / spread[lag])
            density += np.nan_to_num(ratio, nan=0.0, posinf=0.0, neginf=0.0)
        return density


def _velocities(
    track: np.ndarray, time: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean velocity over the last, and over the next, few points of the track."""
    n = len(track)
    rows = np.arange(n)
    before, after = np.zeros((n, 2)), np.zeros((n, 2))
    for reach in range(1, _RECENT):
        i, j = rows[:-reach], rows[reach:]
        inside = track[i] == track[j]
        i, j = i[inside], j[inside]
        speed = (place[j] - place[i]) / (time[j] - time[i])[:, np.newaxis]
        before[j], after[i] = speed, speed
    return before, after


def _pairs(
    track: np.ndarray, frame: np.ndarray, lag: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one track that lie exactly ``lag`` frames apart, evenly thinned out."""
    i = np.arange(len(track) - lag) if len(track) > lag else np.empty(0, np.int64)
    j = i + lag
    fits = (track[i] == track[j]) & (frame[j] - frame[i] == lag)
    i = i[fits]
    i = i[:: max(len(i) // _MOST, 1)]
    return i, i + lag


def _rms(error: np.ndarray) -> float:
    return max(float(np.sqrt((error**2).mean())), 1e-6)


def _robust(value: np.ndarray) -> float:
    """Spread from the median absolute deviation; NaN if nothing is known."""
    value = value[np.isfinite(value)]
    if not len(value):
        return float("nan")
    middle = np.median(value)
    return max(float(np.median(np.abs(value - middle))) / _MAD, 1e-3)


def _last_known(value: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Of the longest lag that was learned, 0 if none was."""
    known = np.flatnonzero(np.isfinite(sigma))
    return np.full(len(value), value[known[-1]] if len(known) else 0.0)


def _extended(sigma: np.ndarray, ordered: pd.DataFrame) -> np.ndarray:
    """Errors of lags that were not learned: growing like a random walk's."""
    lag = np.arange(len(sigma))
    known = np.flatnonzero(np.isfinite(sigma))
    if len(known):
        base = known[np.maximum(np.searchsorted(known, lag, "right") - 1, 0)]
    else:
        step = ordered["link_distance_um"].to_numpy(dtype=np.float64)
        step = step[np.isfinite(step)]
        sigma = sigma.copy()
        sigma[1:2] = (
            max(float(np.sqrt((step**2).mean() / 2.0)), 1e-6) if len(step) else 1.0
        )
        base = np.ones(len(sigma), dtype=np.int64)
    filled = sigma[base] * np.sqrt(np.maximum(lag, 1) / base)
    return np.where(np.isfinite(sigma), sigma, filled)


def _extended_flat(spread: np.ndarray) -> np.ndarray:
    """Spreads of lags that were not learned: that of the nearest shorter one."""
    filled = pd.Series(spread).ffill().bfill()
    return filled.to_numpy(dtype=np.float64)
