"""Pixel size and frame interval in TIFF files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cyto_kedro.datasets.units import to_min, to_um

if TYPE_CHECKING:
    from tifffile import TiffFile

#: (row, column) pixel size in um, minutes per frame; None where the file does not say.
Metadata = tuple[tuple[float, float] | None, float | None]


def calibration_of(tif: TiffFile) -> Metadata:
    """Pixel size (um) and frame interval (min) from OME-XML or ImageJ's description.

    The resolution tags of other TIFFs are printing resolutions (72 dpi): not used.
    """
    if tif.is_ome and tif.ome_metadata:
        return _ome_metadata(tif.ome_metadata)
    if tif.is_imagej and tif.imagej_metadata:
        return _imagej_metadata(tif)
    return None, None


def _ome_metadata(xml: str) -> Metadata:
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    if pixels is None:
        return None, None

    def value(name: str, default_unit: str) -> tuple[str | None, str]:
        return pixels.get(name), pixels.get(f"{name}Unit", default_unit)

    y, x = to_um(*value("PhysicalSizeY", "um")), to_um(*value("PhysicalSizeX", "um"))
    interval = to_min(*value("TimeIncrement", "s"))
    return (None if y is None or x is None else (y, x)), interval


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
    return (None if y is None or x is None else (y, x)), interval
