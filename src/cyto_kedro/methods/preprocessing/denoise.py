"""Noise removal, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from cyto_kedro.core.params import Params
from cyto_kedro.methods.preprocessing import _ants

# Where the median lies, in units of the noise, when ANTs sees a frame: of 5, 10, 20 and
# 40 the least change of the mean and the least noise left on simulated cells.
_ANTS_LEVEL = 5.0


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


class AntsDenoise(Params):
    """ANTs' adaptive non-local means (Manjon 2010, doi:10.1002/jmri.22003)."""

    name: Literal["ants"] = "ants"
    patch_px: int = Field(
        default=1, ge=1, le=5, description="radius of the patches compared (px)"
    )
    search_px: int = Field(
        default=2, ge=1, le=10, description="largest distance of two patches (px)"
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


def ants(plane: np.ndarray, options: AntsDenoise) -> np.ndarray:
    """ANTs' filter, for the noise of each place in this frame; float32.

    The filter takes patches for alike by the *ratio* of their means, so that the
    camera's offset would decide what it does (an offset of 10,000 adds noise). Frames
    are therefore handed over with the dark half at a fixed multiple of the noise, and
    grey values that differ by a gain and an offset are denoised alike.
    """
    values = plane.astype(np.float64)
    sigma = noise_level(values)
    if sigma == 0 or not np.isfinite(values).all():
        return plane
    library = _ants.library()
    level = float(np.median(values)) - _ANTS_LEVEL * sigma
    image = library.from_numpy(((values - level) / sigma).astype(np.float32))
    found = library.denoise_image(
        image, p=options.patch_px, r=options.search_px, noise_model="Gaussian"
    )
    return (found.numpy() * sigma + level).astype(np.float32)


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
    "ants": Denoiser(AntsDenoise, ants),
}
