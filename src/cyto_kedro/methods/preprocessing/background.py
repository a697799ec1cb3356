"""Background of a frame: what to subtract so that empty areas are near zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.preprocessing.percentiles import array_percentiles


class ConstantBackground(Params):
    """The camera offset, or a value measured in an empty well."""

    name: Literal["constant"] = "constant"
    value: float = Field(ge=0, description="intensity to subtract (grey values)")


class PercentileBackground(Params):
    """One value per frame: follows bleaching and lamp flicker."""

    name: Literal["percentile"] = "percentile"
    percent: float = Field(
        default=20.0, ge=0, le=100, description="percentile of the frame's pixels (%)"
    )


class GaussianBackground(Params):
    """A strongly blurred copy: uneven illumination under sparse cells."""

    name: Literal["gaussian"] = "gaussian"
    sigma_px: float = Field(
        default=50.0, gt=0, le=2000, description="blur; several cell diameters (px)"
    )


class TophatBackground(Params):
    """Morphological opening: keeps what is smaller than the square."""

    name: Literal["tophat"] = "tophat"
    size_px: int = Field(
        default=61, ge=3, le=2001, description="side; above the largest cell (px)"
    )
    smooth_px: float = Field(
        default=2.0,
        ge=0,
        le=50,
        description="blur before the opening, lest it follow the darkest noise (px)",
    )


class RollingBallBackground(Params):
    """Rolling ball (Sternberg 1983, doi:10.1109/MC.1983.1654163), as in ImageJ."""

    name: Literal["rolling_ball"] = "rolling_ball"
    radius_px: float = Field(
        default=50.0, ge=2, le=1000, description="radius; above the largest cell (px)"
    )
    smooth_px: float = Field(
        default=2.0, ge=0, le=50, description="blur before rolling the ball (px)"
    )


def constant(plane: np.ndarray, options: ConstantBackground) -> np.ndarray:
    """The same value everywhere."""
    return np.full((1, 1), options.value)


def percentile(plane: np.ndarray, options: PercentileBackground) -> np.ndarray:
    """The frame's own percentile everywhere."""
    return array_percentiles(plane, [options.percent]).reshape(1, 1)


def gaussian(plane: np.ndarray, options: GaussianBackground) -> np.ndarray:
    """Gaussian blur, on a coarser grid where it is wide."""
    return wide_blur(plane, options.sigma_px, pixels_per_sigma=8)


def tophat(plane: np.ndarray, options: TophatBackground) -> np.ndarray:
    """Opening with a square, of the blurred frame, blurred over the square's blocks."""
    from scipy import ndimage

    smooth = _blurred(plane, options.smooth_px)
    opened = ndimage.grey_opening(smooth, size=(options.size_px,) * 2, mode="nearest")
    even = ndimage.uniform_filter(opened, options.size_px, mode="nearest")
    return np.minimum(even, smooth)


def rolling_ball(plane: np.ndarray, options: RollingBallBackground) -> np.ndarray:
    """Surface that a ball below the blurred frame touches.

    A large ball is rolled below a shrunken frame (least value of each block), which
    differs little and takes a fraction of the time. The ball is a sphere in pixels and
    grey values, as in ImageJ: with a range of thousands of grey values its top is flat.
    """
    from skimage.restoration import ellipsoid_kernel
    from skimage.restoration import rolling_ball as roll

    radius = options.radius_px
    fold = max(1, int(radius // 8))
    smooth = _blurred(plane, options.smooth_px)
    coarse = _shrunk(smooth, fold, np.min)
    side = 2 * int(np.ceil(radius / fold)) + 1
    kernel = ellipsoid_kernel((side, side), 2 * radius)
    below = roll(coarse, kernel=kernel)
    return np.minimum(_enlarged(below, fold, plane.shape), smooth)


def wide_blur(plane: np.ndarray, sigma: float, pixels_per_sigma: int) -> np.ndarray:
    """Gaussian blur on blocks, ``pixels_per_sigma`` of them to a standard deviation."""
    from scipy import ndimage

    fold = max(1, int(sigma // pixels_per_sigma))
    coarse = _shrunk(_floats(plane), fold, np.mean)
    blurred = ndimage.gaussian_filter(
        coarse, sigma / fold, mode="nearest", truncate=3.5
    )
    return _enlarged(blurred, fold, plane.shape)


def _floats(plane: np.ndarray) -> np.ndarray:
    wide = plane.dtype.itemsize > (4 if plane.dtype.kind == "f" else 2)
    return plane.astype(np.float64 if wide else np.float32)


def _blurred(plane: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    values = _floats(plane)
    return ndimage.gaussian_filter(values, sigma, mode="nearest") if sigma else values


def _shrunk(
    plane: np.ndarray, fold: int, reduce: Callable[..., np.ndarray]
) -> np.ndarray:
    """One value per block of ``fold`` x ``fold`` pixels; incomplete blocks repeat."""
    if fold == 1:
        return plane
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % fold), (0, -width % fold)), mode="edge")
    rows, columns = padded.shape[0] // fold, padded.shape[1] // fold
    return reduce(padded.reshape(rows, fold, columns, fold), axis=(1, 3))


def _enlarged(coarse: np.ndarray, fold: int, shape: tuple[int, ...]) -> np.ndarray:
    """Linear interpolation of block centres back to pixels."""
    if fold == 1:
        return coarse
    for axis, size in enumerate(shape):
        place = np.clip((np.arange(size) + 0.5) / fold - 0.5, 0, coarse.shape[axis] - 1)
        low = np.minimum(place.astype(int), max(0, coarse.shape[axis] - 2))
        high = np.minimum(low + 1, coarse.shape[axis] - 1)
        weight = (place - low).astype(coarse.dtype)
        weight = weight[:, None] if axis == 0 else weight
        first = coarse.take(low, axis=axis)
        coarse = first + weight * (coarse.take(high, axis=axis) - first)
    return coarse


@dataclass(frozen=True)
class Background:
    """A background model: its options and its function (frame -> what to subtract)."""

    options: type[Params]
    estimate: Callable[[np.ndarray, Any], np.ndarray]


BACKGROUNDS: dict[str, Background] = {
    "constant": Background(ConstantBackground, constant),
    "percentile": Background(PercentileBackground, percentile),
    "gaussian": Background(GaussianBackground, gaussian),
    "tophat": Background(TophatBackground, tophat),
    "rolling_ball": Background(RollingBallBackground, rolling_ball),
}
