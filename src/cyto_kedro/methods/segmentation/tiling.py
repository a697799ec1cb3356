"""Large frames in overlapping tiles: what a tile is, and which method sees what.

A method measures the whole frame first (background, noise, grey levels), so that no
tile has levels of its own. Each tile is then segmented with a margin around its core,
and the cells of all tiles become one frame by :mod:`stitching`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation.stitching import Tile, stitch

# Cameras of up to 2304 x 2304 px give one frame in one piece; above, memory matters.
_WHOLE_PIXELS = 3000 * 3000
_AUTO_SIZE = 1500


class TilesOptions(Params):
    """How a large frame is cut before cells are found in it."""

    size_px: Literal["auto"] | int | None = Field(
        default="auto",
        description="side of a tile without its margin (px); auto = 1500 beyond 9 "
        "megapixels, null = never cut",
    )
    overlap_px: Literal["auto"] | int = Field(
        default="auto",
        description="margin seen around each tile (px), wider than a cell; auto = "
        "about three cell diameters",
    )

    @model_validator(mode="after")
    def _sizes_are_sensible(self) -> Self:
        if isinstance(self.size_px, int) and self.size_px < 32:
            raise ValueError("size_px must be at least 32, auto or null")
        if isinstance(self.overlap_px, int) and self.overlap_px < 1:
            raise ValueError("overlap_px must be at least 1, or auto")
        return self

    def size_for(self, shape: tuple[int, ...], tiles_itself: bool) -> int | None:
        """Side of a tile for a frame of this shape; None for the frame in one piece.

        Args:
            shape: (Y, X) of the frame.
            tiles_itself: The method cuts frames on its own.
        """
        if self.size_px == "auto":
            large = shape[0] * shape[1] > _WHOLE_PIXELS
            return _AUTO_SIZE if large and not tiles_itself else None
        fits = self.size_px is None or max(shape) <= self.size_px
        return None if fits else self.size_px


class Parts(Protocol):
    """One frame that a method has measured, to be segmented window by window."""

    @property
    def reach_px(self) -> int:
        """How far from a cell's centre pixels still matter to its mask."""

    def find(self, rows: slice, columns: slice) -> np.ndarray:
        """YX masks of one window of the frame, any positive ids."""

    def finish(self, labels: np.ndarray) -> np.ndarray:
        """What can be judged on the whole frame only; masks of the frame."""


@dataclass(frozen=True)
class PlainParts:
    """A frame for a method that looks at nothing but the window.

    Attributes:
        image: The frame, with grey values as the method takes them.
        segment: From a window's pixels to its masks.
        reach_px: As in :class:`Parts`.
    """

    image: np.ndarray
    segment: Callable[[np.ndarray], np.ndarray]
    reach_px: int

    def find(self, rows: slice, columns: slice) -> np.ndarray:
        """Masks of one window."""
        return self.segment(self.image[rows, columns])

    def finish(self, labels: np.ndarray) -> np.ndarray:
        """The masks as they are."""
        return labels


def segment_in_tiles(
    parts: Parts, shape: tuple[int, ...], size_px: int, overlap_px: int
) -> np.ndarray:
    """Masks of a frame, one tile in memory at a time.

    Args:
        parts: The frame, measured.
        shape: (Y, X) of the frame.
        size_px: Side of a tile without its margin.
        overlap_px: Margin on each side.

    Returns:
        YX uint32 masks, ids 1..n from top to bottom.
    """
    tiles = list(cut(shape, size_px, overlap_px))
    found = (parts.find(*tile.window) for tile in tiles)
    return parts.finish(stitch(zip(tiles, found, strict=True), shape))


def cut(shape: tuple[int, ...], size_px: int, overlap_px: int) -> Iterator[Tile]:
    """Tiles of nearly equal size that cover a frame, row by row."""
    edges = [
        np.linspace(0, length, -(-length // size_px) + 1).round().astype(int).tolist()
        for length in shape
    ]
    for top, bottom in zip(edges[0], edges[0][1:], strict=False):
        for left, right in zip(edges[1], edges[1][1:], strict=False):
            core = slice(top, bottom), slice(left, right)
            window = tuple(
                slice(max(0, part.start - overlap_px), min(part.stop + overlap_px, n))
                for part, n in zip(core, shape, strict=True)
            )
            yield Tile(core, (window[0], window[1]), (shape[0], shape[1]))
