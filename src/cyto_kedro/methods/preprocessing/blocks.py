"""Displacement of one block of an image onto the same block of another."""

from __future__ import annotations

import numpy as np

from cyto_kedro.methods.preprocessing import phase_correlation as pair
from cyto_kedro.methods.preprocessing.spectra import Band, Shift, spectrum, structure

_LEAST_STRUCTURE = 1.3  # mean power in the band over that of the finest detail
_LARGEST_SHARE = 0.25  # displacements up to this share of a block are looked for


def displacement(
    fixed: np.ndarray, moving: np.ndarray, band: Band, min_quality: float
) -> Shift | None:
    """Shift of one block onto another, None where it cannot be believed.

    It is believed where both blocks have texture, where they correlate, and where the
    displacement is not larger than can be told apart.

    Args:
        fixed: YX block of the reference.
        moving: YX block of the same shape.
        band: Band limits.
        min_quality: Least correlation after the shift.
    """
    fixed, moving = _levelled(fixed), _levelled(moving)
    if not (has_texture(fixed, band) and has_texture(moving, band)):
        return None
    height, width = fixed.shape
    reach = _LARGEST_SHARE * min(height, width)
    spectra = spectrum(fixed), spectrum(moving)
    guess, _ = pair.locate(*spectra, (height, width), band, reach)
    shift, quality = pair.refine(fixed, moving, guess, band)
    # A peak at the edge of the search is the flank of another one.
    inside = max(map(abs, shift)) <= reach - 1
    return shift if quality >= min_quality and inside else None


def has_texture(plane: np.ndarray, band: Band) -> bool:
    """Whether a plane shows more than noise."""
    height, width = plane.shape
    if min(height, width) < 4:
        return False
    return structure(spectrum(plane), (height, width), band) >= _LEAST_STRUCTURE


def _levelled(block: np.ndarray) -> np.ndarray:
    """The block less the plane that fits it best, float32.

    Shading would leak through the window's edges into the band. It is taken out of each
    block for itself: a blur of the whole frame would bring the trace of cells into
    empty blocks beside them.
    """
    rest = block.astype(np.float32)
    rest -= rest.mean(dtype=np.float64)
    for axis, size in enumerate(block.shape):
        place = (np.arange(size) - (size - 1) / 2).astype(np.float32)
        along = rest.mean(axis=1 - axis)
        slope = (along @ place) / (place @ place)
        rest -= np.expand_dims(slope * place, 1 - axis)
    return rest
