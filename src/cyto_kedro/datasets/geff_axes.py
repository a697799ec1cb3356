"""Nodes of a geff as points in um, frames and minutes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.units import to_min, to_um

_FRAMES = (None, "", "frame", "frames")
# A time that is a whole number of frames but for rounding.
_ROUNDING = 1e-3


def wanted_props(about: Any) -> set[str]:
    """Names of the node properties that :func:`points_of` reads."""
    named = {axis.name for axis in about.axes or []}
    return named | {"label", "quality", "time_min", about.sphere or "radius_um"}


def points_of(
    graph: Any,
    known: Calibration | None,
    pixel_um: float | None,
    step_min: float | None,
    where: str,
) -> pd.DataFrame:
    """The columns of EXCHANGED_TRACKS that need no edges.

    Args:
        graph: What ``geff.core_io.read_to_memory`` returns.
        known: Calibration of the movie, if there is one.
        pixel_um: Pixel size, for axes in pixels.
        step_min: Frame interval, for times in frames.
        where: File, for messages.

    Raises:
        InputError: An axis is missing, a node has no position, or the movie is 3D.
        ConfigError: Sizes or times are neither in the file nor given.
    """
    axes = _axes(graph, where)
    props, ids = graph["node_props"], np.asarray(graph["node_ids"])
    place = {
        name: _values(props, axes[name].name, where)
        * _um_per_unit(axes[name], name, known, pixel_um, where)
        for name in ("y", "x")
    }
    frame, time = _times(props, axes["t"], known, step_min, where)
    table = pd.DataFrame({"frame": frame, "time_min": time})
    counted = table.groupby("frame").cumcount().to_numpy() + 1
    return table.assign(
        label=_labels(props, counted, frame),
        y_um=place["y"],
        x_um=place["x"],
        z_um=0.0,
        radius_um=_optional(props, graph["metadata"].sphere or "radius_um", len(ids)),
        quality=_optional(props, "quality", len(ids)),
        source_id=pd.array(ids.astype(np.int64), dtype="Int64"),
    )


def _axes(graph: Any, where: str) -> dict[str, Any]:
    """The axes t, y and x."""
    listed = graph["metadata"].axes or []
    space = [axis for axis in listed if axis.type == "space"]
    found = {axis.name.lower()[-1:]: axis for axis in space}
    for axis in listed:
        if axis.type == "time":
            found["t"] = axis
    missing = [name for name in ("t", "y", "x") if name not in found]
    if missing:
        raise InputError(
            f"The graph has no axis {', '.join(missing)}",
            where=where,
            fix="its metadata lists a time axis and space axes that end in y and x",
        )
    if (
        "z" in found
        and len(np.unique(_values(graph["node_props"], found["z"].name, where))) > 1
    ):
        raise InputError(
            "The tracks are three-dimensional",
            where=where,
            fix="project them to y and x first",
        )
    return found


def _values(props: dict[str, Any], name: str, where: str) -> np.ndarray:
    """A property that every node must have."""
    if name not in props:
        raise InputError(f"The nodes have no property '{name}'", where=where)
    value = np.asarray(props[name]["values"], dtype=np.float64)
    missing = props[name]["missing"]
    bad = ~np.isfinite(value) if missing is None else ~np.isfinite(value) | missing
    if bad.any():
        raise InputError(f"{int(bad.sum())} node(s) have no '{name}'", where=where)
    return value


def _optional(props: dict[str, Any], name: str, n: int) -> np.ndarray:
    if name not in props:
        return np.full(n, np.nan)
    value = np.asarray(props[name]["values"], dtype=np.float64).copy()
    if props[name]["missing"] is not None:
        value[props[name]["missing"]] = np.nan
    return value


def _um_per_unit(
    axis: Any,
    name: str,
    known: Calibration | None,
    pixel_um: float | None,
    where: str,
) -> float:
    size = to_um(1.0, axis.unit)
    if size is not None:
        return size
    if axis.scale is not None:
        size = to_um(axis.scale, axis.scaled_unit)
        if size is not None:
            return size
    if known is not None:
        return known.spacing_um[0 if name == "y" else 1]
    if pixel_um is None:
        raise ConfigError(
            f"Axis {axis.name} is in '{axis.unit}', without a physical size",
            where=where,
            fix="give 'calibration' or 'pixel_size_um'",
        )
    return pixel_um


def _times(
    props: dict[str, Any],
    axis: Any,
    known: Calibration | None,
    step_min: float | None,
    where: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Frame and time (min) of each node."""
    value = _values(props, axis.name, where)
    unit = to_min(1.0, axis.unit)
    if unit is not None:
        return _frames_at(value * unit, known, step_min, where)
    if axis.unit not in _FRAMES:
        raise InputError(f"Unknown unit of time '{axis.unit}'", where=where)
    if (value < 0).any() or (value % 1 != 0).any():
        raise InputError("Frames must be whole numbers from 0", where=where)
    frame = value.astype(np.int64)
    if known is not None:
        if frame.max(initial=0) >= known.n_frames:
            raise InputError(
                f"The tracks reach frame {frame.max()}, but the movie has "
                f"{known.n_frames} frames",
                where=where,
                fix="give the calibration of the movie that these tracks are of",
            )
        return frame, known.times_min[frame]
    if "time_min" in props:
        return frame, _values(props, "time_min", where)
    scale = to_min(axis.scale, axis.scaled_unit) if axis.scale is not None else None
    step = step_min if step_min is not None else scale
    if step is None:
        raise ConfigError(
            "The file has frames but no times",
            where=where,
            fix="give 'calibration' or 'frame_interval_min'",
        )
    return frame, frame * step


def _frames_at(
    time: np.ndarray, known: Calibration | None, step_min: float | None, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of times in minutes: those of the movie, or multiples of the interval."""
    if known is not None:
        every = known.times_min
    else:
        gaps = np.diff(np.unique(time))
        step = step_min or (float(gaps.min()) if len(gaps) else 1.0)
        every = np.arange(round(float(time.max(initial=0.0)) / step) + 1) * step
    frame = np.abs(time[:, np.newaxis] - every).argmin(axis=1)
    apart = float(np.diff(every).min()) if len(every) > 1 else 1.0
    off = np.abs(time - every[frame]) > _ROUNDING * apart
    if off.any():
        raise InputError(
            f"No frame was taken at {time[off][0]:g} min",
            where=where,
            fix="give the calibration of the movie that these tracks are of",
        )
    return frame, every[frame]


def _labels(
    props: dict[str, Any], counted: np.ndarray, frame: np.ndarray
) -> np.ndarray:
    """Labels of the masks where the file has them, else the order in the frame."""
    if "label" not in props or props["label"]["missing"] is not None:
        return counted
    label = np.asarray(props["label"]["values"])
    twice = pd.DataFrame({"frame": frame, "label": label}).duplicated().any()
    if label.dtype.kind not in "iu" or (label < 1).any() or twice:
        return counted
    return label.astype(np.int64)
