"""A frame above its background, at the scale of edges and of whole cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from cyto_kedro.methods.segmentation.background import (
    estimate_background,
    lower_sd,
    smooth_coarsely,
    smoothing_gain,
    white_noise_sd,
)

FLOOR_SD = 3.0

# In units of the cell diameter, chosen on a broad plateau of F1 on real images.
PEAK_SIGMA = 0.15
SURROUND_SIGMA = 0.45
# Shares of a cell's area.
_SMALLEST_SEED = 0.01
_SMALLEST_CELL = 0.03


@dataclass(frozen=True)
class Scales:
    """Lengths in pixels, (row, column).

    Attributes:
        cell: Typical diameter.
        edge: Gaussian sigma at which edges are found.
        window: Extent over which the background counts as constant.
    """

    cell: tuple[float, float]
    edge: tuple[float, float]
    window: tuple[float, float]

    def of_cell(self, share: float) -> tuple[float, float]:
        """A share of the cell diameter."""
        return share * self.cell[0], share * self.cell[1]

    @property
    def smallest_seed(self) -> int:
        """Pixels that a basin needs to stay a basin of its own."""
        return int(_SMALLEST_SEED * self._cell_area)

    @property
    def smallest_cell(self) -> int:
        """Pixels below which a piece is a crumb left by cutting."""
        return int(_SMALLEST_CELL * self._cell_area)

    @property
    def _cell_area(self) -> float:
        return float(np.pi / 4 * self.cell[0] * self.cell[1])


@dataclass(frozen=True)
class FrameSignal:
    """A frame above its background, with its noise (standard deviation).

    Attributes:
        fine: YX float32, smoothed for edges.
        coarse: YX float32, smoothed for peaks.
        contrast: YX float32, logarithm of ``coarse`` over its surroundings.
        fine_sd, coarse_sd: Noise of ``fine`` and ``coarse``.
    """

    fine: np.ndarray
    coarse: np.ndarray
    contrast: np.ndarray
    fine_sd: float
    coarse_sd: float

    @classmethod
    def of(cls, image: np.ndarray, scales: Scales) -> FrameSignal:
        """Measure one YX image of any real dtype."""
        # A large offset would eat the precision of float32.
        flat = (image - np.median(image)).astype(np.float32)
        background = estimate_background(flat, scales.cell, scales.window)
        white = white_noise_sd(flat)
        extent = float(np.ptp(flat))

        def above(sigma: tuple[float, float]) -> tuple[np.ndarray, float]:
            smooth = ndi.gaussian_filter(flat, sigma) - background
            white_sd = white * smoothing_gain(sigma)
            return smooth, noise_sd(white_sd, lower_sd(smooth), extent)

        fine, fine_sd = above(scales.edge)
        coarse, coarse_sd = above(scales.of_cell(PEAK_SIGMA))
        around = smooth_coarsely(flat, scales.cell, SURROUND_SIGMA) - background
        contrast = contrast_of(coarse, around, coarse_sd)
        return cls(fine, coarse, contrast, fine_sd, coarse_sd)

    @property
    def candidates(self) -> np.ndarray:
        """Pixels above the noise at both scales."""
        above: np.ndarray = (self.fine > FLOOR_SD * self.fine_sd) & (
            self.coarse > FLOOR_SD * self.coarse_sd
        )
        return above


def noise_sd(white_sd: float, lower: float, extent: float) -> float:
    """Noise of a smoothed frame from two estimates and the extent of its values.

    Correlated noise shows in the smoothed image only, and a field full of cells hides
    the background: the larger estimate is on the safe side in both cases.
    """
    return max(white_sd, lower, 1e-6 * extent)


def contrast_of(coarse: np.ndarray, around: np.ndarray, coarse_sd: float) -> np.ndarray:
    """Logarithm of brightness over the brightness around, both above background."""
    # The offset keeps the logarithm from amplifying noise near zero.
    offset = np.float32(3 * coarse_sd) or np.float32(1)
    contrast: np.ndarray = np.log(
        (np.maximum(coarse, 0) + offset) / (np.maximum(around, 0) + offset)
    )
    return contrast
