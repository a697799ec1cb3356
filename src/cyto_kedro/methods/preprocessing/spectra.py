"""Tapered, band-limited Fourier spectra of frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

Shift = tuple[float, float]

# Share of a side over which the window fades in. A fixed window biases towards zero
# unless it is soft; one that moves with the content may keep more of the picture.
COARSE_TAPER = 0.25
FINE_TAPER = 0.1


@dataclass(frozen=True)
class Band:
    """Gaussian band limits of the correlation.

    Attributes:
        smooth_px: Standard deviation of the smoothing that removes pixel noise.
        background_px: Standard deviation of the average that removes shading.
    """

    smooth_px: float
    background_px: float


def spectrum(
    plane: np.ndarray, offset: Shift = (0.0, 0.0), taper: float = COARSE_TAPER
) -> np.ndarray:
    """Half spectrum (complex64) of a plane: mean removed, tapered, zero-padded.

    Args:
        plane: YX image.
        offset: Shift that the content still needs (px): it lies that much before its
            place, and the window is displaced to lie there too.
        taper: Share of a side over which the window fades in.
    """
    height, width = plane.shape
    work = plane.astype(np.float32)
    work -= work.mean(dtype=np.float64)
    work *= _window(height, -offset[0], taper)[:, None]
    work *= _window(width, -offset[1], taper)
    return fft.rfft2(work, s=padded((height, width)), workers=1)


def structure(frequencies: np.ndarray, shape: tuple[int, int], band: Band) -> float:
    """Mean power inside the band over that of the finest detail; 1 for white noise."""
    power = frequencies.real**2 + frequencies.imag**2
    ky, kx = wave_numbers(padded(shape))
    radius = np.hypot(ky[:, None], kx[None, :])
    fine = float(power[radius > 0.8 * np.pi].mean())
    weight = band_filter(padded(shape), band)
    inside = float((power * weight).sum() / weight.sum())
    if inside == 0:
        return 0.0
    return inside / fine if fine > 0 else float("inf")


def energy(frequencies: np.ndarray, weights: np.ndarray) -> float:
    power = frequencies.real**2 + frequencies.imag**2
    return float(np.sum(power * weights, dtype=np.float64))


@lru_cache(maxsize=64)
def _window(size: int, centre: float, taper: float) -> np.ndarray:
    """Tapered cosine window of a side, displaced by ``centre`` px."""
    place = (np.arange(size) + 0.5 - centre) / size
    edge = np.minimum(place, 1 - place) / taper
    return (np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2).astype(np.float32)


def padded(shape: tuple[int, int]) -> tuple[int, int]:
    height, width = (fft.next_fast_len(size, real=True) for size in shape)
    return height, width


def wave_numbers(padded: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Angular wave numbers (rad per px) of rows and of the half of columns."""
    height, width = padded
    return 2 * np.pi * fft.fftfreq(height), 2 * np.pi * fft.rfftfreq(width)


@lru_cache(maxsize=8)
def band_filter(padded: tuple[int, int], band: Band) -> np.ndarray:
    """Squared amplitude response (both spectra are filtered), float32."""
    ky, kx = wave_numbers(padded)

    def gauss(sigma: float) -> np.ndarray:
        return np.outer(
            np.exp(-((ky * sigma) ** 2) / 2), np.exp(-((kx * sigma) ** 2) / 2)
        )

    response = gauss(band.smooth_px) * (1 - gauss(band.background_px))
    return (response**2).astype(np.float32)


@lru_cache(maxsize=8)
def half_weights(padded: tuple[int, int]) -> np.ndarray:
    """2 for columns that stand for their mirror image too, else 1."""
    width = padded[1]
    weights = np.full(width // 2 + 1, 2, np.float32)
    weights[0] = 1
    if width % 2 == 0:
        weights[-1] = 1
    return weights
