"""One frame's transform beyond a shift: a linear part and a smooth field.

The content at ``p`` of a frame lies on the reference at the ``q`` that solves::

    q - u(q) = c + A (p - c) + d

with ``c`` the centre of the image, ``A`` the linear part (rotation, scale, shear),
``d`` the shift and ``u`` the field, which lives on the reference. Positions are (y, x)
in px. The pixel shown at ``q`` is read at ``p = c + A^-1 (q - u(q) - c - d)``,
without any inversion of the field.

A field is stated at the nodes of a coarse grid and interpolated by the natural cubic
spline through them, along y and then along x; beyond the outer nodes it stays constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cyto_kedro.methods.preprocessing.spectra import Shift
from cyto_kedro.methods.preprocessing.transforms import (
    Interpolation,
    Rectangle,
    float_type,
    moved,
    valid_rectangle,
)

Matrix = tuple[tuple[float, float], tuple[float, float]]
Shape = tuple[int, int]

IDENTITY: Matrix = ((1.0, 0.0), (0.0, 1.0))
_INSIDE_PX = 1e-4  # tables round to 1/1000 px: the border itself counts as inside


@dataclass(frozen=True)
class Field:
    """A smooth displacement.

    Attributes:
        y_px: (N,) rows of the nodes, increasing.
        x_px: (M,) columns of the nodes, increasing.
        values: (N, M, 2) dy, dx in px.
    """

    y_px: np.ndarray
    x_px: np.ndarray
    values: np.ndarray

    def at(self, shape: Shape) -> np.ndarray:
        """(2, Y, X) displacement of every pixel of the reference."""
        rows = spline_matrix(tuple(self.y_px.tolist()), shape[0])
        columns = spline_matrix(tuple(self.x_px.tolist()), shape[1])
        return rows @ np.moveaxis(self.values, 2, 0) @ columns.T

    @classmethod
    def fitted(cls, displacement: np.ndarray, nodes: tuple[np.ndarray, ...]) -> Field:
        """The field nearest to a (2, Y, X) displacement in the least-squares sense."""
        _, height, width = displacement.shape
        rows = spline_matrix(tuple(nodes[0].tolist()), height)
        columns = spline_matrix(tuple(nodes[1].tolist()), width)
        values = np.linalg.pinv(rows) @ displacement @ np.linalg.pinv(columns).T
        return cls(nodes[0], nodes[1], np.moveaxis(values, 0, 2))


@dataclass(frozen=True)
class Transform:
    """How one frame is moved onto the reference; by default not at all.

    Attributes:
        shift: (dy, dx) of the image's centre, in px.
        linear: 2 x 2 matrix ``A`` for (y, x), about the centre.
        field: Displacement on the reference after the rest.
    """

    shift: Shift = (0.0, 0.0)
    linear: Matrix = IDENTITY
    field: Field | None = None

    @property
    def is_shift(self) -> bool:
        """Nothing but a translation."""
        return self.linear == IDENTITY and self.field is None

    def forward(self, points: np.ndarray, shape: Shape) -> np.ndarray:
        """(N, 2) places in the frame -> on the reference, the field left out."""
        middle = centre(shape)
        matrix = np.asarray(self.linear)
        return np.asarray((points - middle) @ matrix.T + middle + self.shift)

    def sources(self, shape: Shape) -> np.ndarray:
        """(2, Y, X) place in the frame of each pixel of the reference."""
        (cy, cx), (dy, dx) = centre(shape), self.shift
        rows = np.arange(shape[0])[:, None] - (cy + dy)
        columns = np.arange(shape[1])[None, :] - (cx + dx)
        target = np.stack(np.broadcast_arrays(rows, columns))
        if self.field is not None:
            target = target - self.field.at(shape)
        inverse = np.linalg.inv(np.asarray(self.linear))
        found = np.tensordot(inverse, target, axes=1)
        found += np.array([cy, cx])[:, None, None]
        return np.asarray(found)

    def then(self, shift: Shift) -> Transform:
        """This transform followed by a shift, for a first guess.

        A field is kept where it was: exact only for a field that does not change over
        the distance of the shift.
        """
        dy, dx = self.shift
        return Transform((dy + shift[0], dx + shift[1]), self.linear, self.field)

    def enlarged(self, fold: int, small: Shape, shape: Shape) -> Transform:
        """The same transform for frames of ``shape``, of which bins were looked at.

        Args:
            fold: Pixels per bin and axis.
            small: (Y, X) of the binned frames.
            shape: (Y, X) of the frames; rows and columns over were left out.
        """
        if fold == 1:
            return self
        matrix = np.asarray(self.linear)
        # Bins leave out the last row of an odd number: their centre is another one.
        off = (np.asarray(small) * fold - np.asarray(shape)) / 2
        shift = np.asarray(self.shift) * fold + (np.eye(2) - matrix) @ off
        field = self.field
        if field is not None:
            y, x = (n * fold + (fold - 1) / 2 for n in (field.y_px, field.x_px))
            field = Field(y, x, field.values * fold)
        return Transform((float(shift[0]), float(shift[1])), self.linear, field)


def centre(shape: Shape) -> np.ndarray:
    """(y, x) of the middle of the image, in px."""
    return (np.asarray(shape, np.float64) - 1) / 2


def grid_nodes(shape: Shape, spacing_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced nodes from the first to the last pixel of each axis."""
    rows, columns = (
        np.linspace(0, size - 1, max(2, round((size - 1) / spacing_px) + 1))
        for size in shape
    )
    return rows, columns


@lru_cache(maxsize=16)
def spline_matrix(nodes: tuple[float, ...], size: int) -> np.ndarray:
    """(size, N) weights of the values at the nodes for every pixel of an axis."""
    from scipy.interpolate import CubicSpline

    count = len(nodes)
    if count == 1:
        return np.ones((size, 1))
    places = np.clip(np.arange(size), nodes[0], nodes[-1])
    weights = CubicSpline(nodes, np.eye(count), bc_type="natural")(places)
    return np.asarray(weights)


def as_matrix(values: np.ndarray) -> Matrix:
    """A 2 x 2 array as a tuple."""
    (yy, yx), (xy, xx) = values.tolist()
    return (yy, yx), (xy, xx)


def warped(
    plane: np.ndarray, transform: Transform, interpolation: Interpolation
) -> tuple[np.ndarray, Rectangle]:
    """The valid rectangle of a moved frame, and where it lies.

    Args:
        plane: YX image.
        transform: How the frame is moved.
        interpolation: As for :func:`transforms.moved`, which does pure shifts.

    Returns:
        The pixels, and (y0, y1, x0, x1) of the largest rectangle in which each of them
        comes from inside the frame.
    """
    height, width = plane.shape
    if transform.is_shift:
        rectangle = valid_rectangle(transform.shift, (height, width))
        return moved(plane, transform.shift, interpolation), rectangle
    places = transform.sources((height, width))
    y0, y1, x0, x1 = rectangle = _rectangle(places)
    places = places[:, y0:y1, x0:x1]
    limits = np.array([height - 1, width - 1])[:, None, None]
    if interpolation == "nearest":
        rows, columns = np.clip(np.rint(places).astype(np.intp), 0, limits)
        return plane[rows, columns], rectangle
    from scipy import ndimage

    work = plane.astype(float_type(plane.dtype), copy=False)
    order, mode = (1, "nearest") if interpolation == "linear" else (3, "mirror")
    places = np.clip(places, 0, limits)
    return ndimage.map_coordinates(work, places, order=order, mode=mode), rectangle


def valid_area(transform: Transform, shape: Shape) -> Rectangle:
    """(y0, y1, x0, x1) of the rectangle of :func:`warped`; all zero if it is empty."""
    if transform.is_shift:
        return valid_rectangle(transform.shift, shape)
    return _rectangle(transform.sources(shape))


def _rectangle(places: np.ndarray) -> Rectangle:
    """Largest rectangle whose pixels all come from inside the frame."""
    from cyto_kedro.methods.preprocessing import _kernels

    _, height, width = places.shape
    inside = np.ones((height, width), bool)
    for place, size in zip(places, (height, width), strict=True):
        inside &= (place >= -_INSIDE_PX) & (place <= size - 1 + _INSIDE_PX)
    y0, y1, x0, x1 = _kernels.largest_rectangle(inside)
    return int(y0), int(y1), int(x0), int(x1)
