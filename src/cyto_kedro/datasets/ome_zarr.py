"""Images and label images as OME-Zarr, streamed frame by frame."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from kedro_datasets._typing import ImagePreview
from pydantic import ValidationError

from cyto_kedro.core.atomic import STAGING_SUFFIX, staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError, StorageError
from cyto_kedro.core.frames import as_frames, compute_frame
from cyto_kedro.core.labels import label_stack
from cyto_kedro.core.uri import OBJECTS, Place, Uri
from cyto_kedro.core.window import Window
from cyto_kedro.datasets.base import PathDataset
from cyto_kedro.datasets.ngff import read_ngff
from cyto_kedro.datasets.object_zarr import StoreAt, ZarrPlace, zarr_place
from cyto_kedro.datasets.preview import frame_preview
from cyto_kedro.datasets.store import (
    Kind,
    create_objects,
    create_store,
    missing_frames,
    publish_store,
)
from cyto_kedro.datasets.streaming import SaveStats, write_frames

_CALIBRATION = "calibration.json"
_CLAIMED = f".claimed{STAGING_SUFFIX}"


class OmeZarrDataset(PathDataset[da.Array | np.ndarray, da.Array]):
    """A TYX stack as OME-Zarr (NGFF 0.5 on Zarr 3), one chunk per frame.

    Saving computes a lazy stack frame by frame in threads, at most one frame in memory
    per thread; :attr:`last_save` then tells computing from writing. Loading is lazy. A
    store that somebody put there by hand (corrected masks) may have any NGFF version.

    Pixel size and frame interval are taken from ``calibration.json`` in the folder of
    the store or the one above, where the ingest pipeline writes it.

    Args:
        filepath: Folder of the store, or its URI in object storage.
        kind: ``image`` (any real dtype) or ``label`` (uint32, 0 = background).
        calibration: Calibration file to use instead.
        metadata: Free content for plugins.
        credentials: Access to the place of a URI.
    """

    data_type: str = "Image"
    remote = OBJECTS

    def __init__(
        self,
        filepath: str | Path,
        kind: Kind = "image",
        calibration: str | Path | None = None,
        metadata: dict[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        if kind not in ("image", "label"):
            raise ConfigError(
                f"kind: {kind} is neither image nor label", where=str(filepath)
            )
        super().__init__(filepath, metadata, credentials)
        self.kind: Kind = kind
        self.data_type = "Image" if kind == "image" else "Label"
        self.last_save: SaveStats | None = None
        self._calibration = None if calibration is None else Path(calibration)

    def load(self) -> da.Array:
        """The stack, one lazy chunk per frame.

        A label frame without a chunk has no cells, and a warning names it; an image
        frame without one is an error when it is computed.
        """
        store = self._objects.current() if self.place else self.path
        if self.kind == "image":
            return read_ngff(store, None, None).data
        # Zarr deletes the chunk of a frame whose cells were all erased by hand.
        raw = read_ngff(store, None, None, lost_is_empty=True)
        return label_stack(raw.data, raw.source)

    def save(self, data: da.Array | np.ndarray) -> None:
        """Compute and write all frames, then publish the store.

        Raises:
            InputError: Not a TYX stack, or labels are not uint32.
            FrameError: Computing a frame failed.
            StorageError: The store cannot be written.
        """
        stack = self._checked(data)
        if self.place is None:
            with staged(self.path) as stage:
                self._write(stack, stage)
            return
        new = self._objects.new()
        try:
            self._write(stack, new)
            self._objects.publish(new)
        except BaseException:
            # A killed run cannot tidy up; the next one that publishes does.
            with suppress(StorageError):
                self._objects.discard(new)
            raise

    def save_window(
        self, data: da.Array | np.ndarray, window: Window, stage: StoreAt
    ) -> None:
        """Compute and write the frames of one window into a shared staging store.

        Raises:
            InputError: Not a lazy TYX stack: its work would be done once per window.
            FrameError: Computing a frame failed.
            StorageError: The staging store holds another stack, or cannot be written.
        """
        if not isinstance(data, da.Array):
            raise InputError(
                "A node fanned out over frames must return a lazy stack",
                where=self.where,
                fix="build it with core.frames.map_frames, or take fan_out off this "
                "node in slurm.yml",
            )
        self._write(self._checked(data), stage, window)

    def staging(self, run_id: str, fingerprint: str) -> StoreAt:
        """The store in which the windows of one output of one run meet."""
        if self.place is not None:
            return self._objects.staging(run_id, fingerprint)
        name = f".{self.path.name}.{run_id}.{fingerprint[:12]}{STAGING_SUFFIX}"
        return self.path.with_name(name)

    def is_begun(self, stage: StoreAt) -> bool:
        """Whether somebody created a staging store."""
        return stage.is_dir() if isinstance(stage, Path) else bool(stage.listing())

    def is_complete(self, stage: StoreAt) -> bool:
        """Whether all frames of a staging store were written."""
        if isinstance(stage, Path):
            return stage.is_dir() and not missing_frames(stage)
        return self.is_begun(stage) and not stage.missing()

    def claim(self, stage: StoreAt, recover: bool = False) -> StoreAt | None:
        """Take a staging store if it is complete and nobody else has; else None.

        Args:
            stage: The staging store.
            recover: Take up the claim of somebody who died.
        """
        if not isinstance(stage, Path):
            whole = self.is_complete(stage)
            return stage if whole and (self._objects.claim(stage) or recover) else None
        claimed = stage.with_name(f"{stage.name[: -len(STAGING_SUFFIX)]}{_CLAIMED}")
        if recover and claimed.is_dir():
            return claimed
        if not self.is_complete(stage):
            return None
        try:
            os.rename(stage, claimed)
        except OSError:
            if stage.is_dir():
                raise
            return None
        return claimed

    def publish(self, stage: StoreAt) -> None:
        """Make a complete staging store the output.

        Raises:
            StorageError: Frames are missing.
        """
        if isinstance(stage, Path):
            publish_store(stage, self.path)
        else:
            self._objects.publish(stage)

    def preview(self) -> ImagePreview:
        """The middle frame as PNG."""
        stack = self.load()
        frame = compute_frame(stack, stack.shape[0] // 2)
        return ImagePreview(frame_preview(frame, self.kind == "label"))

    @property
    def _objects(self) -> ZarrPlace:
        if not isinstance(self.place, ZarrPlace):
            raise TypeError(f"{self.where} is on a disk")
        return self.place

    def _place(self, uri: Uri, credentials: Mapping[str, Any] | None) -> Place:
        return zarr_place(uri, credentials)

    def _write(
        self, stack: da.Array, stage: StoreAt, window: Window | None = None
    ) -> None:
        self.last_save = None
        facts = (stack.shape, stack.dtype, self.kind, self._scale(), self.address.stem)
        if isinstance(stage, Path):
            array = create_store(stage, *facts)
            self.last_save = write_frames(array, stack, window, where=self.where)
            return
        array = create_objects(stage, *facts)
        with self._objects.objects.told(self._objects.uri.path):
            self.last_save = write_frames(array, stack, window, where=self.where)

    def _checked(self, data: da.Array | np.ndarray) -> da.Array:
        if getattr(data, "ndim", None) != 3:
            raise InputError(
                f"Expected a TYX stack, got {getattr(data, 'shape', type(data))}",
                where=self.where,
            )
        kinds = "u" if self.kind == "label" else "uif"
        label_ok = self.kind == "image" or data.dtype == np.uint32
        if data.dtype.kind not in kinds or not label_ok:
            wanted = "uint32" if self.kind == "label" else "integers or floats"
            raise InputError(
                f"A store of kind {self.kind} takes {wanted}, not {data.dtype}",
                where=self.where,
                fix="cast in the node that makes it",
            )
        return as_frames(data)

    def _scale(self) -> tuple[float, float, float] | None:
        folders = [] if self.place else self.path.parents[:2]
        nearby = [folder / _CALIBRATION for folder in folders]
        chosen = [self._calibration] if self._calibration else nearby
        found = next((path for path in chosen if path.is_file()), None)
        if found is None:
            return None
        try:
            known = Calibration.model_validate_json(found.read_text("utf-8"))
        except ValidationError as exc:
            raise InputError(f"Not a calibration: {exc}", where=str(found)) from exc
        interval = known.frame_interval_min if known.n_frames > 1 else 1.0
        return interval, known.pixel_size_y_um, known.pixel_size_x_um

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.where, "kind": self.kind}
