"""Who was touched for how long before what: the data of the hit model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.contacts.episodes import frame_edges_min
from cyto_kedro.methods.killing.death import DEAD_AT_ENTRY
from cyto_kedro.methods.killing.touches import Touches


@dataclass(frozen=True)
class Delay:
    """Gamma distribution of the time from hit to death, cut at a window."""

    mean_min: float
    shape: float
    window_min: float

    def integrated(self, x: np.ndarray) -> np.ndarray:
        """``int_0^x G`` of the distribution function G; 0 for negative x.

        ``x G_k(x) - mean G_{k+1}(x)`` with ``G_k`` of shape k, by parts.
        """
        out = np.maximum(x - self.window_min, 0.0)
        rising = (x > 0) & (x < self.window_min)
        out[rising] = self._area(x[rising])
        out[x >= self.window_min] += self._whole_area
        return out

    @cached_property
    def _whole_area(self) -> float:
        return float(self._area(np.array([self.window_min]))[0])

    def _area(self, x: np.ndarray) -> np.ndarray:
        from scipy.special import gammainc, gammaln

        k, mean = self.shape, self.mean_min
        scaled = x * k / mean
        below = gammainc(k, scaled)
        # G_{k+1} = G_k - x^k exp(-x) / Gamma(k + 1): half the work.
        next_below = below - np.exp(k * np.log(scaled) - scaled - gammaln(k + 1))
        whole = gammainc(k, self.window_min * k / mean)
        area: np.ndarray = (x * below - mean * next_below) / whole
        return area


@dataclass(frozen=True)
class Exposure:
    """N targets under observation and M stretches of contact with them (minutes).

    Attributes:
        track: (N,) target tracks, ascending.
        entry: (N,) first sight.
        end: (N,) death, or the last sight.
        before: (N,) last time at which a target that died was seen alive.
        died: (N,) whether it died.
        target: (M,) row of the target of each stretch.
        role: (M,) index of the effector's role.
        effector: (M,) effector track.
        begin: (M,) begin of the stretch, half-way to the frame before.
        stop: (M,) its end, half-way to the frame after.
    """

    track: np.ndarray
    entry: np.ndarray
    end: np.ndarray
    before: np.ndarray
    died: np.ndarray
    target: np.ndarray
    role: np.ndarray
    effector: np.ndarray
    begin: np.ndarray
    stop: np.ndarray

    @property
    def watched_min(self) -> float:
        """Target minutes at risk."""
        return float((self.end - self.entry).sum())

    @property
    def contact_min(self) -> np.ndarray:
        """(M,) minutes of each stretch in which its target was at risk."""
        begin = np.maximum(self.begin, self.entry[self.target])
        stop = np.minimum(self.stop, self.end[self.target])
        return np.maximum(stop - begin, 0.0)

    def arrivals(self, delay: Delay) -> tuple[np.ndarray, np.ndarray]:
        """Lethal arrivals per unit of hit rate from each stretch.

        A hit at u arrives at ``u + delay``.

        Returns:
            (M,) while the target was watched; (M,) in the interval of its death,
            ``(before, end]``, 0 for targets that lived.
        """
        ages, rows = self._ages
        begun, stopped = np.split(delay.integrated(ages), 2)
        arrived = begun - stopped
        m = len(self.target)
        seen, early, part = np.split(arrived, [m, 2 * m])
        last = np.zeros(m)
        last[rows] = np.maximum(seen[rows] - part, 0.0)
        return seen - early, last

    @cached_property
    def _ages(self) -> tuple[np.ndarray, np.ndarray]:
        """Ages of the begins of all stretches, then of their stops; rows before deaths.

        Each at the end of observation, at its begin, and before the death.
        """
        rows = np.flatnonzero(self.died[self.target])
        when = np.r_[
            self.end[self.target],
            self.entry[self.target],
            self.before[self.target[rows]],
        ]
        begin, stop = (np.r_[a, a, a[rows]] for a in (self.begin, self.stop))
        return np.r_[when - begin, when - stop], rows


def gather_exposure(
    deaths: pd.DataFrame, touches: Touches, calibration: Calibration
) -> Exposure:
    """Targets that could be seen to die, and their contacts as stretches of time.

    Targets that were dead at entry, or seen once only, were never at risk.
    """
    deaths = deaths.reset_index(drop=True)
    died = deaths["death_frame"].notna()
    end = deaths["exit_min"].mask(died, deaths["death_time_min"])
    watched = (end > deaths["entry_min"]) & (deaths["reason"] != DEAD_AT_ENTRY)
    kept = deaths[watched].sort_values("track_id")
    entry = kept["entry_min"].to_numpy(np.float64)
    frame = kept["death_frame"].fillna(1).to_numpy(np.int64)
    before = np.maximum(calibration.times_min[frame - 1], entry)
    return Exposure(
        kept["track_id"].to_numpy(),
        entry,
        end[kept.index].to_numpy(np.float64),
        before,
        died[kept.index].to_numpy(bool),
        *_stretches(kept["track_id"].to_numpy(), touches, calibration),
    )


def _stretches(
    track: np.ndarray, touches: Touches, calibration: Calibration
) -> tuple[np.ndarray, ...]:
    """Target row, role, effector, begin and stop of each unbroken contact."""
    row = pd.Index(track).get_indexer(touches.target)
    used = np.flatnonzero(row >= 0)
    keys = (
        touches.frame[used],
        touches.effector[used],
        touches.role[used],
        row[used],
    )
    order = np.lexsort(keys)
    frame, effector, role, target = (key[order] for key in keys)
    new = np.diff(frame) > 1
    for key in (effector, role, target):
        new |= np.diff(key) != 0
    first = np.flatnonzero(np.r_[True, new][: len(frame)])
    last = np.r_[first[1:], len(frame)].astype(np.int64)[: len(first)] - 1
    edges = frame_edges_min(calibration.times_min)
    begin, stop = edges[frame[first]], edges[frame[last] + 1]
    return target[first], role[first], effector[first], begin, stop
