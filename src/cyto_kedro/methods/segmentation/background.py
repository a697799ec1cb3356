"""Background and noise of one frame, without being told where the cells are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import ndimage as ndi

Pair = tuple[float, float]

_MAD_TO_SD = 1.4826  # of a normal distribution
_PIXELS_PER_CELL = 5  # the background is estimated on a grid this coarse
_SMALL_FIELD = 3.0  # cell diameters: no room for a curved background
_CLIP_SD = 3.0
_ROUNDS = 4
_PRIOR_WEIGHT = 0.02
_SHADING_ROUNDS = 8
_ABOVE = 0.05
_SHADING_POINTS = 1_000_000  # six coefficients need no more; each costs 100 bytes


def estimate_background(
    image: np.ndarray, cell_px: Pair, window_px: Pair
) -> np.ndarray:
    """Smooth background below the cells.

    A quadratic surface takes up the shading of the field, and a grey opening wider than
    a cell what else there is; noise pulls this first guess down. The
    mean of the pixels close to it (sigma-clipped, in a Gaussian window) corrects that;
    where no pixel is close, the guess stays.

    Args:
        image: YX float32.
        cell_px: Cell diameter in rows and columns (px).
        window_px: Extent over which the background counts as constant (px).

    Returns:
        YX float32.
    """
    step = grid_step(cell_px)
    coarse = coarse_background(block_mean(image, step), cell_px, window_px)
    return magnified(coarse, step, image.shape)


def coarse_background(blocks: np.ndarray, cell_px: Pair, window_px: Pair) -> np.ndarray:
    """The background of :func:`estimate_background` on the grid of block means."""
    step = grid_step(cell_px)
    coarse = smooth_on_grid(blocks, cell_px, 0.1)
    window = [max(3, int(w / k)) for w, k in zip(window_px, step, strict=True)]
    sigma = [w / 2 for w in window]
    # Opening flattens a slope, so the shading goes first.
    trend = shading(coarse)
    first = trend + _wide(ndi.grey_opening(coarse - trend, size=window), sigma)
    background = first
    for _ in range(_ROUNDS):
        residual = coarse - background
        centre, sd = dark_peak(residual)
        near = (np.abs(residual - centre) <= _CLIP_SD * sd).astype(np.float32)
        weight = _wide(near, sigma) + _PRIOR_WEIGHT
        rest = near * (coarse - first)
        background = first + _wide(rest, sigma) / weight
    return background


def shading(image: np.ndarray) -> np.ndarray:
    """Quadratic surface through the dark part of an image.

    Asymmetric least squares (Newey & Powell 1987, doi:10.2307/1911031): pixels above
    the surface count little, so that cells do not lift it. In a field of few cell
    diameters a surface would bend around the cells: it is flat there.
    """
    every = math.ceil(math.sqrt(image.size / _SHADING_POINTS))
    flat = min(image.shape) < _SMALL_FIELD * _PIXELS_PER_CELL
    rows, columns = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in image.shape)]
    few = image[::every, ::every]
    terms = _terms(rows[::every], columns[:, ::every], flat)
    basis = np.stack([np.broadcast_to(t, few.shape).ravel() for t in terms])
    values = few.ravel().astype(np.float64)
    surface = np.full_like(values, np.inf)  # below it everything: plain least squares
    for _ in range(_SHADING_ROUNDS):
        weight = np.where(values > surface, _ABOVE, 1 - _ABOVE)
        weighted = basis * weight
        # Least squares of the normal equations copes with frames one pixel wide.
        fit = np.linalg.lstsq(weighted @ basis.T, weighted @ values, rcond=None)[0]
        surface = fit @ basis
    if every == 1:
        return surface.reshape(image.shape).astype(np.float32)
    whole = np.zeros(image.shape, np.float32)
    for factor, term in zip(fit, _terms(rows, columns, flat), strict=True):
        whole += np.asarray(factor * term, np.float32)
    return whole


def _terms(rows: np.ndarray, columns: np.ndarray, flat: bool) -> tuple[Any, ...]:
    if flat:
        return (1,)
    return (1, rows, columns, rows * columns, rows**2, columns**2)


def smooth_coarsely(image: np.ndarray, cell_px: Pair, share: float) -> np.ndarray:
    """Gaussian smoothing by a large share of the cell diameter, on the coarse grid."""
    step = grid_step(cell_px)
    smooth = smooth_on_grid(block_mean(image, step), cell_px, share)
    return magnified(smooth, step, image.shape)


def grid_step(cell_px: Pair) -> tuple[int, int]:
    """Pixels per point of the coarse grid, in rows and columns."""
    rows, columns = (max(1, int(size / _PIXELS_PER_CELL)) for size in cell_px)
    return rows, columns


def smooth_on_grid(blocks: np.ndarray, cell_px: Pair, share: float) -> np.ndarray:
    """Block means smoothed by a share of the cell diameter."""
    step = grid_step(cell_px)
    sigma = [share * size / k for size, k in zip(cell_px, step, strict=True)]
    smooth: np.ndarray = ndi.gaussian_filter(blocks, sigma)
    return smooth


def magnified(
    coarse: np.ndarray, step: tuple[int, int], shape: tuple[int, ...]
) -> np.ndarray:
    """The coarse grid interpolated to pixels, cut to a shape."""
    fine = ndi.zoom(coarse, step, order=1, grid_mode=True, mode="nearest")
    cropped: np.ndarray = fine[: shape[0], : shape[1]]
    return cropped


def _wide(image: np.ndarray, sigma: list[float]) -> np.ndarray:
    # Cut at two sigma: the far tail of a background window costs time, not accuracy.
    smooth: np.ndarray = ndi.gaussian_filter(image, sigma, truncate=2.0)
    return smooth


def block_mean(image: np.ndarray, step: tuple[int, ...]) -> np.ndarray:
    """Mean of blocks of ``step`` pixels; the last ones are padded with the edge."""
    pad = [(0, -size % k) for size, k in zip(image.shape, step, strict=True)]
    padded = np.pad(image, pad, mode="edge")
    (ky, kx), (rows, columns) = step, padded.shape
    blocks: np.ndarray = padded.reshape(rows // ky, ky, columns // kx, kx).mean((1, 3))
    return blocks


def dark_peak(residual: np.ndarray) -> tuple[float, float]:
    """Centre and standard deviation of the background's peak in a histogram.

    The centre is the middle of the shortest interval that holds a fifth of the pixels
    and begins in the darker half; the spread is taken below it, where no cell is.
    """
    values = np.sort(residual, axis=None)
    span = max(1, len(values) // 5)
    last = min((len(values) + 1) // 2, len(values) - span)
    if last < 1:
        return float(np.median(values)), 0.0
    starts = np.arange(last)
    first = int(np.argmin(values[starts + span] - values[starts]))
    centre = float(values[first + span // 2])
    below = centre - values[: first + span // 2 + 1]
    return centre, float(_MAD_TO_SD * np.median(below))


def lower_sd(residual: np.ndarray) -> float:
    """Noise around a background of 0 from the pixels below it, where no cell is."""
    below = residual[residual < 0]
    return float(_MAD_TO_SD * np.median(-below)) if below.size else 0.0


def white_noise_sd(image: np.ndarray) -> float:
    """Pixel noise from second differences (Immerkaer 1996, 10.1006/cviu.1996.0060).

    Their median ignores edges; fewer than 3 x 3 pixels give 0.
    """
    if min(image.shape) < 3:
        return 0.0
    return white_sd_of(second_differences(image))


def second_differences(image: np.ndarray) -> np.ndarray:
    """Their size at every pixel but the outermost ones; needs 3 x 3 pixels."""
    kernel = np.array([1, -2, 1], image.dtype)
    second = ndi.convolve1d(ndi.convolve1d(image, kernel, axis=0), kernel, axis=1)
    size: np.ndarray = np.abs(second[1:-1, 1:-1])
    return size


def white_sd_of(differences: np.ndarray) -> float:
    """Pixel noise that makes second differences of this size."""
    return float(np.median(differences) * _MAD_TO_SD / 6)


def smoothing_gain(sigma_px: Pair) -> float:
    """Factor by which a Gaussian of this sigma shrinks white noise."""
    gain = 1.0
    for sigma in sigma_px:
        impulse = np.zeros(2 * math.ceil(4 * sigma) + 3)
        impulse[len(impulse) // 2] = 1
        gain *= float(np.linalg.norm(ndi.gaussian_filter1d(impulse, sigma)))
    return gain
