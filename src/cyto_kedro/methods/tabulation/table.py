"""Label and image stacks of a movie -> detections and one row per frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.schemas import DETECTIONS, FRAME_COUNTS
from cyto_kedro.methods.tabulation.objects import as_labels, find_objects
from cyto_kedro.methods.tabulation.shape import shape_columns

Stack = da.Array | np.ndarray
_STATISTICS = ("mass", "mean", "median", "sd")
_VALID_COLUMNS = ["valid_y0", "valid_y1", "valid_x0", "valid_x1"]


@dataclass(frozen=True)
class _Measured:
    """One frame's objects, their sums and intensities; (N, ...) arrays."""

    ids: np.ndarray
    area_px: np.ndarray
    bbox: np.ndarray
    sums: np.ndarray
    origin: np.ndarray
    crossings: np.ndarray
    feret_um: np.ndarray
    intensity: np.ndarray  # (N, channels, 4)
    background: np.ndarray  # (channels,)
    labelled_px: int


def tabulate_movie(
    labels: Stack,
    images: Mapping[str, Stack],
    calibration: Calibration,
    drift: pd.DataFrame,
    *,
    role: str,
    own_channel: str,
    min_area_px: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every labelled object of every frame.

    Args:
        labels: TYX labels, 0 is background; ids may be sparse and are kept.
        images: TYX image of each channel by name.
        calibration: Pixel size and frame times.
        drift: Table DRIFT with the valid rectangle of each frame.
        role: Cell type, goes to the column ``channel``.
        own_channel: Channel of the columns ``mass, mean, median, sd``.
        min_area_px: Smaller objects get no row.

    Returns:
        Tables DETECTIONS, ordered by frame and label, and FRAME_COUNTS.

    Raises:
        InputError: The stacks disagree with the calibration or with each other, or
            ``drift`` lacks a frame.
        FrameError: Reading or measuring a frame failed.
    """
    _check_shapes(labels, images, calibration)
    valid = _valid_rectangles(drift, calibration)
    measure = partial(
        _measure_frame,
        valid=valid,
        spacing_um=calibration.spacing_um,
        min_area_px=min_area_px,
    )
    frames = list(over_frames(measure, labels, *images.values()))
    counts = _frame_counts(frames, list(images), calibration)
    own = list(images).index(own_channel)
    return _detections(frames, list(images), calibration, valid, role, own), counts


def _check_shapes(
    labels: Stack, images: Mapping[str, Stack], calibration: Calibration
) -> None:
    wanted = (calibration.n_frames, calibration.height_px, calibration.width_px)
    for name, stack in {"labels": labels, **images}.items():
        if stack.shape != wanted:
            raise InputError(
                f"'{name}' has shape {stack.shape}, the movie has {wanted} (T, Y, X)",
                where=f"movie {calibration.movie}",
                fix="use masks and images of the same image range",
            )


def _valid_rectangles(drift: pd.DataFrame, calibration: Calibration) -> np.ndarray:
    """(T, 4) first and one past the last valid row, first and ... valid column."""
    table = drift.set_index("frame").reindex(range(calibration.n_frames))
    rectangles = table[_VALID_COLUMNS]
    if rectangles.isna().to_numpy().any():
        raise InputError(
            "The drift table does not cover every frame",
            where=f"movie {calibration.movie}",
            fix="run preprocessing again on the whole image range",
        )
    return np.asarray(rectangles.to_numpy(np.int64))


def _measure_frame(
    frame: int,
    labels: np.ndarray,
    *images: np.ndarray,
    valid: np.ndarray,
    spacing_um: tuple[float, float],
    min_area_px: int,
) -> _Measured:
    from cyto_kedro.methods.tabulation import _image_kernels, _run_kernels

    labels = as_labels(labels)
    found = find_objects(labels)
    keep = found.area_px >= min_area_px
    planes = [as_image(image) for image in images]
    values = [
        _image_kernels.intensities(plane, found.runs, found.first_run, found.area_px)
        for plane in planes
    ]
    outside = [
        _image_kernels.background(plane, labels, *valid[frame]) for plane in planes
    ]
    return _Measured(
        ids=found.ids[keep],
        area_px=found.area_px[keep],
        bbox=found.bbox[keep],
        sums=found.sums[keep],
        origin=found.origin[keep],
        crossings=found.crossings[keep],
        feret_um=_run_kernels.feret(found.runs, found.first_run, *spacing_um)[keep],
        intensity=np.stack(values, axis=1)[keep],
        background=np.asarray(outside, np.float64),
        labelled_px=int(found.area_px.sum()),
    )


def as_image(image: np.ndarray) -> np.ndarray:
    """An image frame in one of the few types that kernels are compiled for."""
    plane = np.asarray(image)
    same = plane.dtype in (np.uint8, np.uint16, np.float32, np.float64)
    dtype = plane.dtype.newbyteorder("=") if same else np.dtype(np.float64)
    return np.require(plane, dtype, ["C", "W"])


def _frame_counts(
    frames: list[_Measured], channels: list[str], calibration: Calibration
) -> pd.DataFrame:
    n_pixels = calibration.height_px * calibration.width_px
    table = pd.DataFrame(
        {
            "frame": np.arange(len(frames)),
            "time_min": calibration.times_min,
            "n_cells": [len(frame.ids) for frame in frames],
            "covered_fraction": [frame.labelled_px / n_pixels for frame in frames],
        }
    )
    outside = np.stack([frame.background for frame in frames])
    for k, channel in enumerate(channels):
        table[f"background_{channel}"] = outside[:, k]
    return FRAME_COUNTS.conform(table)


def _detections(
    frames: list[_Measured],
    channels: list[str],
    calibration: Calibration,
    valid: np.ndarray,
    role: str,
    own: int,
) -> pd.DataFrame:
    frame = np.repeat(np.arange(len(frames)), [len(f.ids) for f in frames])
    bbox = np.concatenate([f.bbox for f in frames])
    intensity = np.concatenate([f.intensity for f in frames])
    columns = {"label": np.concatenate([f.ids for f in frames])}
    columns |= shape_columns(
        bbox,
        np.concatenate([f.area_px for f in frames]),
        np.concatenate([f.sums for f in frames]),
        np.concatenate([f.origin for f in frames]),
        np.concatenate([f.crossings for f in frames]),
        np.concatenate([f.feret_um for f in frames]),
        calibration.spacing_um,
    )
    columns |= {name: intensity[:, own, k] for k, name in enumerate(_STATISTICS)}
    columns |= {"frame": frame, "time_min": calibration.times_min[frame]}
    columns |= _position_flags(bbox, valid[frame])
    outside = np.stack([f.background for f in frames])[frame]
    for c, channel in enumerate(channels):
        for k, name in enumerate(_STATISTICS[1:], start=1):
            columns[f"{name}_{channel}"] = intensity[:, c, k]
        columns[f"background_{channel}"] = outside[:, c]
    table = pd.DataFrame(columns)
    table["channel"] = role
    table["alive"] = pd.NA
    return DETECTIONS.conform(table)


def _position_flags(bbox: np.ndarray, valid: np.ndarray) -> dict[str, np.ndarray]:
    y0, x0, y1, x1 = bbox.T
    valid_y0, valid_y1, valid_x0, valid_x1 = valid.T
    return {
        # Where registration left a margin, cells are cut by that instead.
        "touches_border": (y0 <= valid_y0)
        | (x0 <= valid_x0)
        | (y1 >= valid_y1)
        | (x1 >= valid_x1),
        "in_valid_region": (y0 >= valid_y0)
        & (y1 <= valid_y1)
        & (x0 >= valid_x0)
        & (x1 <= valid_x1),
    }
