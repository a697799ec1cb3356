"""What a file says about the movies in it, without reading pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cyto_kedro.core.errors import InputError
from cyto_kedro.datasets.bio import READERS, no_movie, open_bio
from cyto_kedro.datasets.ngff import images_of, is_zarr
from cyto_kedro.datasets.tiff import SUFFIXES
from cyto_kedro.datasets.tiff_metadata import calibration_of


@dataclass(frozen=True)
class SceneFacts:
    """One image (position) of a file.

    Attributes:
        name: As the file calls it; its number where that is not unique.
        sizes: Axis letter to length.
        channels: Names in file order; None where the file has none.
        many: Whether the file holds further images.
        no_movie: Why it cannot be read as one; None: it can.
    """

    name: str
    sizes: dict[str, int]
    channels: tuple[str | None, ...]
    many: bool
    no_movie: str | None = None


def is_movie(path: Path) -> bool:
    """Whether the name is that of a file or store that is read here."""
    if path.is_dir():
        return is_zarr(path)
    return path.suffix.lower() in (*SUFFIXES, *READERS)


def scenes_of(path: Path) -> list[SceneFacts]:
    """All images of a file.

    Raises:
        InputError: It cannot be read.
    """
    if path.is_dir():
        found = _zarr(path)
    elif path.suffix.lower() in READERS:
        found = _bio(path)
    else:
        found = _tiff(path)
    names = [name for name, *_ in found]
    return [
        SceneFacts(
            name if name and names.count(name) == 1 else str(number),
            sizes,
            tuple(
                (*channels, *[None] * sizes.get("C", 1))[: sizes.get("C", 1)],
            ),
            len(found) > 1,
            why,
        )
        for number, (name, sizes, channels, why) in enumerate(found)
    ]


_Found = list[tuple[str, dict[str, int], tuple[str | None, ...], str | None]]


def _bio(path: Path) -> _Found:
    image, found = open_bio(path), []
    for name in image.scenes:
        image.set_scene(name)
        sizes = {axis: int(getattr(image.dims, axis)) for axis in image.dims.order}
        channels = tuple(str(channel) for channel in image.channel_names or ())
        found.append((str(name), sizes, channels, no_movie(image)))
    return cast("_Found", found)


def _tiff(path: Path) -> _Found:
    from tifffile import TiffFile, TiffFileError

    try:
        with TiffFile(path) as tif:
            return [
                (
                    series.name,
                    # An axis without a name is time, as for reading.
                    {
                        ("T" if axis in "QI" else axis): int(size)
                        for axis, size in zip(series.axes, series.shape, strict=True)
                    },
                    calibration_of(tif, number).channel_names,
                    None,
                )
                for number, series in enumerate(tif.series)
            ]
    except (OSError, TiffFileError, ValueError) as exc:
        raise InputError(
            f"The file cannot be read as TIFF: {exc}", where=str(path)
        ) from exc


def _zarr(path: Path) -> _Found:
    import zarr

    root = zarr.open_group(path, mode="r")
    names = images_of(root) if "0" in set(root.group_keys()) else {"": ""}
    found: _Found = []
    for key, name in names.items():
        group = cast("zarr.Group", root[key]) if key else root
        attributes: dict[str, Any] = dict(group.attrs)
        facts: dict[str, Any] = attributes.get("ome", attributes)
        if "multiscales" not in facts:
            raise InputError("The store is no OME-Zarr image", where=str(path))
        image = facts["multiscales"][0]
        axes = [a if isinstance(a, str) else a["name"] for a in image["axes"]]
        shape = cast("zarr.Array", group[image["datasets"][0]["path"]]).shape
        sizes = {str(a)[0].upper(): n for a, n in zip(axes, shape, strict=True)}
        described = facts.get("omero", attributes.get("omero", {})).get("channels", [])
        labels = tuple(c.get("label") for c in described)
        found.append((name, sizes, labels, None))
    return found
