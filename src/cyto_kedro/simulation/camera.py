"""Light to counts: blur, haze, uneven illumination, bleaching and noise."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from cyto_kedro.simulation.params import OpticsParams, SimulationParams

_LARGEST = np.iinfo(np.uint16).max
# The brightest spot of the illumination, as a share of the field.
_SPOT = (0.46, 0.54)


def blur(plane: np.ndarray, optics: OpticsParams, pixel_um: float) -> np.ndarray:
    """Widefield optics: a sharp part and a haze from out of focus."""
    sharp = gaussian_filter(
        plane, optics.psf_sigma_um / pixel_um, mode="nearest", truncate=3.5
    )
    if not optics.haze:
        return sharp
    # Three box filters in a row come close to a Gaussian, whatever its width.
    box = max(round(2 * optics.haze_um / pixel_um) | 1, 3)
    haze = plane
    for _ in range(3):
        haze = uniform_filter(haze, box, mode="nearest")
    share = np.float32(optics.haze)
    return (1 - share) * sharp + share * haze


def illumination(shape: tuple[int, int], vignetting: float) -> np.ndarray:
    """YX float32 factor, 1 at the brightest spot, lowest in the far corner."""
    height, width = shape
    dy = np.arange(height, dtype=np.float32)[:, None] / max(height - 1, 1) - _SPOT[0]
    dx = np.arange(width, dtype=np.float32)[None, :] / max(width - 1, 1) - _SPOT[1]
    far = dy**2 + dx**2
    worst = max(_SPOT[0], 1 - _SPOT[0]) ** 2 + max(_SPOT[1], 1 - _SPOT[1]) ** 2
    return (1 - np.float32(vignetting) * far / np.float32(worst)).astype(np.float32)


def bleaching(params: SimulationParams, frame: int) -> float:
    """Share of the live dyes that is left in a frame."""
    hours = frame * params.frame_interval_min / 60
    return float(np.exp(-params.optics.bleaching_per_hour * hours))


def expose(
    photons: np.ndarray, optics: OpticsParams, random: np.random.Generator
) -> np.ndarray:
    """uint16 counts with shot noise, read noise and offset; overexposure saturates."""
    read = np.float32(optics.read_noise**2)
    if optics.shot_noise == "poisson":
        counts, variance = random.poisson(photons).astype(np.float32), np.asarray(read)
    else:
        counts, variance = photons, photons + read
    noise = random.standard_normal(photons.shape, dtype=np.float32)
    counts = counts + np.sqrt(variance) * noise + np.float32(optics.camera_offset)
    return np.clip(np.rint(counts), 0, _LARGEST).astype(np.uint16)
