"""Pixel size and times in TIFF files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cyto_kedro.datasets.units import frame_times, to_min, to_um

if TYPE_CHECKING:
    from tifffile import TiffFile


@dataclass(frozen=True)
class Metadata:
    """What a file says; None where it does not.

    Attributes:
        pixel_size_um: (row, column).
        interval_min: Minutes per frame.
        times_min: Minutes of each frame after the first.
        channel_names: Names of the channels in file order.
    """

    pixel_size_um: tuple[float, float] | None = None
    interval_min: float | None = None
    times_min: tuple[float, ...] | None = None
    channel_names: tuple[str | None, ...] = ()


def calibration_of(
    tif: TiffFile, series: int = 0, channel: int = 0, n_frames: int = 1
) -> Metadata:
    """Pixel size, times and channel names from OME-XML or ImageJ's description.

    The resolution tags of other TIFFs are printing resolutions (72 dpi): not used.

    Args:
        tif: Open file.
        series: Number of the image in the file.
        channel: Whose time stamps are taken.
        n_frames: Number of frames of the image.
    """
    if tif.is_ome and tif.ome_metadata:
        return _ome_metadata(tif.ome_metadata, series, channel, n_frames)
    if tif.is_imagej and tif.imagej_metadata:
        return _imagej_metadata(tif)
    return Metadata()


def _ome_metadata(xml: str, series: int, channel: int, n_frames: int) -> Metadata:
    images = ElementTree.fromstring(xml).findall(".//{*}Image/{*}Pixels")
    if series >= len(images):
        return Metadata()
    pixels = images[series]

    def value(name: str, default_unit: str) -> tuple[str | None, str]:
        return pixels.get(name), pixels.get(f"{name}Unit", default_unit)

    y, x = to_um(*value("PhysicalSizeY", "um")), to_um(*value("PhysicalSizeX", "um"))
    return Metadata(
        None if y is None or x is None else (y, x),
        to_min(*value("TimeIncrement", "s")),
        _ome_times(pixels, channel, n_frames),
        tuple(c.get("Name") for c in pixels.findall("{*}Channel")),
    )


def _ome_times(
    pixels: ElementTree.Element, channel: int, n_frames: int
) -> tuple[float, ...] | None:
    """Time stamps (DeltaT) of one channel, the earliest plane of each frame."""
    stamps: list[tuple[int, float]] = []
    for plane in pixels.findall("{*}Plane"):
        if plane.get("TheC", "0") != str(channel) or plane.get("DeltaT") is None:
            continue
        delta = float(str(plane.get("DeltaT")))
        # The stamp of the first frame is usually 0, which is no interval.
        minutes = to_min(delta, plane.get("DeltaTUnit", "s")) if delta > 0 else delta
        if minutes is not None:
            stamps.append((int(plane.get("TheT", "0")), minutes))
    return frame_times(stamps, n_frames)


def _imagej_metadata(tif: TiffFile) -> Metadata:
    facts = tif.imagej_metadata or {}
    tags = tif.pages.first.tags

    def spacing(tag: str, unit: str | None) -> float | None:
        entry = tags.get(tag)
        numerator, denominator = entry.value if entry is not None else (0, 1)
        return to_um(denominator / numerator, unit) if numerator else None

    unit = facts.get("unit")
    x = spacing("XResolution", unit)
    y = spacing("YResolution", facts.get("yunit", unit))
    interval = to_min(facts.get("finterval"), facts.get("tunit", "sec"))
    return Metadata(None if y is None or x is None else (y, x), interval)
