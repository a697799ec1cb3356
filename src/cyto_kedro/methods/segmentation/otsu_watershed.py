"""The textbook baseline: Otsu threshold and distance watershed from scikit-image.

Kept as an honest peer. It has one threshold per frame, so it misses dim cells beside
bright ones, and it finds cells in pure noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from cyto_kedro.core.params import Params


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
    sigma = [options.smoothing_um / size for size in spacing_um]
    apart = max(1, round(options.min_distance_um / max(spacing_um)))

    def segment(image: np.ndarray) -> np.ndarray:
        from scipy import ndimage as ndi
        from skimage.feature import peak_local_max
        from skimage.filters import threshold_otsu
        from skimage.segmentation import watershed

        smooth = ndi.gaussian_filter(image.astype(np.float64), sigma)
        mask = ndi.binary_fill_holes(smooth > threshold_otsu(smooth))
        distance = ndi.distance_transform_edt(mask, sampling=spacing_um)
        clumps, _ = ndi.label(mask)
        peaks = peak_local_max(
            distance, min_distance=apart, labels=clumps, exclude_border=False
        )
        seeds = np.zeros(image.shape, np.int32)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        labels: np.ndarray = watershed(-distance, seeds, mask=mask)
        return labels.astype(np.uint32)

    return segment
