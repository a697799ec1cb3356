"""What the channels of a movie agree on: size, pixel size, frame interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.raw import RawChannel

# Files round their metadata; anything beyond this is another microscope setting.
TOLERANCE = 0.005
# Clocks jitter around the interval that was set.
_STAMP_TOLERANCE = 0.05


def common_shape(raws: Sequence[RawChannel]) -> tuple[int, int, int]:
    """T, Y, X of all channels.

    Raises:
        InputError: The channels differ; names each with its shape and file.
    """
    shapes = {raw.data.shape for raw in raws}
    if len(shapes) > 1:
        listing = "\n".join(
            f"  - {raw.channel}: {' x '.join(map(str, raw.data.shape))} in {raw.source}"
            for raw in raws
        )
        raise InputError(
            f"The channels differ in frames or pixels (T x Y x X):\n{listing}",
            where=f"movie {raws[0].movie}",
            fix="check that the files belong to one movie and are complete",
        )
    return raws[0].data.shape


def pixel_size(
    raws: Sequence[RawChannel], configured_um: float | None
) -> tuple[float, float]:
    """(row, column) pixel size in um: from the files, else from ``globals.yml``.

    Raises:
        InputError: Two sources contradict each other by more than 0.5 %.
        ConfigError: Nobody knows it.
    """
    sizes: list[float] = []
    for axis in (0, 1):
        known = [
            (f"channel {raw.channel} ({raw.source})", raw.pixel_size_um[axis])
            for raw in raws
            if raw.pixel_size_um is not None
        ]
        found = _agreed(known, configured_um, "pixel_size_um", "um")
        if found is None:
            raise _unknown("pixel size", "pixel_size_um", raws)
        sizes.append(found)
    return sizes[0], sizes[1]


def frame_times(
    raws: Sequence[RawChannel], configured_min: float | None
) -> tuple[float, ...]:
    """Minutes of every raw frame after the first: time stamps, else a fixed interval.

    Stamps of a later channel lag behind the first one's within a frame; the first
    channel that has stamps gives the times.

    Raises:
        InputError: Two sources contradict each other.
        ConfigError: Nobody knows the interval.
    """
    stamped = [raw for raw in raws if raw.frame_times_min is not None]
    if not stamped:
        interval = frame_interval(raws, configured_min)
        return tuple(i * interval for i in range(raws[0].data.shape[0]))
    times = np.asarray(stamped[0].frame_times_min)
    step = float(np.median(np.diff(times)))
    for raw in stamped[1:]:
        _check_stamps(stamped[0], raw, times, step)
    if configured_min and abs(configured_min - step) > _STAMP_TOLERANCE * step:
        raise InputError(
            f"frame_interval_min is contradictory: {configured_min:g} min says "
            f"globals.yml, {step:.3g} min is the median of the file's time stamps",
            where=stamped[0].source,
            fix="set frame_interval_min in globals.yml to null to take the stamps",
        )
    return tuple(float(time) for time in times)


def _check_stamps(
    first: RawChannel, other: RawChannel, times: np.ndarray, step: float
) -> None:
    off = np.abs(np.asarray(other.frame_times_min) - times)
    if off.max() > step / 2:
        raise InputError(
            f"The time stamps of {first.channel} and {other.channel} differ by up to "
            f"{off.max():.3g} min",
            where=f"{first.source}, {other.source}: frame {int(off.argmax())}",
            fix="check that the files belong to one movie",
        )


def frame_interval(raws: Sequence[RawChannel], configured_min: float | None) -> float:
    """Minutes per frame: from the files, else from ``globals.yml``.

    Raises:
        InputError: Two sources contradict each other by more than 0.5 %.
        ConfigError: Nobody knows it.
    """
    known = [
        (f"channel {raw.channel} ({raw.source})", raw.frame_interval_min)
        for raw in raws
        if raw.frame_interval_min is not None
    ]
    found = _agreed(known, configured_min, "frame_interval_min", "min")
    if found is None:
        raise _unknown("frame interval", "frame_interval_min", raws)
    return found


def _agreed(
    known: Iterable[tuple[str, float]], configured: float | None, key: str, unit: str
) -> float | None:
    """The files' value, else the configured one, once no two differ."""
    sources = list(known)
    if configured is not None:
        sources.append((f"{key} in globals.yml", configured))
    if not sources:
        return None
    by_value = sorted(sources, key=lambda item: item[1])
    (low_name, low), (high_name, high) = by_value[0], by_value[-1]
    if high - low > TOLERANCE * high:
        raise InputError(
            f"{key} is contradictory: {low:g} {unit} says {low_name}, "
            f"{high:g} {unit} says {high_name}",
            fix=f"correct {key} in globals.yml, or set it to null to take the files'; "
            "where the file is wrong, correct its metadata",
        )
    return sources[0][1]


def _unknown(what: str, key: str, raws: Sequence[RawChannel]) -> ConfigError:
    return ConfigError(
        f"The {what} is not known: no file states it, and {key} is not set",
        where=f"movie {raws[0].movie}: {', '.join(raw.source for raw in raws)}",
        fix=f"set {key} in globals.yml",
    )
