"""Masks that somebody else made: checked frame by frame, ids kept."""

from __future__ import annotations

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import map_frames

_LARGEST = np.iinfo(np.uint32).max


def check_masks(
    masks: da.Array | np.ndarray, shape: tuple[int, int, int], where: str = ""
) -> da.Array:
    """The masks as a lazy uint32 stack with the ids they came with.

    Args:
        masks: TYX integer masks, 0 = background.
        shape: (T, Y, X) that the movie has.
        where: What the masks belong to, for messages.

    Returns:
        Lazy TYX uint32, one chunk per frame; ids are never renumbered.

    Raises:
        InputError: The masks are not integers or not of the movie's shape; on
            computing, a frame holds an id that is negative or above 2**32 - 1.
    """
    if masks.dtype.kind not in "ui":
        raise InputError(
            f"Masks must be whole numbers, one per cell, not {masks.dtype}",
            where=where,
            fix="export instance masks (label images), not probabilities or outlines",
        )
    if tuple(masks.shape) != tuple(shape):
        raise InputError(
            f"The masks have shape {tuple(masks.shape)}, the movie {tuple(shape)} "
            "(T, Y, X)",
            where=where,
            fix="give one mask image per analysed frame, of the image's size",
        )

    def cast(frame_masks: np.ndarray, frame: int) -> np.ndarray:
        low, high = int(frame_masks.min()), int(frame_masks.max())
        if low < 0 or high > _LARGEST:
            raise InputError(
                f"Mask ids must lie between 0 and {_LARGEST}; found {low} to {high}",
                where=f"{where}, frame {frame}" if where else f"frame {frame}",
                fix="0 is background and every cell has a positive id",
            )
        return frame_masks.astype(np.uint32)

    return map_frames(cast, masks, dtype=np.uint32, with_index=True)
