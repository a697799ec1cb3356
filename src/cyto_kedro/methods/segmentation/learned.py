"""What learned methods share: grey values as a network expects them, libraries."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.segmentation.tiling import PlainParts


def scaled_between(
    image: np.ndarray, percentiles: tuple[float, float]
) -> np.ndarray | None:
    """The frame as float32 with its percentiles at 0 and 1; None if it is flat.

    The percentiles are exact: all pixels count, linearly interpolated. Values outside
    are kept, as Cellpose and StarDist do. Where both percentiles are equal in a frame
    that is not flat (few cells on a background cut to zero), the extremes take their
    place, so that such cells are not lost.

    Args:
        image: YX image of any real dtype.
        percentiles: Lower and upper percentile, 0 to 100.
    """
    if not image.size:
        return None
    low, high = np.percentile(image, percentiles)
    if high <= low:
        low, high = np.min(image), np.max(image)
        if high <= low:
            return None
    return ((image - np.float64(low)) / (high - low)).astype(np.float32)


def scaled_parts(
    scaled: np.ndarray | None,
    image: np.ndarray,
    masks: Callable[[np.ndarray], np.ndarray],
    diameter_px: float,
) -> PlainParts:
    """A frame that was scaled as a whole, ready for tiles.

    Args:
        scaled: What :func:`scaled_between` made of the frame; None for a flat one.
        image: The frame.
        masks: From scaled pixels to masks.
        diameter_px: A large cell; tiles look three times as far around themselves.
    """
    reach = math.ceil(3 * diameter_px)
    if scaled is None:
        return PlainParts(image, lambda part: np.zeros(part.shape, np.uint32), reach)
    return PlainParts(scaled, masks, reach)


def check_percentiles(value: tuple[float, float]) -> tuple[float, float]:
    """Two percentiles in order.

    Raises:
        ValueError: They are not 0 <= low < high <= 100.
    """
    low, high = value
    if not 0 <= low < high <= 100:
        raise ValueError("percentiles must be 0 <= low < high <= 100")
    return value


def require_library(module: str, method: str, fix: str) -> None:
    """Refuse to go on without an optional library; nothing is imported.

    Raises:
        ConfigError: The library is not installed in this Python.
    """
    if find_spec(module) is None:
        raise ConfigError(
            f"The method '{method}' needs {module}, which is not installed here",
            where="segmentation.<role>.method.name",
            fix=fix,
        )
