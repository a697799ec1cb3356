"""Rotation, scale, shear and bending from the displacements of many blocks.

The frame is cut into blocks, each is registered by the correlation that measures drift,
and one transform is fitted to all of them; the frame is moved by it and looked at
again. Blocks that disagree with the others, because their cells crawl or because they
show too little, lose their say; in the end the pixels themselves make the transform
exact (:mod:`polish`). Deformation follows the blocks one by one, smoothed
(compare Pnevmatikakis and Giovannucci 2017, doi:10.1016/j.jneumeth.2017.07.031).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import dask.array as da
import numpy as np
from pydantic import Field as Option

from cyto_kedro.methods.preprocessing.blocks import displacement
from cyto_kedro.methods.preprocessing.estimate import Estimate
from cyto_kedro.methods.preprocessing.fits import (
    LEAST_PLACES,
    Kind,
    robust_field,
    robust_linear,
)
from cyto_kedro.methods.preprocessing.follow import FollowParams, Register, follow
from cyto_kedro.methods.preprocessing.polish import polished
from cyto_kedro.methods.preprocessing.spectra import Band
from cyto_kedro.methods.preprocessing.warps import (
    Field,
    Shape,
    Transform,
    as_matrix,
    centre,
    grid_nodes,
    warped,
)

_ROUNDS = 6
_ROUNDS_OF_FIELDS = 3  # further ones follow the noise and gain nothing
_CONVERGED_PX = 0.01


class BlockCorrelation(FollowParams):
    """More than translations: a transform fitted to blocks that are registered."""

    name: Literal["block_correlation"] = "block_correlation"
    transform: Literal["rigid", "similarity", "affine", "deformable"] = Option(
        default="rigid",
        description="rigid: shift and rotation; similarity: and one scale; affine: and "
        "shear; deformable: each place its own smooth displacement",
    )
    block_px: int = Option(
        default=96, ge=32, le=2048, description="side of a block; several cells (px)"
    )
    grid_px: float = Option(
        default=48.0,
        ge=8,
        le=2048,
        description="distance of the nodes that a deformation is stated at (px)",
    )
    stiffness: float = Option(
        default=0.1,
        gt=0,
        le=1000,
        description="how much a deformation resists bending; larger is smoother",
    )
    block_quality: float = Option(
        default=0.4,
        gt=0,
        le=1,
        description="correlation below which a block's displacement is not believed",
    )


def block_correlation(
    stack: da.Array | np.ndarray, options: BlockCorrelation
) -> Estimate:
    """Register every frame of a TYX stack, streaming."""

    def pair_method(shape: Shape, fold: int) -> Register:
        return _Blocks(options, shape, fold).register

    return follow(stack, options, pair_method)


class _Blocks:
    """The pair method for frames of one shape."""

    def __init__(self, options: BlockCorrelation, shape: Shape, fold: int) -> None:
        self._options = options
        self._shape = shape
        self._band = Band(options.smooth_px / fold, options.background_px / fold)
        # Small frames get small blocks: nothing can be fitted to one or two of them.
        self._side = max(16, min(options.block_px // fold, min(shape) // 4))
        self._nodes = grid_nodes(shape, options.grid_px / fold)
        self._deforms = options.transform == "deformable"
        kind: Kind = "affine"
        if options.transform in ("rigid", "similarity"):
            kind = options.transform
        self._kind = kind

    def register(
        self, fixed: np.ndarray, moving: np.ndarray, guess: Transform
    ) -> Transform | None:
        """Transform of ``moving`` onto ``fixed``; None where too few blocks tell."""
        current, places = guess, guess.sources(self._shape)
        for _ in range(_ROUNDS_OF_FIELDS if self._deforms else _ROUNDS):
            at, moves = self._displacements(fixed, moving, current)
            if len(at) < 2 * LEAST_PLACES[self._kind]:
                return None
            current = self._fitted(places, at, moves)
            fresh = current.sources(self._shape)
            change = float(np.abs(fresh - places).max())
            places = fresh
            if change < _CONVERGED_PX:
                break
        if self._deforms:
            return current
        ours, theirs = (self._smooth(plane) for plane in (fixed, moving))
        return polished(ours, theirs, current, self._kind)

    def _smooth(self, plane: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        return ndimage.gaussian_filter(plane, self._band.smooth_px)

    def _displacements(
        self, fixed: np.ndarray, moving: np.ndarray, current: Transform
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) centres of believed blocks, and what each is still displaced by."""
        part, (y0, y1, x0, x1) = warped(moving, current, "linear")
        target = fixed[y0:y1, x0:x1]
        at, moves = [], []
        for y, x, side in self._blocks(part.shape):
            place = slice(y, y + side), slice(x, x + side)
            found = displacement(
                target[place], part[place], self._band, self._options.block_quality
            )
            if found is not None:
                middle = (side - 1) / 2
                at.append((y0 + y + middle, x0 + x + middle))
                moves.append(found)
        return np.array(at).reshape(-1, 2), np.array(moves).reshape(-1, 2)

    def _blocks(self, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
        """First row and column and the side of each block of an image."""
        side, half = self._side, self._side // 2
        step = half if self._deforms else side
        rows, columns = (_starts(size, side, step) for size in shape)
        yield from ((y, x, side) for y in rows for x in columns)
        if not self._deforms:
            return
        # The centres of whole blocks leave a rim that a deformation would have to be
        # continued into: half blocks reach farther out.
        rows, columns = (_starts(size, half, half) for size in shape)
        for y in rows:
            for x in columns:
                if y in (rows[0], rows[-1]) or x in (columns[0], columns[-1]):
                    yield y, x, half

    def _fitted(
        self, places: np.ndarray, at: np.ndarray, moves: np.ndarray
    ) -> Transform:
        """The transform that brings what lies at ``at - moves`` to ``at``."""
        from scipy import ndimage

        source = np.stack(
            [
                ndimage.map_coordinates(each, (at - moves).T, order=1, mode="nearest")
                for each in places
            ],
            axis=1,
        )
        middle = centre(self._shape)
        matrix, shift = robust_linear(source - middle, at - middle, self._kind)
        found = Transform((float(shift[0]), float(shift[1])), as_matrix(matrix))
        if not self._deforms:
            return found
        rest = at - found.forward(source, self._shape)
        values = robust_field(at, rest, self._nodes, self._options.stiffness)
        return Transform(found.shift, found.linear, Field(*self._nodes, values))


def _starts(size: int, side: int, step: int) -> list[int]:
    """First pixels of blocks spread evenly over a side."""
    if size < side:
        return []
    count = (size - side) // step + 1
    return np.linspace(0, size - side, count).astype(int).tolist()
