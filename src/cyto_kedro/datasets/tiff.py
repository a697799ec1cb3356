"""Reads movies from TIFF files, frame by frame and without holding files open."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.parallel import workers
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.datasets.axes import PlanePlan, pick_scene, plan_planes
from cyto_kedro.datasets.lazy import PlaneStack
from cyto_kedro.datasets.numbering import frame_order
from cyto_kedro.datasets.tiff_metadata import Metadata, calibration_of

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")


@dataclass(frozen=True)
class TiffPlane:
    """Where the pixels of one plane lie, so that no page is looked for twice.

    Attributes:
        path: File.
        offset: Byte offset of contiguous uncompressed pixels, else None.
        directory: Byte offset of the page's directory (IFD).
        shape: (Y, X).
        dtype: In the file's byte order.
    """

    path: Path
    offset: int | None
    directory: int
    shape: tuple[int, int]
    dtype: np.dtype

    def read(self) -> np.ndarray:
        """The YX plane."""
        if self.offset is None:
            return self._decode()
        count = self.shape[0] * self.shape[1]
        pixels = np.fromfile(self.path, self.dtype, count, offset=self.offset)
        return pixels.reshape(self.shape)

    def _decode(self) -> np.ndarray:
        from tifffile import TiffFile, TiffPage

        # A fresh handle per call is thread-safe and, as the directory's place is known,
        # costs no search through the pages before it.
        with TiffFile(self.path) as tif:
            tif.filehandle.seek(self.directory)
            return TiffPage(tif, index=0).asarray().reshape(self.shape)


@dataclass(frozen=True)
class _Planes:
    planes: list[TiffPlane]  # frame by frame; those projected to one lie together
    n_depths: int
    metadata: Metadata


def read_tiff(
    path: Path,
    index: int | None,
    axes: str | None,
    scene: str | int | None = None,
    z: int | Literal["max"] | None = None,
) -> RawChannel:
    """A channel from one TIFF, OME-TIFF or ImageJ file.

    Args:
        path: File.
        index: Channel of a multi-channel file.
        axes: Axis letters where the file does not say.
        scene: Name or number of the image, where the file holds several.
        z: Plane of a Z stack, or ``max``.

    Raises:
        InputError: The file is damaged, truncated, RGB, or no 2D movie.
    """
    return _channel(_planes(path, index, axes, scene, z), str(path))


def read_tiff_sequence(
    files: list[Path],
    index: int | None,
    axes: str | None,
    source: str,
    z: int | Literal["max"] | None = None,
) -> RawChannel:
    """A channel from one-frame TIFF files, ordered by the number in their names.

    Raises:
        InputError: A number is missing or occurs twice, or a file is damaged, holds
            several frames, or differs from the first in shape or dtype.
    """
    files = frame_order(files)
    with ThreadPoolExecutor(workers()) as pool:
        found = list(pool.map(lambda path: _planes(path, index, axes, None, z), files))
    for path, item in zip(files, found, strict=True):
        if len(item.planes) != item.n_depths:
            raise InputError(
                f"A file of a sequence must hold one frame, this has "
                f"{len(item.planes) // item.n_depths}",
                where=str(path),
                fix="if its pages are channels, write 'axes: CYX' and 'index' of this "
                "channel in globals.yml",
            )
        _check_alike(found[0].planes[0], item.planes[0])
    _check_depths(files, found)
    planes = [plane for item in found for plane in item.planes]
    metadata = replace(found[0].metadata, times_min=None)
    return _channel(_Planes(planes, found[0].n_depths, metadata), source)


def _check_depths(files: list[Path], found: list[_Planes]) -> None:
    for path, item in zip(files, found, strict=True):
        if item.n_depths != found[0].n_depths:
            raise InputError(
                f"The Z stack of {item.n_depths} planes differs from "
                f"{found[0].n_depths} in {files[0].name}",
                where=str(path),
                fix="all files of a channel must have one number of planes",
            )


def _check_alike(first: TiffPlane, other: TiffPlane) -> None:
    for what in ("shape", "dtype"):
        mine, theirs = getattr(other, what), getattr(first, what)
        if mine != theirs:
            raise InputError(
                f"The {what} {mine} differs from {theirs} in {first.path.name}",
                where=str(other.path),
                fix="all files of a channel must have one shape and one dtype",
            )


def _channel(found: _Planes, source: str) -> RawChannel:
    planes, depths, facts = found.planes, found.n_depths, found.metadata
    shape = (len(planes) // depths, *planes[0].shape)

    def read(frame: int) -> np.ndarray:
        first, *others = planes[frame * depths : (frame + 1) * depths]
        brightest = first.read()
        for plane in others:
            brightest = np.maximum(brightest, plane.read())
        return brightest

    stack = PlaneStack(shape, planes[0].dtype, read, source)
    return RawChannel(
        stack.lazy(),
        source,
        facts.pixel_size_um,
        facts.interval_min,
        frame_times_min=facts.times_min,
    )


def _planes(
    path: Path,
    index: int | None,
    axes: str | None,
    scene: str | int | None,
    z: int | Literal["max"] | None,
) -> _Planes:
    from tifffile import TiffFile, TiffFileError

    try:
        _check_directories(path)
        with TiffFile(path) as tif:
            number = _number_of_series(tif, path, scene)
            series = tif.series[number]
            plan = plan_planes(
                series.axes,
                series.shape,
                source=str(path),
                index=index,
                declared=axes,
                z=z,
            )
            facts = calibration_of(tif, number, index or 0, plan.n_frames)
            return _Planes(_places(tif, series, plan, path), plan.n_depths, facts)
    except (OSError, TiffFileError, struct.error, ValueError, IndexError) as exc:
        raise InputError(
            f"The file cannot be read as TIFF: {exc}",
            where=str(path),
            fix="open it in Fiji; if that fails too, copy it again from its source",
        ) from exc


def _number_of_series(tif: TiffFile, path: Path, scene: str | int | None) -> int:
    fix = "" if tif.is_ome else "export each position as a file of its own"
    names = [f"{series.name} {series.shape}" for series in tif.series]
    if scene is not None:
        names = [series.name for series in tif.series]
    return pick_scene(names, scene, str(path), fix)


def _places(
    tif: TiffFile, series: TiffPageSeries, plan: PlanePlan, path: Path
) -> list[TiffPlane]:
    """Where each frame's plane lies, all of them inside the file."""
    dtype = np.dtype(series.dtype).newbyteorder(tif.byteorder)
    place = _in_block if series.dataoffset is not None else _in_page
    planes = []
    for frame, depth in np.ndindex(plan.n_frames, plan.n_depths):
        number = plan.flat(frame, depth)
        plane, end, size = place(series, plan, number, path, dtype)
        if end > size:
            raise _truncated(path, f"frame {frame} ends at byte {end} of {size}")
        planes.append(plane)
    return planes


def _in_block(
    series: TiffPageSeries, plan: PlanePlan, number: int, path: Path, dtype: np.dtype
) -> tuple[TiffPlane, int, int]:
    """A plane of an uncompressed series in one piece; its end and the file's size."""
    shape = plan.plane_shape
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    start = int(series.dataoffset or 0) + number * n_bytes
    size = path.stat().st_size
    return TiffPlane(path, start, 0, shape, dtype), start + n_bytes, size


def _in_page(
    series: TiffPageSeries, plan: PlanePlan, number: int, path: Path, dtype: np.dtype
) -> tuple[TiffPlane, int, int]:
    """A plane that has a page of its own, perhaps in another file of an OME set."""
    page: Any = series[number]
    if page is None:
        raise _truncated(path, f"plane {number} is not in the file")
    handle = page.parent.filehandle
    plain = page.is_memmappable and page.is_contiguous
    offset = page.dataoffsets[0] if plain else None
    parts = zip(page.dataoffsets, page.databytecounts, strict=False)
    end = max(start + count for start, count in parts)
    owner = Path(handle.path)
    return (
        TiffPlane(owner, offset, page.offset, plan.plane_shape, dtype),
        end,
        handle.size,
    )


def _truncated(path: Path, what: str) -> InputError:
    return InputError(
        f"The TIFF is truncated: {what}",
        where=str(path),
        fix="copy the file again from its source",
    )


def _check_directories(path: Path) -> None:
    """Follow the chain of pages to its end; tifffile drops what lies behind a cut."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        for offset in _directories(stream, path):
            if offset >= size:
                raise _truncated(path, f"a page starts at byte {offset} of {size}")


def _directories(stream: Any, path: Path) -> Iterator[int]:
    head = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise InputError(
            "This is not a TIFF file", where=str(path), fix="check its content"
        )
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    count_type, entry, offset_type = ("Q", 20, "Q") if big else ("H", 12, "I")
    start = 8 if big else 4
    width = struct.calcsize(offset_type)
    (offset,) = struct.unpack(order + offset_type, head[start : start + width])
    seen: set[int] = set()
    while offset and offset not in seen:
        yield offset
        seen.add(offset)
        stream.seek(offset)
        raw = stream.read(struct.calcsize(count_type))
        (count,) = struct.unpack(order + count_type, raw)
        stream.seek(entry * count, 1)
        (offset,) = struct.unpack(order + offset_type, stream.read(width))
