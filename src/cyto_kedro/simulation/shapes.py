"""Cell outlines: a circle with low-order Fourier lobes.

The outline of a cell is ``r(a) = R (1 + Re sum_k c_k exp(-i k a))`` around its centre,
angle ``a`` from the x axis towards the y axis, k = 2 ... 6. The phase of ``c_k`` is k
times the direction of a lobe.
"""

from __future__ import annotations

import numpy as np

ORDERS = np.arange(2, 7)
N_MODES = len(ORDERS)
# Lobes shrink with their order, like those of spread adherent cells.
LOBE_SIZES = np.array([1.0, 0.6, 0.4, 0.25, 0.15])
# An outline never comes closer to its centre than this share of R.
_LEAST = 0.35
_ANGLES = np.linspace(-np.pi, np.pi, 96, endpoint=False)


def relative_radius(modes: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(N,) outline radius / R of N cells with (N, K) modes at (N,) angles."""
    turn = np.exp(-1j * angle[..., None] * ORDERS)
    return np.maximum(1 + (modes * turn).real.sum(axis=-1), _LEAST)


def equal_area_radius(radius: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """(N,) R that gives the outline the area of a disc of the given radius."""
    return radius / np.sqrt(1 + 0.5 * (np.abs(modes) ** 2).sum(axis=-1))


def reach(radius: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """(N,) upper bound of the distance from the centre to the outline."""
    return radius * (1 + np.abs(modes).sum(axis=-1))


def centroid_offset(radius: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """(N, 2) row and column distance from the centre to the centroid of the area."""
    angle = np.broadcast_to(_ANGLES, (len(radius), len(_ANGLES)))
    outline = radius[:, None] * relative_radius(modes[:, None, :], angle)
    area = (outline**2).sum(axis=1) / 2
    moment = (outline**3 / 3 * np.exp(1j * _ANGLES)).sum(axis=1)
    offset = moment / area
    return np.stack([offset.imag, offset.real], axis=1)


def outline_coordinate(
    dy: np.ndarray, dx: np.ndarray, radius: np.ndarray, modes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the centre over the outline's radius, for boxes of pixels.

    Args:
        dy: (N, S, 1) row distance of each pixel from the centre.
        dx: (N, 1, S) column distance.
        radius: (N,) R in the same unit.
        modes: (N, K).

    Returns:
        (N, S, S) float32 coordinate, below 1 inside, and the (N, S, S) outline radius
        in the pixel's direction.
    """
    place = (dx + 1j * dy).astype(np.complex64)
    distance = np.abs(place)
    back = np.conj(place) / np.maximum(distance, np.float32(1e-6))
    lobes = np.zeros(place.shape, np.float32)
    power = back
    coefficients = modes.astype(np.complex64)
    for k in range(N_MODES):
        power = power * back
        lobes += (coefficients[:, k, None, None] * power).real
    outline = np.maximum(1 + lobes, np.float32(_LEAST))
    outline *= radius[:, None, None].astype(np.float32)
    return distance / outline, outline
