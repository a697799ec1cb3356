"""Creates and publishes OME-Zarr stores of TYX stacks.

One process writes all frames at once (:class:`OmeZarrDataset`). Several jobs may share
a staging store instead: each calls :func:`create_store` (the first one wins), writes
its own window (:func:`cyto_kedro.datasets.streaming.write_frames`), and the last calls
:func:`publish_store`. Chunk = frame, so that windows never share a chunk.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from cyto_kedro.core.atomic import STAGING_SUFFIX, publish
from cyto_kedro.core.errors import StorageError
from cyto_kedro.datasets.ngff import EVERY_FRAME_WRITTEN, lost_frames

if TYPE_CHECKING:
    import zarr
    from zarr.codecs import BloscCodec

    from cyto_kedro.datasets.object_zarr import Generation

Kind = Literal["image", "label"]
_LEVEL = "0"
_NGFF = "0.5"


def codec() -> BloscCodec:
    """Compression by measurement (``benchmarks/storage.py``).

    Zstandard saves another 5 % of an image at 1.5 to 2 times the time, and nothing
    worth having of round labels.
    """
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")


def create_store(
    path: Path,
    shape: Sequence[int],
    dtype: np.dtype | type,
    kind: Kind = "image",
    scale: tuple[float, float, float] | None = None,
    name: str | None = None,
) -> zarr.Array:
    """Create an empty OME-Zarr store, or open the one that somebody just created.

    Args:
        path: Folder of the store.
        shape: T, Y, X.
        dtype: Type of the pixels.
        kind: Image, or label image.
        scale: Minutes per frame, and row and column size in um, if known.
        name: Name of the image in its metadata; of a store made under a staging name,
            the final one. The folder's by default.

    Returns:
        The full-resolution array, open for writing.

    Raises:
        StorageError: Another store with another shape or dtype is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made privately and renamed into place whole: of many creators one wins, and none
    # ever sees a store without its metadata.
    private = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{STAGING_SUFFIX}")
    try:
        _describe(private, shape, dtype, _attributes(name or path.stem, kind, scale))
        if not _renamed(private, path):
            _check_same(path, shape, dtype)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return open_store(path)


def create_objects(
    stage: Generation,
    shape: Sequence[int],
    dtype: np.dtype | type,
    kind: Kind,
    scale: tuple[float, float, float] | None,
    name: str,
) -> zarr.Array:
    """As :func:`create_store`, in object storage."""
    from zarr.storage import MemoryStore

    written: dict[str, Any] = {}
    _describe(MemoryStore(written), shape, dtype, _attributes(name, kind, scale))
    # A group before its array.
    documents = {key: written[key].to_bytes() for key in sorted(written, key=len)}
    stage.describe(documents)
    return stage.array()


def open_store(path: Path) -> zarr.Array:
    """The full-resolution array of a store, open for writing frames."""
    import zarr

    group = zarr.open_group(path, mode="r+")
    array = cast("zarr.Array", group[_LEVEL])
    # A frame of zeros is written too: what has no chunk was never computed.
    return array.with_config({"write_empty_chunks": True})


def missing_frames(path: Path) -> list[int]:
    """Frames of a store that were not written yet."""
    return lost_frames(open_store(path), path)


def publish_store(stage: Path, final: Path) -> None:
    """Give a staging store its final name once all frames are in it.

    Raises:
        StorageError: Frames are missing.
    """
    missing = missing_frames(stage)
    if missing:
        raise StorageError(
            f"{len(missing)} frames were not written, the first is {missing[0]}",
            where=str(final),
            fix="run the jobs of these frames again",
        )
    publish(stage, final)


def _describe(
    store: Any, shape: Sequence[int], dtype: np.dtype | type, facts: dict[str, Any]
) -> None:
    """Write the metadata of an empty store."""
    import zarr

    group = zarr.open_group(store, mode="w", attributes=facts)
    group.create_array(
        _LEVEL,
        shape=tuple(shape),
        chunks=(1, *tuple(shape)[1:]),
        dtype=np.dtype(dtype),
        compressors=codec(),
        dimension_names=["t", "y", "x"],
        attributes={EVERY_FRAME_WRITTEN: True},
    )


def _renamed(private: Path, path: Path) -> bool:
    try:
        os.rename(private, path)
    except OSError:
        if not path.is_dir():
            raise
        return False
    return True


def _check_same(path: Path, shape: Sequence[int], dtype: np.dtype | type) -> None:
    array = open_store(path)
    if array.shape != tuple(shape) or array.dtype != np.dtype(dtype):
        raise StorageError(
            f"A store of {array.shape} {array.dtype} is there already, "
            f"{tuple(shape)} {np.dtype(dtype)} was to be written",
            where=str(path),
            fix="delete it",
        )


def _attributes(
    name: str, kind: Kind, scale: tuple[float, float, float] | None
) -> dict[str, Any]:
    axes: list[dict[str, str]] = [
        {"name": "t", "type": "time"},
        {"name": "y", "type": "space"},
        {"name": "x", "type": "space"},
    ]
    if scale is not None:
        for axis, unit in zip(
            axes, ("minute", "micrometer", "micrometer"), strict=True
        ):
            axis["unit"] = unit
    transform = {"type": "scale", "scale": list(scale or (1.0, 1.0, 1.0))}
    level = {"path": _LEVEL, "coordinateTransformations": [transform]}
    ome: dict[str, Any] = {
        "version": _NGFF,
        "multiscales": [{"name": name, "axes": axes, "datasets": [level]}],
    }
    if kind == "label":
        ome["image-label"] = {"version": _NGFF}
    return {"ome": ome}
