"""The textbook baseline: Otsu threshold and distance watershed from scikit-image.

Kept as an honest peer. It has one threshold per frame, so it misses dim cells beside
bright ones, and it finds cells in pure noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field
from scipy import ndimage as ndi

from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation.tiling import PlainParts

_REACH = 9.0  # times the least distance, which is about a third of a cell


class OtsuWatershedOptions(Params):
    """Otsu's threshold, then a watershed of the distance to the edge."""

    name: Literal["otsu_watershed"] = "otsu_watershed"
    smoothing_um: float = Field(
        default=0.5, ge=0, description="Gaussian sigma before the threshold (um)"
    )
    min_distance_um: float = Field(
        default=4.0, gt=0, description="least distance of two cell centres (um)"
    )


def build(
    options: OtsuWatershedOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a YX image to YX uint32 masks."""

    def segment(image: np.ndarray) -> np.ndarray:
        smooth = _smooth(image, options, spacing_um)
        return _split(smooth, _otsu(smooth), options, spacing_um)

    return segment


def by_parts(
    options: OtsuWatershedOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], PlainParts]:
    """A function that makes a YX frame ready for tiles: smoothed, one threshold."""
    reach = math.ceil(_REACH * options.min_distance_um / min(spacing_um))

    def parts(image: np.ndarray) -> PlainParts:
        smooth = _smooth(image, options, spacing_um)
        threshold = _otsu(smooth)

        def segment(window: np.ndarray) -> np.ndarray:
            return _split(window, threshold, options, spacing_um)

        return PlainParts(smooth, segment, reach)

    return parts


def _smooth(
    image: np.ndarray, options: OtsuWatershedOptions, spacing_um: tuple[float, float]
) -> np.ndarray:
    sigma = [options.smoothing_um / size for size in spacing_um]
    smooth: np.ndarray = ndi.gaussian_filter(image.astype(np.float64), sigma)
    return smooth


def _otsu(smooth: np.ndarray) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(smooth))


def _split(
    smooth: np.ndarray,
    threshold: float,
    options: OtsuWatershedOptions,
    spacing_um: tuple[float, float],
) -> np.ndarray:
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    apart = max(1, round(options.min_distance_um / max(spacing_um)))
    mask = ndi.binary_fill_holes(smooth > threshold)
    distance = ndi.distance_transform_edt(mask, sampling=spacing_um)
    clumps, _ = ndi.label(mask)
    peaks = peak_local_max(
        distance, min_distance=apart, labels=clumps, exclude_border=False
    )
    seeds = np.zeros(smooth.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels: np.ndarray = watershed(-distance, seeds, mask=mask)
    return labels.astype(np.uint32)
