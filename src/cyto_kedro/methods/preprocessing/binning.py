"""Bins of pixels: detail that is noise to the registration need not be looked at."""

from __future__ import annotations

import numpy as np

# Frames of this size and smoothing are registered at half resolution: the detail that
# binning removes would not have counted, and it takes a quarter of the time.
_BINNED_FROM_PX = 512
_BINNED_SMOOTH_PX = 1.5


def fold_of(shape: tuple[int, ...], smooth_px: float) -> int:
    """Pixels per bin and axis, for (Y, X) frames whose finest detail is noise."""
    large = min(shape) >= _BINNED_FROM_PX
    return 2 if large and smooth_px >= _BINNED_SMOOTH_PX else 1


def binned(plane: np.ndarray, fold: int) -> np.ndarray:
    """float32 mean of ``fold`` x ``fold`` pixels; rows and columns over are left."""
    if fold == 1:
        return plane.astype(np.float32)
    height, width = (size // fold * fold for size in plane.shape)
    total = np.zeros((height // fold, width // fold), np.float32)
    for row in range(fold):
        for column in range(fold):
            total += plane[row:height:fold, column:width:fold]
    return total / np.float32(fold * fold)
