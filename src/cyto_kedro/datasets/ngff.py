"""Reads movies from OME-Zarr (NGFF 0.1 to 0.5) or plain Zarr arrays."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.datasets.axes import pick_scene, plan_planes
from cyto_kedro.datasets.lazy import PlaneStack
from cyto_kedro.datasets.object_zarr import StoreAt
from cyto_kedro.datasets.units import to_min, to_um

if TYPE_CHECKING:
    import zarr

logger = logging.getLogger(__name__)

_MARKERS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
#: Array attribute of our stores: each frame is one chunk, and none is left out.
EVERY_FRAME_WRITTEN = "every_frame_written"
# NGFF 0.1 and 0.2 name no axes: there are always five, in this order.
_OLD_AXES = [{"name": name} for name in "tczyx"]


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in _MARKERS)


def read_ngff(
    path: StoreAt,
    index: int | None,
    axes: str | None,
    lost_is_empty: bool = False,
    scene: str | int | None = None,
    z: int | Literal["max"] | None = None,
) -> RawChannel:
    """A channel from an OME-Zarr image at full resolution, or from a Zarr array.

    Args:
        path: Folder of the image group or array, or a store of objects.
        index: Channel of a multi-channel image.
        axes: Axis letters where the store does not say.
        lost_is_empty: A frame without a chunk in a store of ours is a frame of zeros,
            with a warning, and no error.
        scene: Name or number of the image, where the group holds several.
        z: Plane of a Z stack, or ``max``.

    Raises:
        InputError: The store is damaged, no single image, or no 2D movie.
    """
    import zarr

    try:
        node = zarr.open(path if isinstance(path, Path) else path.store(), mode="r")
        array, names, scale, units = _level_zero(node, path, scene)
    except (OSError, KeyError, ValueError, TypeError) as exc:
        raise InputError(
            f"The store cannot be read as OME-Zarr: {type(exc).__name__}: {exc}",
            where=str(path),
            fix="check that the path names one image group, and copy it again",
        ) from exc
    plan = plan_planes(
        names, array.shape, source=str(path), index=index, declared=axes, z=z
    )

    there = _Chunks(array, path)
    lost = there.lost() if lost_is_empty and _is_ours(array) else []
    if lost:
        logger.warning(
            "%s: frames without content are taken as frames without cells: %s",
            path,
            ", ".join(map(str, lost)),
        )

    def read(frame: int) -> np.ndarray:
        brightest = None
        for depth in range(plan.n_depths):
            at = plan.at(frame, depth)
            if frame not in lost:
                there.require(at)
            plane = np.asarray(array[at])
            brightest = plane if brightest is None else np.maximum(brightest, plane)
        return np.asarray(brightest)

    stack = PlaneStack((plan.n_frames, *plan.plane_shape), array.dtype, read, str(path))
    pixel, interval = _calibration(names, scale, units)
    return RawChannel(stack.lazy(), str(path), pixel, interval)


def _level_zero(
    node: zarr.Group | zarr.Array, path: StoreAt, scene: str | int | None
) -> tuple[zarr.Array, str, list[float], list[str | None]]:
    """Array, axis letters, scale and units of the full-resolution image."""
    import zarr

    if isinstance(node, zarr.Array):
        rank = node.ndim
        return node, "TCZYX"[5 - rank :] if rank != 3 else "TYX", [1.0] * rank, []
    attributes: dict[str, Any] = dict(node.attrs)
    facts: dict[str, Any] = attributes.get("ome", attributes)
    if "multiscales" not in facts and "bioformats2raw.layout" in facts:
        images = images_of(node)
        chosen = list(images)[pick_scene(list(images.values()), scene, str(path))]
        return _level_zero(cast("zarr.Group", node[chosen]), path, None)
    if "multiscales" not in facts:
        raise InputError(
            "The Zarr group is not an OME-Zarr image (it has no multiscales)",
            where=str(path),
            fix="name the image inside it, for example plate.zarr/A/1/0",
        )
    if scene is not None:
        pick_scene(["0"], scene, str(path))
    image = facts["multiscales"][0]
    level = image["datasets"][0]
    described = image.get("axes", _OLD_AXES)
    described = [{"name": a} if isinstance(a, str) else a for a in described]
    array = cast("zarr.Array", node[level["path"]])
    scale: np.ndarray = np.ones(array.ndim)
    for step in (
        *level.get("coordinateTransformations", []),
        *image.get("coordinateTransformations", []),
    ):
        if step["type"] == "scale":
            scale = scale * np.asarray(step["scale"], np.float64)
    names = "".join(str(a["name"])[0] for a in described).upper()
    return array, names, scale.tolist(), [a.get("unit") for a in described]


def images_of(group: zarr.Group) -> dict[str, str]:
    """Path to name of the images in a group as bioformats2raw writes it."""
    paths = sorted((key for key in group.group_keys() if key.isdecimal()), key=int)
    names = {}
    for path in paths:
        attributes: dict[str, Any] = dict(group[path].attrs)
        facts = attributes.get("ome", attributes)
        names[path] = str(facts.get("multiscales", [{}])[0].get("name") or path)
    return names


def _calibration(
    names: str, scale: list[float], units: list[str | None]
) -> tuple[tuple[float, float] | None, float | None]:
    facts = dict(zip(names, zip(scale, units, strict=False), strict=False))
    nothing: tuple[float, str | None] = (0.0, None)
    y, x = to_um(*facts.get("Y", nothing)), to_um(*facts.get("X", nothing))
    interval = to_min(*facts.get("T", nothing))
    return (None if y is None or x is None else (y, x)), interval


def lost_frames(array: zarr.Array, path: Path) -> list[int]:
    """Frames of a store of ours, one chunk each, that have no chunk."""
    return _Chunks(array, path).lost()


def _is_ours(array: zarr.Array) -> bool:
    return bool(array.attrs.get(EVERY_FRAME_WRITTEN))


class _Chunks:
    """Which chunks of an array are there."""

    def __init__(self, array: zarr.Array, path: StoreAt) -> None:
        self._array, self._path = array, path
        # Objects are listed once; a file is looked for when it is needed.
        self._keys = None if isinstance(path, Path) else path.listing()

    def has(self, at: tuple[int, ...]) -> bool:
        key = f"{self._array.path}/{self._array.metadata.encode_chunk_key((*at, 0, 0))}"
        if isinstance(self._path, Path):
            return (self._path / key.lstrip("/")).is_file()
        return self._keys is not None and key in self._keys

    def lost(self) -> list[int]:
        return [f for f in range(self._array.shape[0]) if not self.has((f,))]

    def require(self, at: tuple[int, ...]) -> None:
        """A lost chunk of a store of ours would read as zeros: as a black frame."""
        if _is_ours(self._array) and not self.has(at):
            raise InputError(
                "A frame is missing from the store",
                where=f"{self._path}, frame {at[0]}",
                fix="delete the store and run the node that writes it again",
            )
