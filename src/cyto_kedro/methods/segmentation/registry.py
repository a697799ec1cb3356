"""The segmentation methods by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation import (
    cellpose,
    classical,
    otsu_watershed,
    stardist,
)

#: From a YX image to YX uint32 masks, 0 = background.
Segment = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Segmenter:
    """One method: its options and how to make it ready.

    ``build(options, spacing_um)`` is called once per movie, before any frame is read:
    it checks what the method needs (weights, a library) and returns the function that
    segments one frame. A model is loaded there or on the first frame, once per process.
    """

    options: type[Params]
    build: Callable[[Any, tuple[float, float]], Segment]


SEGMENTERS: dict[str, Segmenter] = {
    "cellpose": Segmenter(cellpose.CellposeOptions, cellpose.build),
    "classical": Segmenter(classical.ClassicalOptions, classical.build),
    "otsu_watershed": Segmenter(
        otsu_watershed.OtsuWatershedOptions, otsu_watershed.build
    ),
    "stardist": Segmenter(stardist.StarDistOptions, stardist.build),
}


def build_segmenter(
    name: str, options: Params, spacing_um: tuple[float, float]
) -> Segment:
    """The ready method; it refuses frames with NaN or infinite pixels.

    Args:
        name: Key of :data:`SEGMENTERS`.
        options: The method's options.
        spacing_um: (row, column) pixel size (um).
    """
    segment = SEGMENTERS[name].build(options, spacing_um)

    def checked(image: np.ndarray) -> np.ndarray:
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise InputError(
                "The image holds NaN or infinite pixels: cells cannot be found in it",
                fix="replace them in the raw file, or crop them by the image range",
            )
        return segment(image)

    return checked
