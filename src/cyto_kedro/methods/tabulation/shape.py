"""Position and shape columns from the sums over an object's runs."""

from __future__ import annotations

import numpy as np

# Principal moments of collinear pixels differ from 0 by rounding alone.
_FLAT = 1e-12


def shape_columns(
    bbox: np.ndarray,
    area_px: np.ndarray,
    sums: np.ndarray,
    origin: np.ndarray,
    crossings: np.ndarray,
    feret_um: np.ndarray,
    spacing_um: tuple[float, float],
) -> dict[str, np.ndarray]:
    """Columns of DETECTIONS that need no image, for N objects of any frames.

    Args:
        bbox, area_px, sums, origin, crossings: As in
            :class:`~cyto_kedro.methods.tabulation.objects.FrameObjects`.
        feret_um: (N,) largest distance of two pixel centres (um).
        spacing_um: (row, column) pixel size (um).

    Returns:
        Arrays of length N by column name. ``i, j`` are the mean row and column (px) of
        the pixel centres; physical positions are these times the spacing, with the
        centre of the first pixel at 0, as in ITK.
    """
    dy, dx = spacing_um
    row, column = (origin + sums[:, :2] / area_px[:, np.newaxis]).T
    area_um2 = area_px * (dy * dx)
    around = perimeter_um(crossings, spacing_um)
    longest = elongation(area_px, sums, spacing_um)
    first_y, first_x, stop_y, stop_x = bbox.T
    return {
        "y": row * dy,
        "x": column * dx,
        "bbox_xstart": first_x * dx,
        "bbox_ystart": first_y * dy,
        "bbox_xsize": (stop_x - first_x) * dx,
        "bbox_ysize": (stop_y - first_y) * dy,
        "i": row,
        "j": column,
        "bbox_istart": first_y,
        "bbox_jstart": first_x,
        "bbox_isize": stop_y - first_y,
        "bbox_jsize": stop_x - first_x,
        "size": area_um2,
        "elongation": longest,
        "flatness": longest,
        "roundness": 2.0 * np.sqrt(np.pi * area_um2) / around,
        "feret_diameter": feret_um,
        "feret_radius": feret_um / 2.0,
        "perimeter": around,
        "y_um": row * dy,
        "x_um": column * dx,
        "area_px": area_px,
        "area_um2": area_um2,
    }


def crofton_weights(spacing_um: tuple[float, float]) -> tuple[float, float, float]:
    """Boundary length (um) that one crossing of a grid line stands for.

    Lines along the rows lie ``dy`` apart, along the columns ``dx`` and along the
    diagonals ``dy dx / hypot(dy, dx)``; the Cauchy-Crofton formula averages the four
    directions with equal weight, as ITK's label shape filter does (Lehmann & Legland,
    Insight Journal 2012, "Efficient N-dimensional surface estimation using Crofton
    formula and run-length encoding", hdl.handle.net/10380/3342). A disc is estimated
    without bias at any spacing.

    Returns:
        Weights of crossings along rows, along columns, along diagonals.
    """
    dy, dx = spacing_um
    share = np.pi / 8.0
    return share * dy, share * dx, share * dy * dx / float(np.hypot(dy, dx))


def perimeter_um(crossings: np.ndarray, spacing_um: tuple[float, float]) -> np.ndarray:
    """(N,) perimeter (um): pi/4 (Nx/2 + Ny/2 + Ndiag/(2 sqrt 2)) for square pixels."""
    return np.asarray(crossings @ np.asarray(crofton_weights(spacing_um)))


def elongation(
    area_px: np.ndarray, sums: np.ndarray, spacing_um: tuple[float, float]
) -> np.ndarray:
    """(N,) square root of the ratio of the principal moments of the pixel centres.

    NaN where the smaller moment is 0: one pixel, or pixels on one line.
    """
    dy, dx = spacing_um
    my, mx, yy, xx, xy = (sums / area_px[:, np.newaxis]).T
    vyy = (yy - my * my) * dy * dy
    vxx = (xx - mx * mx) * dx * dx
    vxy = (xy - my * mx) * dy * dx
    middle = (vyy + vxx) / 2.0
    spread = np.hypot((vyy - vxx) / 2.0, vxy)
    large = middle + spread
    small = middle - spread
    flat = ~(small > _FLAT * large)
    return np.sqrt(np.where(flat, np.nan, large) / np.where(flat, 1.0, small))
