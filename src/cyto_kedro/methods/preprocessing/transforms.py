"""Shifts: fill gaps, find the valid field, move a frame.

A shift ``(dy, dx)`` in pixels says how far a frame has to be moved to lie on the
reference: the pixel shown at ``(y, x)`` comes from ``(y - dy, x - dx)`` of the frame.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from cyto_kedro.methods.preprocessing.spectra import Shift

Interpolation = Literal["nearest", "linear", "cubic"]
Rectangle = tuple[int, int, int, int]

DECIMALS = 3  # shifts are stated to 1/1000 px, so that 0 stays exactly 0


def fill_untrusted(shifts: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Replace the shifts of frames that could not be registered.

    Args:
        shifts: (T, N) shifts in px; any columns that are 0 for a frame at rest.
        trusted: (T,) bool.

    Returns:
        (T, N) shifts, linear in the frame number between trusted neighbours and
        constant beyond the first and the last; zero if no frame is trusted.
    """
    if not trusted.any():
        return np.zeros_like(shifts)
    frames = np.arange(len(shifts))
    columns = [np.interp(frames, frames[trusted], c[trusted]) for c in shifts.T]
    return np.stack(columns, axis=1)


def valid_rectangle(shift: Shift, shape: tuple[int, int]) -> Rectangle:
    """(y0, y1, x0, x1) of the pixels that have data after the shift, end excluded.

    All zero if the frame was moved out of the field.
    """
    bounds: list[int] = []
    for exact, size in zip(shift, shape, strict=True):
        distance = round(exact, DECIMALS)
        start = max(0, int(np.ceil(distance)))
        stop = min(size, int(np.floor(size - 1 + distance)) + 1)
        if stop <= start:
            return 0, 0, 0, 0
        bounds += [start, stop]
    y0, y1, x0, x1 = bounds
    return y0, y1, x0, x1


def moved(plane: np.ndarray, shift: Shift, interpolation: Interpolation) -> np.ndarray:
    """The valid rectangle of a frame after its shift.

    A whole-pixel shift copies pixels whatever the interpolation.

    Args:
        plane: YX image.
        shift: (dy, dx) in px.
        interpolation: ``nearest`` keeps the pixel values, ``linear`` is fast and
            smooths a little, ``cubic`` (B-spline) keeps fine detail and may
            overshoot at edges.

    Returns:
        Array of the size of :func:`valid_rectangle`; float32 (float64 for input of
        more than 16 integer or 32 float bits) where interpolated, else the dtype
        of ``plane``.
    """
    height, width = plane.shape
    y0, y1, x0, x1 = valid_rectangle(shift, (height, width))
    if y1 == y0:
        return plane[:0, :0]
    dy, dx = (round(distance, DECIMALS) for distance in shift)
    if interpolation == "nearest" or (dy == round(dy) and dx == round(dx)):
        rows, columns = round(dy), round(dx)
        return plane[y0 - rows : y1 - rows, x0 - columns : x1 - columns]
    work = plane.astype(float_type(plane.dtype), copy=False)
    if interpolation == "cubic":
        from scipy import ndimage

        return ndimage.shift(work, (dy, dx), order=3, mode="mirror")[y0:y1, x0:x1]
    along_y = _lerp(work, y0 - dy, y1 - y0, axis=0)
    return _lerp(along_y, x0 - dx, x1 - x0, axis=1)


def _lerp(plane: np.ndarray, start: float, length: int, axis: int) -> np.ndarray:
    """Samples at ``start, start + 1, ...`` along one axis, linear in between."""
    first = int(np.floor(start))
    weight = plane.dtype.type(start - first)
    low = plane.take(range(first, first + length), axis=axis)
    if weight == 0:
        return low
    high = plane.take(range(first + 1, first + 1 + length), axis=axis)
    high -= low
    high *= weight
    low += high
    return low


def float_type(dtype: np.dtype) -> type[np.floating]:
    """What pixels of a dtype are interpolated in: float32 where it holds them."""
    wide = dtype.itemsize > (4 if dtype.kind == "f" else 2)
    return np.float64 if wide else np.float32
