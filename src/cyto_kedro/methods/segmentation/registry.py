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
    classical_parts,
    otsu_watershed,
    stardist,
)
from cyto_kedro.methods.segmentation.tiling import (
    Parts,
    TilesOptions,
    segment_in_tiles,
)

#: From a YX image to YX uint32 masks, 0 = background.
Segment = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Segmenter:
    """One method: its options and how to make it ready.

    ``build(options, spacing_um)`` is called once per movie, before any frame is read:
    it checks what the method needs (weights, a library) and returns the function that
    segments one frame. A model is loaded there or on the first frame, once per process.

    ``by_parts(options, spacing_um)`` returns the function that measures a frame and
    makes it ready to be segmented tile by tile. A method that ``tiles_itself`` is given
    large frames in one piece unless tiles are asked for.
    """

    options: type[Params]
    build: Callable[[Any, tuple[float, float]], Segment]
    by_parts: Callable[[Any, tuple[float, float]], Callable[[np.ndarray], Parts]]
    tiles_itself: bool = False


SEGMENTERS: dict[str, Segmenter] = {
    "cellpose": Segmenter(
        cellpose.CellposeOptions, cellpose.build, cellpose.by_parts, tiles_itself=True
    ),
    "classical": Segmenter(
        classical.ClassicalOptions, classical.build, classical_parts.by_parts
    ),
    "otsu_watershed": Segmenter(
        otsu_watershed.OtsuWatershedOptions,
        otsu_watershed.build,
        otsu_watershed.by_parts,
    ),
    "stardist": Segmenter(stardist.StarDistOptions, stardist.build, stardist.by_parts),
}


def build_segmenter(
    name: str,
    options: Params,
    spacing_um: tuple[float, float],
    tiles: TilesOptions | None = None,
) -> Segment:
    """The ready method; it refuses frames with NaN or infinite pixels.

    Args:
        name: Key of :data:`SEGMENTERS`.
        options: The method's options.
        spacing_um: (row, column) pixel size (um).
        tiles: How large frames are cut; None for the defaults.
    """
    method, chosen = SEGMENTERS[name], tiles or TilesOptions()
    whole = method.build(options, spacing_um)
    by_parts = method.by_parts(options, spacing_um)

    def checked(image: np.ndarray) -> np.ndarray:
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise InputError(
                "The image holds NaN or infinite pixels: cells cannot be found in it",
                fix="replace them in the raw file, or crop them by the image range",
            )
        size = chosen.size_for(image.shape, method.tiles_itself)
        if size is None:
            return whole(image)
        parts = by_parts(image)
        margin = parts.reach_px if chosen.overlap_px == "auto" else chosen.overlap_px
        return segment_in_tiles(parts, image.shape, size, margin)

    return checked
