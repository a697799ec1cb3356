"""A movie as one OME-Zarr: all channels, and the masks of each role with track ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import map_frames, over_frames
from cyto_kedro.datasets.store import codec

if TYPE_CHECKING:
    import zarr

_NGFF = "0.5"
# Coarser levels are added until both sides are this short.
_SMALL_PX = 1024
_COLOURS = ("0072B2", "D55E00", "FFFFFF", "009E73", "F0E442", "CC79A7")


def write_ome_zarr(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    """``<movie>.ome.zarr`` per movie: TCYX image, masks under ``labels/<role>``."""
    written = []
    for movie in movies:
        known = Calibration.model_validate(run.load("calibration", movie))
        images = {c: run.load(f"{c}.image", movie) for c in run.layout.channels}
        masks = {role: track_labels(run, role, movie) for role in run.layout.roles}
        path = folder / f"{movie}.ome.zarr"
        with staged(path) as stage:
            write_image(stage, images, masks, known)
        written.append(path)
    return written


def track_labels(run: FinishedRun, role: str, movie: str) -> da.Array:
    """Masks whose values are track ids, so that a cell keeps its colour: lazy TYX."""
    labels = run.load(f"{role}.labels", movie)
    return relabelled(labels, run.load(f"{role}.tracks", movie))


def relabelled(labels: Any, tracks: pd.DataFrame) -> da.Array:
    """Masks with track ids in place of the frame's labels; untracked cells vanish.

    Args:
        labels: TYX uint32.
        tracks: Table TRACKS.
    """
    by_frame = {
        int(str(frame)): (part["label"].to_numpy(), part["track_id"].to_numpy())
        for frame, part in tracks.groupby("frame")
    }

    def relabel(plane: np.ndarray, frame: int) -> np.ndarray:
        own, track = by_frame.get(frame, (np.empty(0, int), np.empty(0, int)))
        lookup = np.zeros(int(max(plane.max(), own.max(initial=0))) + 1, np.uint32)
        lookup[own] = track
        return lookup[plane]

    return map_frames(relabel, labels, dtype=np.uint32, with_index=True)


def write_image(
    path: Path,
    images: dict[str, Any],
    masks: dict[str, Any],
    calibration: Calibration,
) -> None:
    """One OME-Zarr (NGFF 0.5) image with channels and labels, one chunk per plane.

    Args:
        path: Folder to make.
        images: TYX stack of each channel.
        masks: TYX uint32 of each role.
        calibration: Geometry and time base.
    """
    import zarr

    shape = calibration.n_frames, calibration.height_px, calibration.width_px
    dtype = np.result_type(*(stack.dtype for stack in images.values()))
    sizes = _sizes(shape[1:])
    group = zarr.open_group(path, mode="w", zarr_format=3)
    scale = _scale(calibration)
    group.attrs["ome"] = _image_facts(calibration, images, sizes, scale)
    levels = [
        _array(group, str(n), (shape[0], len(images), *size), dtype, "tcyx")
        for n, size in enumerate(sizes)
    ]

    def write(frame: int, *planes: np.ndarray) -> None:
        for channel, plane in enumerate(planes):
            for level, array in enumerate(levels):
                array[frame, channel] = _coarser(plane, level, mean=True).astype(dtype)

    for _ in over_frames(write, *images.values()):
        pass
    if masks:
        inside = group.create_group("labels")
        inside.attrs["ome"] = {"version": _NGFF, "labels": list(masks)}
        for role, stack in masks.items():
            _write_labels(inside.create_group(role), role, stack, sizes, scale)


def _write_labels(
    group: zarr.Group,
    role: str,
    stack: Any,
    sizes: list[tuple[int, int]],
    scale: tuple[float, float, float],
) -> None:
    levels = [
        _array(group, str(n), (len(stack), *size), np.dtype(np.uint32), "tyx")
        for n, size in enumerate(sizes)
    ]

    def write(frame: int, plane: np.ndarray) -> set[int]:
        for level, array in enumerate(levels):
            array[frame] = _coarser(plane, level, mean=False)
        return set(np.unique(plane).tolist())

    values: set[int] = set().union(*over_frames(write, stack)) - {0}
    label: dict[str, Any] = {"version": _NGFF, "source": {"image": "../../"}}
    if values:
        label["colors"] = [
            {"label-value": value, "rgba": _colour(value)} for value in sorted(values)
        ]
    facts = _multiscales(role, "tyx", sizes, scale)
    group.attrs["ome"] = facts | {"image-label": label}


def _colour(value: int) -> list[int]:
    """A colour per track; neighbouring numbers differ much (golden ratio)."""
    from colorsys import hsv_to_rgb

    red, green, blue = hsv_to_rgb(value * 0.61803398875 % 1, 0.75, 1.0)
    return [round(255 * part) for part in (red, green, blue)] + [255]


def _array(
    group: zarr.Group, name: str, shape: tuple[int, ...], dtype: np.dtype, axes: str
) -> zarr.Array:
    chunks = (*(1 for _ in shape[:-2]), *shape[-2:])
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressors=codec(),
        dimension_names=list(axes),
    )


def _sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Rows and columns of each level."""
    sizes = [size]
    while max(sizes[-1]) > _SMALL_PX:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def _coarser(plane: np.ndarray, level: int, mean: bool) -> np.ndarray:
    """A plane at half the size, ``level`` times; odd edges are repeated."""
    for _ in range(level):
        odd = [(0, side % 2) for side in plane.shape]
        padded = np.pad(plane, odd, mode="edge")
        if mean:
            parts = [
                padded[y::2, x::2].astype(np.float64) for y in (0, 1) for x in (0, 1)
            ]
            plane = np.mean(parts, axis=0)
        else:
            plane = padded[::2, ::2]
    return plane


def _scale(calibration: Calibration) -> tuple[float, float, float]:
    interval = calibration.frame_interval_min if calibration.n_frames > 1 else 1.0
    return interval, calibration.pixel_size_y_um, calibration.pixel_size_x_um


def _multiscales(
    name: str,
    axes: str,
    sizes: list[tuple[int, int]],
    scale: tuple[float, float, float],
) -> dict[str, Any]:
    kinds = {
        "t": {"name": "t", "type": "time", "unit": "minute"},
        "c": {"name": "c", "type": "channel"},
        "y": {"name": "y", "type": "space", "unit": "micrometer"},
        "x": {"name": "x", "type": "space", "unit": "micrometer"},
    }
    steps = dict(zip("tyx", scale, strict=True)) | {"c": 1.0}
    datasets = []
    for level in range(len(sizes)):
        grown = {axis: steps[axis] * (2**level if axis in "yx" else 1) for axis in axes}
        # The centre of a coarse pixel lies between those that it stands for.
        shift = {a: (grown[a] - steps[a]) / 2 if a in "yx" else 0.0 for a in axes}
        transforms: list[dict[str, Any]] = [
            {"type": "scale", "scale": [grown[axis] for axis in axes]}
        ]
        if level:
            moved = [shift[axis] for axis in axes]
            transforms.append({"type": "translation", "translation": moved})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    described = [kinds[axis] for axis in axes]
    image = {"name": name, "axes": described, "datasets": datasets}
    return {"version": _NGFF, "multiscales": [image]}


def _image_facts(
    calibration: Calibration,
    images: dict[str, Any],
    sizes: list[tuple[int, int]],
    scale: tuple[float, float, float],
) -> dict[str, Any]:
    from cyto_kedro.pipelines.reporting.style import contrast

    facts = _multiscales(calibration.movie, "tcyx", sizes, scale)
    channels = []
    for number, (name, stack) in enumerate(images.items()):
        low, high = contrast(np.asarray(stack[:1]))
        channels.append(
            {
                "label": name,
                "color": _COLOURS[number % len(_COLOURS)],
                "active": True,
                "window": {"min": low, "max": high, "start": low, "end": high},
            }
        )
    facts["omero"] = {"version": _NGFF, "channels": channels}
    return facts
