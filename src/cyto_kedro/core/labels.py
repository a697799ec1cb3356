"""Label images of any integer type as the one type that the pipelines work with."""

from __future__ import annotations

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import as_frames, map_frames

_LARGEST = np.iinfo(np.uint32).max


def label_stack(stack: da.Array | np.ndarray, where: str) -> da.Array:
    """TYX integer labels (0 = background) as lazy uint32, ids as they are.

    Args:
        stack: TYX labels; frames are read only where their dtype leaves ids open.
        where: What the labels belong to, for messages.

    Raises:
        InputError: The dtype is no integer; on computing, a frame holds an id that is
            negative or above 2^32 - 1.
    """
    if stack.dtype.kind not in "iu":
        raise InputError(
            f"Masks must be integers (whole numbers), not {stack.dtype}",
            where=where,
            fix="export label images, one integer per cell, not probabilities",
        )
    if stack.dtype.kind == "u" and stack.dtype.itemsize <= 4:
        return as_frames(stack).astype(np.uint32, copy=False)

    def checked(plane: np.ndarray, frame: int) -> np.ndarray:
        low, high = (int(plane.min()), int(plane.max())) if plane.size else (0, 0)
        if low < 0 or high > _LARGEST:
            raise InputError(
                f"Labels are out of range: ids lie between 0 and {_LARGEST}, "
                f"found {low} to {high}",
                where=f"{where}, frame {frame}" if where else f"frame {frame}",
                fix="0 is background and every cell has a positive id",
            )
        return plane.astype(np.uint32)

    return map_frames(checked, stack, dtype=np.uint32, with_index=True)
