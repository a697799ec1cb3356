"""Stacks whose planes are read one at a time, when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import CytoError, InputError


class PlaneStack:
    """A TYX array-like over a function that reads one YX plane.

    Args:
        shape: T, Y, X.
        dtype: Type of the planes.
        read: Returns the plane of a frame; called from several threads.
        source: File or folder, for messages.
    """

    ndim = 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: np.dtype,
        read: Callable[[int], np.ndarray],
        source: str,
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype).newbyteorder("=")
        self._read, self._source = read, source

    def __getitem__(self, key: tuple[Any, Any, Any]) -> np.ndarray:
        frames, rows, columns = key
        picked = np.arange(self.shape[0])[frames]
        if picked.ndim == 0:
            return self._plane(int(picked))[rows, columns]
        planes = [self._plane(int(t))[rows, columns] for t in picked]
        return planes[0][np.newaxis] if len(planes) == 1 else np.stack(planes)

    def _plane(self, frame: int) -> np.ndarray:
        try:
            plane = np.asarray(self._read(frame))
            if plane.shape != self.shape[1:]:
                raise ValueError(f"it has shape {plane.shape}, not {self.shape[1:]}")
        except CytoError:
            raise
        except Exception as exc:
            raise InputError(
                f"A frame cannot be read: {type(exc).__name__}: {exc}",
                where=f"{self._source}, frame {frame}",
                fix="the file is damaged or incomplete: copy it again from its source",
            ) from exc
        return plane.astype(self.dtype, copy=False)

    def lazy(self) -> da.Array:
        """The stack as a dask array with one chunk per frame."""
        _, height, width = self.shape
        return da.from_array(
            self,
            chunks=(1, height, width),
            name=False,
            fancy=False,
            meta=np.empty((0, 0, 0), self.dtype),
        )
