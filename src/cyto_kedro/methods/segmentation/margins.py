"""Margins without data, as registration leaves them, are no part of the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# A real background is not exactly zero all along a line; a filled margin ends sharply.
_FILLED_LINE = 0.99
_LEAST_FIELD = 0.5


def within_data(
    segment: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """Let a function from image to masks see only the rectangle that has data.

    A step from nothing to background would pass for the edge of a cell. The masks
    returned have the full frame's shape, with background in the margins.
    """

    def inside(image: np.ndarray) -> np.ndarray:
        rows, columns = data_rectangle(image)
        part = segment(image[rows, columns])
        if part.shape == image.shape:
            return part
        masks = np.zeros(image.shape, part.dtype)
        masks[rows, columns] = part
        return masks

    return inside


def data_rectangle(image: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns left when lines of exact zeros are cut from the borders.

    The whole frame if what is left does not look like a field of view: less than half
    of the frame, or with zeros along its own border (cells on a background that was
    subtracted).
    """
    whole = slice(0, image.shape[0]), slice(0, image.shape[1])
    filled = image != 0
    lines = [np.flatnonzero(filled.any(axis=axis)) for axis in (1, 0)]
    if not lines[0].size:
        return whole
    rows, columns = (slice(int(n[0]), int(n[-1]) + 1) for n in lines)
    part = filled[rows, columns]
    border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    if part.size < _LEAST_FIELD * image.size or border.mean() < _FILLED_LINE:
        return whole
    return rows, columns
