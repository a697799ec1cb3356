"""Motion that the registration leaves: which transform would take it out?

Sampled frames are compared with a reference block by block. A block's displacement is
believed where the block has texture, where the two blocks correlate, and where the
displacement is not larger than can be told apart. Cells that crawl displace blocks too,
but each its own way, whereas a stretched or rotated image displaces neighbours alike:
the neighbours' median, as in particle image velocimetry (Westerweel and Scarano 2005,
doi:10.1007/s00348-005-0016-6), tells the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dask.array as da
import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import RESIDUAL_MOTION
from cyto_kedro.methods.preprocessing import phase_correlation as pair
from cyto_kedro.methods.preprocessing.background import wide_blur
from cyto_kedro.methods.preprocessing.blocks import displacement, has_texture
from cyto_kedro.methods.preprocessing.spectra import Band, Shift
from cyto_kedro.methods.preprocessing.verdicts import Limits, judged
from cyto_kedro.methods.preprocessing.warps import Transform, warped

_SHADING = 2.0  # standard deviations of the band's upper limit


class ResidualMotionParams(Params):
    """How the motion left after registration is measured, on the drift's channel."""

    every_nth_frame: int = Field(
        default=10, ge=1, le=10000, description="frames from one sample to the next"
    )
    reference: Literal["first", "previous"] = Field(
        default="previous",
        description="what a sampled frame is compared with: the first sampled frame "
        "(deformation so far; cells have to stay), or the one sampled before",
    )
    block_px: int = Field(
        default=128, ge=48, le=2048, description="side of a block; several cells (px)"
    )
    smooth_px: float = Field(
        default=1.5, ge=0, le=50, description="detail finer than this is noise (px)"
    )
    background_px: float = Field(
        default=20.0, gt=0, le=1000, description="shading is coarser than this (px)"
    )
    min_quality: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="correlation below which a block's displacement is not believed",
    )
    min_reliable: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="share of the image that must be believed for a verdict",
    )
    limit_px: float = Field(
        default=2.0, gt=0, le=100, description="displacement that matters (px)"
    )


@dataclass(frozen=True)
class _Sample:
    """A frame that shows something, and how it is moved."""

    frame: int
    plane: np.ndarray
    transform: Transform


def residual_motion(
    stack: da.Array | np.ndarray,
    transforms: Sequence[Transform],
    options: ResidualMotionParams,
) -> pd.DataFrame:
    """Local displacement of sampled frames after their registration, streaming.

    Args:
        stack: TYX images as they were acquired.
        transforms: How each frame is moved onto the reference.
        options: Sampling, blocks and limits.

    Returns:
        Table RESIDUAL_MOTION, one row per sampled frame but the first.
    """
    band = Band(options.smooth_px, options.background_px)

    def prepare(frame: int, plane: np.ndarray) -> np.ndarray | None:
        if not np.isfinite(plane).all() or plane.min() == plane.max():
            return None
        values = plane.astype(np.float32)
        shade = wide_blur(values, _SHADING * band.background_px, pixels_per_sigma=4)
        return values if has_texture(values - shade, band) else None

    frames = list(range(0, len(stack), options.every_nth_frame))
    reference: _Sample | None = None
    rows: list[dict[str, Any]] = []
    planes = over_frames(prepare, stack, frames=frames)
    for frame, plane in zip(frames, planes, strict=True):
        sample = None
        if plane is not None:
            sample = _Sample(frame, plane, transforms[frame])
        if frame > 0:
            rows.append(_row(frame, sample, reference, stack.shape[1:], options))
        if reference is None or (sample and options.reference == "previous"):
            reference = sample
    if not rows:
        return RESIDUAL_MOTION.empty()
    return RESIDUAL_MOTION.conform(pd.DataFrame(rows))


def local_displacements(
    reference: np.ndarray,
    frame: np.ndarray,
    shift: Shift,
    options: ResidualMotionParams,
) -> np.ndarray:
    """Displacement that each block still needs after the global shift.

    Blocks lie side by side, centred in what both frames show. The frame is cut at whole
    pixels and the rest of the shift subtracted, so that nothing is interpolated.

    Args:
        reference: YX image.
        frame: YX image of the same shape.
        shift: (dy, dx) in px that moves ``frame`` onto ``reference``.
        options: Blocks and limits.

    Returns:
        (rows, columns, 2) dy, dx in px; NaN where it cannot be believed.
    """
    side, band = options.block_px, Band(options.smooth_px, options.background_px)
    whole = round(shift[0]), round(shift[1])
    rest = shift[0] - whole[0], shift[1] - whole[1]
    fixed, moving = pair.overlap(reference, frame, whole)
    rows, columns = (size // side for size in fixed.shape)
    top, left = (size % side // 2 for size in fixed.shape)
    found = np.full((rows, columns, 2), np.nan)
    for row, column in np.ndindex(rows, columns):
        y, x = top + row * side, left + column * side
        place = slice(y, y + side), slice(x, x + side)
        displaced = displacement(fixed[place], moving[place], band, options.min_quality)
        if displaced is not None:
            found[row, column] = displaced[0] - rest[0], displaced[1] - rest[1]
    return found


def _row(
    frame: int,
    sample: _Sample | None,
    reference: _Sample | None,
    shape: tuple[int, ...],
    options: ResidualMotionParams,
) -> dict[str, Any]:
    field = np.full((0, 0, 2), np.nan)
    if sample is not None and reference is not None:
        field = local_displacements(*_together(reference, sample), options)
    known = field[np.isfinite(field).all(axis=2)]
    blocks = (shape[0] // options.block_px) * (shape[1] // options.block_px)
    row: dict[str, Any] = {
        "frame": frame,
        "reference_frame": pd.NA if reference is None else reference.frame,
        "reliable_fraction": len(known) / blocks if blocks else 0.0,
    }
    limits = Limits(options.block_px, options.min_reliable, options.limit_px)
    return row | judged(field, row["reliable_fraction"], limits)


def _together(reference: _Sample, sample: _Sample) -> tuple[Any, Any, Shift]:
    """Two planes and the shift that is left between them.

    Shifts are not applied but handed on. Other transforms are, and the part that both
    frames show is cut out.
    """
    if reference.transform.is_shift and sample.transform.is_shift:
        onto, shift = reference.transform.shift, sample.transform.shift
        rest = shift[0] - onto[0], shift[1] - onto[1]
        return reference.plane, sample.plane, rest
    both = [
        warped(each.plane, each.transform, "linear") for each in (reference, sample)
    ]
    areas = np.array([area for _, area in both])
    (y0, _, x0, _), (_, y1, _, x1) = areas.max(axis=0), areas.min(axis=0)
    fixed, moving = (
        part[max(0, y0 - y) : max(0, y1 - y), max(0, x0 - x) : max(0, x1 - x)]
        for part, (y, _, x, _) in both
    )
    return fixed, moving, (0.0, 0.0)
