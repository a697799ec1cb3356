"""The objects of one label frame as horizontal runs, and what runs alone tell.

A run is a horizontal stretch of one label. A frame has a few ten thousand runs where it
has a million pixels, so everything that needs no intensities works on runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.core.errors import InputError

_LARGEST_LABEL = 2**32 - 1
# A look-up table of this many entries (16 MiB) costs less than a binary search.
_LOOKUP_LIMIT = 2**22


@dataclass(frozen=True)
class FrameObjects:
    """All N objects of a label frame, by ascending label.

    Attributes:
        ids: (N,) uint32 labels as they are in the mask.
        area_px: (N,) int64 pixels.
        bbox: (N, 4) int64 first row, first column, one past the last row and column.
        sums: (N, 5) int64 sums of y, x, y*y, x*x, x*y of the pixels, with y and x
            counted from the object's ``origin`` so that they stay small and exact.
        origin: (N, 2) int64 row and column of the object's first pixel.
        crossings: (N, 3) int64 boundary crossings of the pixel grid's lines along
            the rows, along the columns and along both diagonals.
        runs: (R, 3) int32 row, first column, one past the last column, grouped by
            object, rows ascending.
        first_run: (N + 1,) int64 where the runs of each object start.
    """

    ids: np.ndarray
    area_px: np.ndarray
    bbox: np.ndarray
    sums: np.ndarray
    origin: np.ndarray
    crossings: np.ndarray
    runs: np.ndarray
    first_run: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def centroids_px(self) -> np.ndarray:
        """(N, 2) float64 mean row and column of the pixels."""
        return self.origin + self.sums[:, :2] / self.area_px[:, np.newaxis]


def find_objects(labels: np.ndarray) -> FrameObjects:
    """Find the objects of a YX label frame; label 0 is background.

    Raises:
        InputError: The array holds no usable labels (dtype or values).
    """
    from cyto_kedro.methods.tabulation import _run_kernels

    plane = as_labels(labels)
    runs, run_labels = _run_kernels.find_runs(plane)
    ids = np.unique(run_labels)
    if len(ids) and ids[-1] < _LOOKUP_LIMIT:
        lookup = np.zeros(int(ids[-1]) + 1, np.int32)
        lookup[ids] = np.arange(len(ids), dtype=np.int32)
        index = lookup[run_labels]
    else:
        index = np.searchsorted(ids, run_labels).astype(np.int32)
    area, bbox, sums, origin, crossings = _run_kernels.measure_runs(
        runs, index, len(ids)
    )
    grouped, first_run = _run_kernels.group_runs(runs, index, len(ids))
    return FrameObjects(ids, area, bbox, sums, origin, crossings, grouped, first_run)


def as_labels(labels: np.ndarray) -> np.ndarray:
    """A label frame as contiguous writable uint32, the one type that kernels see.

    Raises:
        InputError: Not a 2D array of integers from 0 to 2^32 - 1.
    """
    plane = np.asarray(labels)
    if plane.ndim != 2 or plane.dtype.kind not in "biu":
        raise InputError(
            "Labels must be a 2D array of integers, not "
            f"{plane.ndim}D of type {plane.dtype}",
            fix="check the mask file, or run segmentation again",
        )
    if plane.dtype.kind == "i" or plane.dtype.itemsize > 4:
        low, high = (int(plane.min()), int(plane.max())) if plane.size else (0, 0)
        if low < 0 or high > _LARGEST_LABEL:
            raise InputError(
                f"Labels must lie in 0 to {_LARGEST_LABEL}, found {low} to {high}",
                fix="check the mask file, or run segmentation again",
            )
    return np.require(plane, np.uint32, ["C", "W"])
