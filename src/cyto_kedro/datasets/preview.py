"""Small PNG pictures for Kedro-Viz."""

from __future__ import annotations

import base64
import io

import numpy as np

_WIDTH = 480


def frame_preview(plane: np.ndarray, labels: bool) -> str:
    """A YX plane as base64 PNG: contrast-stretched grey, or coloured labels."""
    from matplotlib.image import imsave

    step = max(1, -(-max(plane.shape) // _WIDTH))
    small = plane[::step, ::step]
    buffer = io.BytesIO()
    if labels:
        # Neighbouring ids get far apart colours; background stays black.
        shades = (small.astype(np.uint64) * 97) % 251 + 4
        imsave(buffer, np.where(small > 0, shades, 0), cmap="nipy_spectral")
    else:
        low, high = np.percentile(small, (0.5, 99.5))
        imsave(buffer, small, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
    return base64.b64encode(buffer.getvalue()).decode("ascii")
