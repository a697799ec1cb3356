"""Pixel size, time base and image range of a pipeline file."""

from __future__ import annotations

from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import DagPipeline, LegacyPipeline
from cyto_kedro.legacy.names import nearest
from cyto_kedro.legacy.report import Report
from cyto_kedro.legacy.state import Facts

_AXES = "tyx"
# Pixel sizes that differ by less are the same, as in ingest.
_AGREE = 0.005


def calibration_keys(
    document: LegacyPipeline | DagPipeline, facts: Facts, report: Report
) -> tuple[float, dict[str, float | None]]:
    """The pixel size in um, and what ``globals.yml`` has to say.

    Raises:
        ConfigError: Pixels are not square, or a file contradicts ``spacing``.
    """
    stated = _spacing(document.spacing)
    found = facts.pixel_size_um
    if stated and found and abs(stated / found - 1) > _AGREE:
        raise ConfigError(
            f"spacing is {stated:g} um, the image file says {found:g} um per pixel",
            where="spacing",
            fix="correct spacing, or remove it",
        )
    keys: dict[str, float | None] = {"pixel_size_um": None, "frame_interval_min": None}
    if found is None:
        keys["pixel_size_um"] = stated or 1.0
    if stated:
        note = "pyCyto read it but took 1; here lengths are um"
        report.add("spacing", "changed", "pixel_size_um", note)
    elif found is None:
        note = "neither file nor images state it: 1 um, so that lengths are pixels"
        report.add("spacing (missing)", "changed", "pixel_size_um", note)
    interval = document.frame_interval_min
    if facts.frame_interval_min is None:
        keys["frame_interval_min"] = interval or 1.0
        if interval is None:
            note = "nothing states it: 1 min, so that times are frames; "
            note += "add 'frame_interval_min' to the file"
            report.add(
                "frame interval (missing)", "changed", "frame_interval_min", note
            )
    elif interval is not None:
        keys["frame_interval_min"] = interval
    if interval is not None:
        report.add("frame_interval_min", "mapped", "frame_interval_min")
    return stated or found or 1.0, keys


def _spacing(value: float | list[float] | None) -> float | None:
    sides = [value] if isinstance(value, int | float) else list(value or [])
    if any(side <= 0 for side in sides):
        raise ConfigError(f"spacing is {value}", where="spacing", fix="um per pixel")
    if len({round(side, 9) for side in sides[-2:]}) > 1:
        raise ConfigError(
            f"Pixels are not square: {value}",
            where="spacing",
            fix="let the image files state both sides, and remove spacing",
        )
    return float(sides[-1]) if sides else None


def image_range(
    document: LegacyPipeline | DagPipeline, facts: Facts, report: Report
) -> dict[str, list[int | None]]:
    """``ingest.image_range`` of what is cropped, empty without."""
    found: dict[str, list[int | None]] = {}
    for axis, given in document.image_range.items():
        key = f"image_range.{axis}"
        if axis not in _AXES:
            raise ConfigError(
                f"image_range has no axis '{axis}'",
                where=key,
                fix=f"{nearest(axis, _AXES)}axes: x, y, t",
            )
        size = None if facts.shape is None else facts.shape[_AXES.index(axis)]
        ours = _range(given, size, key, report)
        if ours is None:
            report.add(key, "mapped", f"ingest.{key}", "all")
        else:
            found[axis] = ours
            report.add(
                key,
                "changed",
                f"ingest.{key}",
                "pyCyto cut X, Y, T out of stacks in the order T, Y, X; here each "
                "axis is what it is called",
            )
    return found


def _range(
    given: Any, size: int | None, key: str, report: Report
) -> list[int | None] | None:
    if given is None:
        return None
    values = list(given) if isinstance(given, list) else [given]
    whole = all(v is None or (isinstance(v, int) and v >= -1) for v in values)
    if not whole or not 2 <= len(values) <= 3:
        raise ConfigError(
            f"{given} is no range", where=key, fix="[start, stop, step]; null = all"
        )
    start, stop, step = values[0] or 0, values[1], (values[2:] or [None])[0] or 1
    if stop == -1:
        stop = None
        report.add(key, "changed", f"ingest.{key}", "-1 means all, the last included")
    if size is not None and stop is not None and stop > size:
        note = f"the images end at {size}, so does the range"
        report.add(key, "changed", f"ingest.{key}", note)
        stop = None
    return None if (start, stop, step) == (0, None, 1) else [start, stop, step]
