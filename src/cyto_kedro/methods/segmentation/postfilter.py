"""What every method's masks go through: holes, sizes, the border, ids."""

from __future__ import annotations

import numpy as np

from cyto_kedro.methods.segmentation.regions import fill_holes, number_kept


def clean_labels(
    labels: np.ndarray,
    pixel_area_um2: float,
    *,
    min_area_um2: float = 0.0,
    max_area_um2: float | None = None,
    exclude_border: bool = False,
    holes: bool = True,
) -> np.ndarray:
    """Drop cells that are too small, too large or cut by the field's border.

    Args:
        labels: YX integer masks, 0 = background, any ids.
        pixel_area_um2: Area of one pixel (um2).
        min_area_um2: Smaller cells are dropped (um2).
        max_area_um2: Larger cells are dropped (um2); None keeps them.
        exclude_border: Drop cells that touch the border.
        holes: Fill background enclosed by one cell first.

    Returns:
        YX uint32 masks, ids 1..n in the order of the ids given.
    """
    if holes:
        labels = fill_holes(labels)
    count, compact = _compacted(labels)
    area = np.bincount(compact.ravel(), minlength=count) * pixel_area_um2
    keep = (area > 0) & (area >= min_area_um2)
    if max_area_um2 is not None:
        keep &= area <= max_area_um2
    if exclude_border:
        for side in (compact[0], compact[-1], compact[:, 0], compact[:, -1]):
            keep[side] = False
    return number_kept(compact, keep)


def _compacted(labels: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of ids, and masks whose ids are below it; 0 stays 0."""
    highest = int(labels.max(initial=0))
    if highest < labels.size:
        return highest + 1, labels
    ids, compact = np.unique(labels, return_inverse=True)
    shift = int(ids[0] != 0)  # without background the first id must not become 0
    return len(ids) + shift, compact.reshape(labels.shape) + shift
