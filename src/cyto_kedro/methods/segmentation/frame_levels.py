"""What a large frame is measured for once, so that its tiles agree with each other.

Background, surroundings and noise belong to the whole frame: measured tile by tile
they would show as seams. Here they are kept on the coarse grid, and any window of the
frame is smoothed with its neighbours in view, so that its pixels come out as they would
in the whole frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage as ndi

from cyto_kedro.methods.segmentation.background import (
    block_mean,
    coarse_background,
    grid_step,
    lower_sd,
    magnified,
    second_differences,
    smooth_on_grid,
    smoothing_gain,
    white_sd_of,
)
from cyto_kedro.methods.segmentation.frame_signal import (
    PEAK_SIGMA,
    SURROUND_SIGMA,
    FrameSignal,
    Scales,
    contrast_of,
    noise_sd,
)

_TRUNCATE = 4.0  # of scipy's Gaussian, in sigma
_STRIP_PIXELS = 2**20
# Medians of the noise are over this many pixels: good to a thousandth.
_SAMPLE = 4_000_000


@dataclass(frozen=True)
class FrameLevels:
    """Levels of one frame on the coarse grid.

    Attributes:
        image: YX, any real dtype; not copied.
        scales: Lengths in pixels.
        offset: Median of the frame, subtracted before anything else.
        background: Background on the coarse grid, float32.
        surroundings: Block means smoothed over half a cell on the coarse grid, float32.
    """

    image: np.ndarray
    scales: Scales
    offset: float
    background: np.ndarray
    surroundings: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray, scales: Scales) -> FrameLevels:
        """Measure one YX image strip by strip."""
        offset = float(np.median(image))
        step = grid_step(scales.cell)
        blocks = np.concatenate(
            [
                block_mean(_flat(image[rows], offset), step)
                for rows in _strips(image.shape, step[0])
            ]
        )
        background = coarse_background(blocks, scales.cell, scales.window)
        surroundings = smooth_on_grid(blocks, scales.cell, SURROUND_SIGMA)
        return cls(image, scales, offset, background, surroundings)

    @cached_property
    def noise(self) -> tuple[float, float]:
        """Noise (standard deviation) at the scale of edges and of peaks."""
        every = math.ceil(math.sqrt(self.image.size / _SAMPLE))
        differences: list[np.ndarray] = []
        fine: list[np.ndarray] = []
        coarse: list[np.ndarray] = []
        for rows in self.strips:
            more = slice(max(0, rows.start - 1), rows.stop + 1)
            flat = _flat(self.image[more], self.offset)
            if min(flat.shape) >= 3:
                differences.append(second_differences(flat)[::every, ::every].ravel())
            for found, sigma in ((fine, self._edge), (coarse, self._peak)):
                part = self.above(sigma, rows, slice(0, self.image.shape[1]))
                found.append(part[::every, ::every].ravel())
        white = white_sd_of(np.concatenate(differences)) if differences else 0.0
        largest, least = float(self.image.max()), float(self.image.min())

        def sd(parts: list[np.ndarray], sigma: tuple[float, float]) -> float:
            below = lower_sd(np.concatenate(parts))
            return noise_sd(white * smoothing_gain(sigma), below, largest - least)

        return sd(fine, self._edge), sd(coarse, self._peak)

    @property
    def strips(self) -> Iterator[slice]:
        """Rows of the frame in turn, about a megapixel each."""
        return _strips(self.image.shape, grid_step(self.scales.cell)[0])

    def fine(self, rows: slice, columns: slice) -> np.ndarray:
        """A window above its background, smoothed for edges (float32)."""
        return self.above(self._edge, rows, columns)

    def signal(self, rows: slice, columns: slice) -> FrameSignal:
        """The signal of a window, with the noise of the whole frame."""
        fine_sd, coarse_sd = self.noise
        coarse = self.above(self._peak, rows, columns)
        around = self._window(self.surroundings, rows, columns)
        around -= self._window(self.background, rows, columns)
        contrast = contrast_of(coarse, around, coarse_sd)
        fine = self.fine(rows, columns)
        return FrameSignal(fine, coarse, contrast, fine_sd, coarse_sd)

    def above(
        self, sigma: tuple[float, float], rows: slice, columns: slice
    ) -> np.ndarray:
        """A window smoothed by a Gaussian (px), minus the background."""
        reach = [int(_TRUNCATE * size + 0.5) for size in sigma]
        seen = [
            slice(max(0, part.start - far), part.stop + far)
            for part, far in zip((rows, columns), reach, strict=True)
        ]
        smooth = ndi.gaussian_filter(
            _flat(self.image[tuple(seen)], self.offset), sigma, truncate=_TRUNCATE
        )
        top, left = rows.start - seen[0].start, columns.start - seen[1].start
        height, width = rows.stop - rows.start, columns.stop - columns.start
        inside = smooth[top : top + height, left : left + width]
        above: np.ndarray = inside - self._window(self.background, rows, columns)
        return above

    def _window(self, grid: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """The coarse grid interpolated to the pixels of a window."""
        step = grid_step(self.scales.cell)
        corner, places = [], []
        for part, k in zip((rows, columns), step, strict=True):
            first = max(0, part.start // k - 1)
            corner.append(part.start - first * k)
            places.append(slice(first, -(-part.stop // k) + 1))
        top, left = corner
        height, width = rows.stop - rows.start, columns.stop - columns.start
        fine = magnified(grid[tuple(places)], step, (top + height, left + width))
        return fine[top:, left:]

    @property
    def _edge(self) -> tuple[float, float]:
        return self.scales.edge

    @property
    def _peak(self) -> tuple[float, float]:
        return self.scales.of_cell(PEAK_SIGMA)


def _flat(part: np.ndarray, offset: float) -> np.ndarray:
    # A large offset would eat the precision of float32.
    flat: np.ndarray = (part - offset).astype(np.float32)
    return flat


def _strips(shape: tuple[int, ...], multiple: int) -> Iterator[slice]:
    height, width = shape
    rows = max(1, _STRIP_PIXELS // max(1, width) // multiple) * multiple
    return (slice(start, min(start + rows, height)) for start in range(0, height, rows))
