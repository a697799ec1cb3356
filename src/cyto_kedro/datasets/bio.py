"""Reads movies from the files of microscopes (ND2, CZI, LIF) through bioio."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

import numpy as np

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.datasets.axes import pick_scene, plan_planes
from cyto_kedro.datasets.lazy import PlaneStack
from cyto_kedro.datasets.units import frame_times

if TYPE_CHECKING:
    from bioio import BioImage

#: File suffix to the package that has bioio's reader for it.
READERS = {".czi": "bioio_czi", ".lif": "bioio_lif", ".nd2": "bioio_nd2"}

# What a LIF file calls the axes that bioio_lif drops: emission, excitation wavelength.
_LIF_WAVELENGTHS = ("5", "9")
_LIF_TIME = "4"
_FILETIME_PER_MIN = 60 * 10**7  # Leica counts 100 ns


def read_bio(
    path: Path,
    index: int | None,
    axes: str | None,
    scene: str | int | None = None,
    z: int | Literal["max"] | None = None,
) -> RawChannel:
    """A channel from a microscope file; one frame is read at a time.

    Args:
        path: File.
        index: Channel of a multi-channel file.
        axes: Axis letters; these files say so themselves, so normally None.
        scene: Name or number of the position, where the file holds several.
        z: Plane of a Z stack, or ``max``.

    Raises:
        ConfigError: The extra ``bio`` is not installed.
        InputError: The file cannot be read, or is no 2D movie.
    """
    image = open_bio(path)
    select_scene(image, scene, path)
    lazy, source = image.dask_data, str(path)
    plan = plan_planes(
        image.dims.order, lazy.shape, source=source, index=index, declared=axes, z=z
    )

    def read(frame: int) -> np.ndarray:
        where: list[Any] = list(plan.at(frame))
        if plan.depth_axis is None:
            return np.asarray(lazy[tuple(where)].compute(scheduler="synchronous"))
        where[plan.depth_axis] = slice(None)
        block = lazy[tuple(where)].compute(scheduler="synchronous")
        return np.asarray(block).max(axis=0)

    stack = PlaneStack((plan.n_frames, *plan.plane_shape), lazy.dtype, read, source)
    pixel, interval, times = bio_calibration(image, index or 0, plan.n_frames)
    return RawChannel(stack.lazy(), source, pixel, interval, frame_times_min=times)


def open_bio(path: Path) -> BioImage:
    """The file, opened with the reader of its suffix.

    Raises:
        ConfigError: The extra ``bio`` is not installed.
        InputError: The reader cannot open it.
    """
    package = READERS[path.suffix.lower()]
    try:
        from bioio import BioImage

        reader = import_module(package).Reader
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"{path.suffix} files need a package that is not installed: {exc.name}",
            where=str(path),
            fix="pip install 'cyto-kedro[bio]', or convert the file to OME-TIFF or "
            "OME-Zarr (bioformats2raw, Fiji)",
        ) from exc
    try:
        image = BioImage(str(path), reader=reader)
        _ = image.scenes  # the readers look into the file only now
    except Exception as exc:
        raise InputError(
            f"The file cannot be read as {path.suffix.upper().lstrip('.')}: "
            f"{type(exc).__name__}: {exc}",
            where=str(path),
            fix="open it in the microscope's software; if that fails too, copy it "
            "again from its source",
        ) from exc
    return image


def select_scene(image: BioImage, scene: str | int | None, path: Path) -> None:
    """Make one position of the file the current one.

    Raises:
        InputError: There is no such scene, or it is not made of channels.
    """
    image.set_scene(pick_scene(list(image.scenes), scene, str(path)))
    if why := no_movie(image):
        raise InputError(
            f"The image '{image.current_scene}' {why}",
            where=str(path),
            fix="choose an image of XY planes with 'scene' of the channels; export "
            "wavelengths that you need as channels",
        )


def no_movie(image: BioImage) -> str | None:
    """Why the current scene is not made of XY planes in channels, or None."""
    if _is_vertical(image):
        return "is made of vertical sections"
    scanned = [
        size for axis, size in _lif_sizes(image).items() if axis in _LIF_WAVELENGTHS
    ]
    if any(size > 1 for size in scanned):
        return f"scans {max(scanned)} wavelengths"
    return None


def bio_calibration(
    image: BioImage, channel: int, n_frames: int
) -> tuple[tuple[float, float] | None, float | None, tuple[float, ...] | None]:
    """Pixel size (row, column; um), interval (min) and times (min) of the scene."""
    size = image.physical_pixel_sizes
    pixel = (float(size.Y), float(size.X)) if size.Y and size.X else None
    if not _is_calibrated(image):
        pixel = None
    if _lif_scene(image) is not None:
        times = _lif_times(image, n_frames)
        return pixel, _lif_interval(image), times
    with _quiet_readers():
        times = frame_times(_stamps(image, channel), n_frames)
        step = getattr(image.reader, "time_interval", None)
    minutes = None if step is None else step.total_seconds() / 60
    return pixel, minutes or None, times


@contextmanager
def _quiet_readers() -> Iterator[None]:
    """Without the readers' tracebacks about times that a file does not state."""
    loggers = [logging.getLogger(package) for package in READERS.values()]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _is_calibrated(image: BioImage) -> bool:
    """Whether an ND2 file's pixel size is one: else its reader says 1 um."""
    described = image.reader.xarray_dask_data.attrs.get("unprocessed")
    if not isinstance(described, dict) or "metadata" not in described:
        return True
    channels = getattr(described["metadata"], "channels", None) or ()
    return all(all(one.volume.axesCalibrated[:2]) for one in channels)


def _stamps(image: BioImage, channel: int) -> list[tuple[int, float]]:
    """(frame, minutes) of the planes of one channel, as the reader lists them."""
    found: Any = getattr(image.reader, "acquisition_times", None)
    rows = found() if callable(found) else found
    return [
        (int(row.get("T", 0)), row["acquisition_time"].timestamp() / 60)
        for row in rows or []
        if row.get("C", channel) == channel
    ]


def _lif_scene(image: BioImage) -> ElementTree.Element | None:
    """Leica's description of the current scene; None for other files."""
    root = image.metadata
    if (
        not isinstance(root, ElementTree.Element)
        or root.tag != "LMSDataContainerHeader"
    ):
        return None
    scenes = [
        item for item in root.iter("Element") if item.find("Data/Image") is not None
    ]
    if len(scenes) != len(image.scenes):
        return None
    return scenes[image.current_scene_index]


def _lif_dimensions(image: BioImage) -> dict[str, ElementTree.Element]:
    scene = _lif_scene(image)
    found = [] if scene is None else scene.findall("Data/Image//DimensionDescription")
    return {str(item.get("DimID")): item for item in found}


def _lif_sizes(image: BioImage) -> dict[str, int]:
    dimensions = _lif_dimensions(image)
    return {
        axis: int(item.get("NumberOfElements", 1)) for axis, item in dimensions.items()
    }


def _is_vertical(image: BioImage) -> bool:
    """Whether Leica scanned other planes than XY."""
    found = _lif_dimensions(image)
    fastest = sorted(found, key=lambda axis: int(found[axis].get("BytesInc", 0)))
    return bool(found) and set(fastest[:2]) != {"1", "2"}


def _lif_interval(image: BioImage) -> float | None:
    time = _lif_dimensions(image).get(_LIF_TIME)
    steps = 0 if time is None else int(time.get("NumberOfElements", 1)) - 1
    if time is None or steps < 1 or time.get("Unit") != "s":
        return None
    return float(time.get("Length", 0)) / steps / 60 or None


def _lif_times(image: BioImage, n_frames: int) -> tuple[float, ...] | None:
    """Time stamps: one per plane and channel, the slowest axis last.

    They belong to frames only where time is the slowest axis.
    """
    scene, dimensions = _lif_scene(image), _lif_dimensions(image)
    node = None if scene is None else scene.find("Data/Image//TimeStampList")
    if node is None:
        node = None if scene is None else scene.find("Data//TimeStampList")
    stamps = (
        [int(text, 16) for text in (node.text or "").split()]
        if node is not None
        else []
    )
    slowest = max(
        dimensions, key=lambda a: int(dimensions[a].get("BytesInc", 0)), default=None
    )
    if slowest != _LIF_TIME or not stamps or len(stamps) % n_frames:
        return None
    per_frame = len(stamps) // n_frames
    first = stamps[0]
    return frame_times(
        (
            (number // per_frame, (stamp - first) / _FILETIME_PER_MIN)
            for number, stamp in enumerate(stamps)
        ),
        n_frames,
    )
