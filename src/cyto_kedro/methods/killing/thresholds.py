"""Where the death signal of a living cell ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# MAD to standard deviation of a normal distribution.
_MAD_TO_SD = 1.482602218505602
# Mean absolute deviation to standard deviation of a normal distribution.
_MEAN_AD_TO_SD = 1.2533141373155003


def given(signal: np.ndarray, frame: np.ndarray, *, value: float) -> float:
    """The threshold that the user states, in units of the signal."""
    return value


def baseline(
    signal: np.ndarray, frame: np.ndarray, *, first_frames: int, k: float
) -> float:
    """Level of the living plus ``k`` times their spread, from the first frames.

    Most targets live when a movie begins, so the first frames in which targets are
    seen show what living cells look like, whether none, some or all of them die
    later. Dead cells can only be brighter: the spread is the MAD of the values below
    the median, which holds as long as less than half of the targets are dead at the
    beginning. Without deaths nothing lies above the threshold, unlike with methods
    that always split the data in two.

    Args:
        signal: (N,) smoothed death signal; NaN is ignored.
        frame: (N,) frame of each value.
        first_frames: Frames that count, from the first one with a known signal.
        k: Robust standard deviations above the median.
    """
    known = np.isfinite(signal)
    if not known.any():
        return float("nan")
    start = frame[known].min()
    early = signal[known & (frame < start + first_frames)]
    level = float(np.median(early))
    rise = k * lower_spread(early)
    # A signal without any spread (simulated, or saturated at 0) must not be dead.
    return max(level + rise, float(np.nextafter(level, np.inf)))


def otsu(signal: np.ndarray, frame: np.ndarray, *, scale: str) -> float:
    """The split with the largest variance between two classes (exact, no bins).

    It splits whatever it is given: only for movies in which a fair share of the
    targets die. ``scale="log"`` compares on ``asinh(s / spread)``, which is linear
    around 0 (background-subtracted signals are negative at times) and logarithmic
    above.

    Source: Otsu 1979, doi:10.1109/TSMC.1979.4310076.
    """
    values = np.sort(signal[np.isfinite(signal)])
    if not len(values) or values[0] == values[-1]:
        return float(np.nextafter(values[0], np.inf)) if len(values) else float("nan")
    unit = lower_spread(values) if scale == "log" else 0.0
    x = np.arcsinh(values / unit) if unit > 0 else values
    count = np.arange(1, len(x))
    below = np.cumsum(x)[:-1] / count
    above = (x.sum() - np.cumsum(x)[:-1]) / (len(x) - count)
    between = count * (len(x) - count) * (above - below) ** 2
    between[x[1:] == x[:-1]] = -1.0  # equal values cannot be parted
    cut = int(np.argmax(between))
    # The lowest value of the upper class: s >= threshold is dead.
    return float(values[cut + 1])


def lower_spread(values: np.ndarray) -> float:
    """Robust standard deviation from the values at or below the median.

    The MAD is 0 when more than half of the values are equal; then the mean absolute
    deviation is used (Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers).
    """
    if not len(values):
        return float("nan")
    level = np.median(values)
    spread = _MAD_TO_SD * float(np.median(level - values[values <= level]))
    if spread > 0:
        return spread
    return _MEAN_AD_TO_SD * float(np.mean(np.abs(values - level)))


def living_spread(signal: np.ndarray, threshold: float) -> float:
    """Robust standard deviation of the values below the threshold; 0 without any."""
    below = signal[signal < threshold]
    return lower_spread(below) if len(below) else 0.0


#: ``function(signal, frame, **options) -> threshold`` by name.
THRESHOLDS: dict[str, Callable[..., float]] = {
    "given": given,
    "otsu": otsu,
    "baseline": baseline,
}
