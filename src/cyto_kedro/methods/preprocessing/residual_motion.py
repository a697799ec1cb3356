"""Motion that one translation per frame leaves: is a deformable registration needed?

Sampled frames are compared with a reference block by block. A block's displacement is
believed where the block has texture, where the two blocks correlate, and where the
displacement is not larger than can be told apart. Cells that crawl displace blocks too,
but each its own way, whereas a stretched or rotated image displaces neighbours alike:
the neighbours' median, as in particle image velocimetry (Westerweel and Scarano 2005,
doi:10.1007/s00348-005-0016-6), tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
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
from cyto_kedro.methods.preprocessing.spectra import Band, Shift, spectrum, structure

_LEAST_STRUCTURE = 1.3  # mean power in the band over that of the finest detail
_SHADING = 2.0  # standard deviations of the band's upper limit
_LARGEST_SHARE = 0.25  # displacements up to this share of a block are looked for
_LEAST_NEIGHBOURS = 2
_COHERENT = 0.5  # share of the motion that the neighbours foretell


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
    """A frame that shows something, with its global shift."""

    frame: int
    plane: np.ndarray
    shift: Shift


def residual_motion(
    stack: da.Array | np.ndarray, shifts: np.ndarray, options: ResidualMotionParams
) -> pd.DataFrame:
    """Local displacement of sampled frames after the global translation, streaming.

    Args:
        stack: TYX images as they were acquired.
        shifts: (T, 2) dy, dx in px that move each frame onto the reference.
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
        return values if _has_texture(values - shade, band) else None

    frames = list(range(0, len(stack), options.every_nth_frame))
    reference: _Sample | None = None
    rows: list[dict[str, Any]] = []
    planes = over_frames(prepare, stack, frames=frames)
    for frame, plane in zip(frames, planes, strict=True):
        sample = None
        if plane is not None:
            sample = _Sample(frame, plane, (shifts[frame, 0], shifts[frame, 1]))
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
    side = options.block_px
    whole = round(shift[0]), round(shift[1])
    rest = shift[0] - whole[0], shift[1] - whole[1]
    fixed, moving = pair.overlap(reference, frame, whole)
    rows, columns = (size // side for size in fixed.shape)
    top, left = (size % side // 2 for size in fixed.shape)
    found = np.full((rows, columns, 2), np.nan)
    for row, column in np.ndindex(rows, columns):
        y, x = top + row * side, left + column * side
        place = slice(y, y + side), slice(x, x + side)
        blocks = _levelled(fixed[place]), _levelled(moving[place])
        displaced = _displacement(*blocks, options)
        if displaced is not None:
            found[row, column] = displaced[0] - rest[0], displaced[1] - rest[1]
    return found


def coherence(field: np.ndarray) -> float:
    """Share of the squared displacement that the neighbours' median foretells.

    Near 1 for a smooth deformation; about 0 or negative where blocks move at random;
    NaN where too few neighbours are known or nothing moves.

    Args:
        field: (rows, columns, 2) displacements, NaN where unknown.
    """
    rows, columns = field.shape[:2]
    edged = np.pad(field, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    steps = [(dy, dx) for dy, dx in product(range(3), repeat=2) if (dy, dx) != (1, 1)]
    around = np.stack([edged[dy : dy + rows, dx : dx + columns] for dy, dx in steps])
    enough = np.isfinite(around).all(axis=3).sum(axis=0) >= _LEAST_NEIGHBOURS
    compared = np.isfinite(field).all(axis=2) & enough
    vectors = field[compared]
    moved = float(np.sum(vectors**2))
    if not moved > 0:
        return float("nan")
    misfit = vectors - np.nanmedian(around[:, compared], axis=0)
    return 1 - float(np.sum(misfit**2)) / moved


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


def _has_texture(plane: np.ndarray, band: Band) -> bool:
    height, width = plane.shape
    if min(height, width) < 4:
        return False
    return structure(spectrum(plane), (height, width), band) >= _LEAST_STRUCTURE


def _displacement(
    fixed: np.ndarray, moving: np.ndarray, options: ResidualMotionParams
) -> Shift | None:
    """Shift of one block onto another, None where it cannot be believed."""
    band = Band(options.smooth_px, options.background_px)
    if not (_has_texture(fixed, band) and _has_texture(moving, band)):
        return None
    side = options.block_px
    reach = _LARGEST_SHARE * side
    spectra = spectrum(fixed), spectrum(moving)
    guess, _ = pair.locate(*spectra, (side, side), band, reach)
    shift, quality = pair.refine(fixed, moving, guess, band)
    # A peak at the edge of the search is the flank of another one.
    inside = max(map(abs, shift)) <= reach - 1
    return shift if quality >= options.min_quality and inside else None


def _row(
    frame: int,
    sample: _Sample | None,
    reference: _Sample | None,
    shape: tuple[int, ...],
    options: ResidualMotionParams,
) -> dict[str, Any]:
    field = np.full((0, 0, 2), np.nan)
    if sample is not None and reference is not None:
        onto = reference.shift
        shift = sample.shift[0] - onto[0], sample.shift[1] - onto[1]
        field = local_displacements(reference.plane, sample.plane, shift, options)
    known = field[np.isfinite(field).all(axis=2)]
    blocks = (shape[0] // options.block_px) * (shape[1] // options.block_px)
    row: dict[str, Any] = {
        "frame": frame,
        "reference_frame": pd.NA if reference is None else reference.frame,
        "reliable_fraction": len(known) / blocks if blocks else 0.0,
    }
    return row | _summary(field, known, row["reliable_fraction"], options)


def _summary(
    field: np.ndarray,
    known: np.ndarray,
    reliable: float,
    options: ResidualMotionParams,
) -> dict[str, Any]:
    names = ("common_dy_px", "common_dx_px", "rms_px", "p95_px", "coherence")
    if not len(known):
        return dict.fromkeys(names, float("nan")) | {"verdict": "unknown"}
    common = np.median(known, axis=0)
    local = np.hypot(*(known - common).T)
    p95 = float(np.percentile(local, 95))
    alike = coherence(field - common)
    values = (*common.tolist(), float(np.sqrt(np.mean(local**2))), p95, alike)
    if reliable < options.min_reliable:
        verdict = "unknown"
    elif np.hypot(*common) >= options.limit_px:
        verdict = "shifted"
    elif p95 < options.limit_px:
        verdict = "aligned"
    elif np.isnan(alike):
        verdict = "unknown"
    else:
        verdict = "deformed" if alike >= _COHERENT else "own_motion"
    return dict(zip(names, values, strict=True)) | {"verdict": verdict}
