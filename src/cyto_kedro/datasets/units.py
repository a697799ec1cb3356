"""Spellings of physical units in image metadata."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

_UM = {
    1e-4: ("angstrom", "å"),
    1e-3: ("nm", "nanometer", "nanometre"),
    1.0: ("um", "µm", "μm", "micron", "micrometer", "micrometre"),
    1e3: ("mm", "millimeter", "millimetre"),
    1e4: ("cm", "centimeter", "centimetre"),
    1e6: ("m", "meter", "metre"),
}
_MIN = {
    1e-3 / 60: ("ms", "msec", "millisecond"),
    1 / 60: ("s", "sec", "second"),
    1.0: ("min", "minute"),
    60.0: ("h", "hr", "hour"),
    1440.0: ("d", "day"),
}
_LENGTHS = {name: factor for factor, names in _UM.items() for name in names}
_TIMES = {name: factor for factor, names in _MIN.items() for name in names}


def to_um(value: object, unit: str | None) -> float | None:
    """A length in um; None if it is absent, not positive, or in no physical unit."""
    return _converted(value, unit, _LENGTHS)


def to_min(value: object, unit: str | None) -> float | None:
    """A time in minutes; None if it is absent, not positive, or in no known unit."""
    return _converted(value, unit, _TIMES)


def _converted(
    value: object, unit: str | None, factors: dict[str, float]
) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    if unit is None or not math.isfinite(number) or number <= 0:
        return None
    # ImageJ writes the micro sign as an escape.
    name = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ").strip().lower()
    factor = factors.get(name) or factors.get(name.removesuffix("s"))
    return None if factor is None else number * factor


def frame_times(
    stamps: Iterable[tuple[int, float]], n_frames: int
) -> tuple[float, ...] | None:
    """Times of all frames after the first, from time stamps of planes.

    Args:
        stamps: (frame, time in min) of planes, in any order; the earliest of a frame
            counts.
        n_frames: Number of frames.

    Returns:
        Strictly increasing times, or None where a frame has none or the clock stands
        still or goes back: such stamps are not those of a movie.
    """
    first: dict[int, float] = {}
    for frame, minutes in stamps:
        first[frame] = min(minutes, first.get(frame, math.inf))
    if n_frames < 2 or any(frame not in first for frame in range(n_frames)):
        return None
    times = tuple(first[frame] - first[0] for frame in range(n_frames))
    rising = all(b > a for a, b in pairwise(times))
    return times if rising and math.isfinite(times[-1]) else None
