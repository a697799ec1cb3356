"""From a path in `globals.yml` to a lazily read channel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.datasets.bio import READERS, read_bio
from cyto_kedro.datasets.ngff import is_zarr, read_ngff
from cyto_kedro.datasets.tiff import SUFFIXES, read_tiff, read_tiff_sequence

_REAL = "uif"


def files_of(path: Path) -> list[Path]:
    """The file, the Zarr folder, or the files that a glob or a folder stands for."""
    if path.is_file() or (path.is_dir() and is_zarr(path)):
        return [path]
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    return sorted(path.parent.glob(path.name)) if path.parent.is_dir() else []


def read_stack(
    path: Path,
    index: int | None,
    axes: str | None,
    scene: str | int | None = None,
    z: int | Literal["max"] | None = None,
) -> RawChannel:
    """Open a channel; pixels are read when they are computed.

    Args:
        path: A TIFF, a glob or folder of one-frame TIFFs, an OME-Zarr folder, or a
            microscope file (ND2, CZI, LIF).
        index: Channel of a multi-channel file.
        axes: Axis letters where the file does not say.
        scene: Name or number of the image, where the file holds several.
        z: Plane of a Z stack, or ``max`` for the maximum projection.

    Raises:
        InputError: Nothing is there, or it cannot be used.
    """
    files = files_of(path)
    if not files:
        raise InputError(
            "There is no such file",
            where=str(path),
            fix="check data_root, dataset and 'files' of the channel in globals.yml",
        )
    _check_format(files)
    if files[0].is_dir():
        raw = read_ngff(files[0], index, axes, scene=scene, z=z)
    elif files[0].suffix.lower() in READERS:
        raw = read_bio(files[0], index, axes, scene, z)
    elif len(files) == 1:
        raw = read_tiff(files[0], index, axes, scene, z)
    else:
        raw = read_tiff_sequence(files, index, axes, str(path), z)
    if 0 in raw.data.shape:
        raise InputError(f"The image is empty: {raw.data.shape}", where=str(path))
    if raw.data.dtype.kind not in _REAL:
        raise InputError(
            f"Pixels of type {raw.data.dtype} are not intensities",
            where=str(path),
            fix="export an 8-, 16- or 32-bit integer or a float image",
        )
    return raw


def _check_format(files: list[Path]) -> None:
    for path in files:
        tiff = path.is_file() and path.suffix.lower() in SUFFIXES
        single = path.is_dir() or path.suffix.lower() in READERS
        if not tiff and not (len(files) == 1 and single):
            raise InputError(
                f"'{path.suffix or path.name}' is not a format that is read here",
                where=str(path),
                fix="give an ND2, CZI or LIF file, or convert it to OME-TIFF or "
                "OME-Zarr (bioformats2raw, Fiji)",
            )
