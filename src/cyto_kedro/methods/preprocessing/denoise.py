"""Noise removal, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from cyto_kedro.core.params import Params


class NoDenoise(Params):
    """Leave the frame as it is."""

    name: Literal["none"] = "none"


class MedianDenoise(Params):
    """Median: against hot pixels, keeps edges."""

    name: Literal["median"] = "median"
    size_px: int = Field(default=3, ge=3, le=31, description="side of the square (px)")

    @field_validator("size_px")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, or the image would move by half a pixel")
        return value


class GaussianDenoise(Params):
    """Gaussian blur: fast, softens edges."""

    name: Literal["gaussian"] = "gaussian"
    sigma_px: float = Field(
        default=1.0, gt=0, le=50, description="standard deviation of the blur (px)"
    )


class NonLocalMeansDenoise(Params):
    """Non-local means (Buades 2005, doi:10.1109/CVPR.2005.38): slow, keeps texture."""

    name: Literal["non_local_means"] = "non_local_means"
    strength: float = Field(
        default=0.8, gt=0, le=10, description="filter strength, in units of the noise"
    )
    patch_px: int = Field(
        default=5, ge=3, le=15, description="side of the patches compared (px)"
    )
    search_px: int = Field(
        default=6, ge=1, le=30, description="largest distance of two patches (px)"
    )


def no_denoise(plane: np.ndarray, options: NoDenoise) -> np.ndarray:
    """The frame itself."""
    return plane


def median(plane: np.ndarray, options: MedianDenoise) -> np.ndarray:
    """Median of a square around each pixel, mirrored at the edge."""
    from scipy import ndimage

    return ndimage.median_filter(plane, size=options.size_px, mode="reflect")


def gaussian(plane: np.ndarray, options: GaussianDenoise) -> np.ndarray:
    """Gaussian blur, mirrored at the edge; floating point."""
    from scipy import ndimage

    wide = plane.dtype.itemsize > (4 if plane.dtype.kind == "f" else 2)
    values = plane.astype(np.float64 if wide else np.float32)
    return ndimage.gaussian_filter(values, options.sigma_px, mode="reflect")


def non_local_means(plane: np.ndarray, options: NonLocalMeansDenoise) -> np.ndarray:
    """Average of similar patches, for the noise found in this frame; floating point."""
    from skimage.restoration import denoise_nl_means

    values = plane.astype(np.float64)
    sigma = noise_level(values)
    if sigma == 0 or min(plane.shape) <= options.patch_px:
        return plane
    return denoise_nl_means(
        values / sigma,
        patch_size=options.patch_px,
        patch_distance=options.search_px,
        h=options.strength,
        sigma=1.0,
        fast_mode=True,
    ) * np.float64(sigma)


def noise_level(plane: np.ndarray) -> float:
    """Standard deviation of white noise in a frame, in its grey values.

    The Laplacian difference mask of Immerkaer (1996, doi:10.1006/cviu.1996.0060), which
    does not see planes, with the median absolute deviation in place of the mean: cell
    edges count as outliers.
    """
    if min(plane.shape) < 3:
        return 0.0
    rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
    response = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(response)) / 0.6745 / 6)


@dataclass(frozen=True)
class Denoiser:
    """A noise filter: its options and its function (frame -> frame)."""

    options: type[Params]
    apply: Callable[[np.ndarray, Any], np.ndarray]


DENOISERS: dict[str, Denoiser] = {
    "none": Denoiser(NoDenoise, no_denoise),
    "median": Denoiser(MedianDenoise, median),
    "gaussian": Denoiser(GaussianDenoise, gaussian),
    "non_local_means": Denoiser(NonLocalMeansDenoise, non_local_means),
}
