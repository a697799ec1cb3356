"""Register a movie frame by frame with any method that registers a pair.

Each frame starts from where the last one lay, so that rotation and stretch may grow
over the movie; a correlation finds how far it jumped since; and the pair method is
always given the first frame or the template, so that errors do not build up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import dask.array as da
import numpy as np
from pydantic import Field

from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.params import Params
from cyto_kedro.methods.preprocessing import phase_correlation as pair
from cyto_kedro.methods.preprocessing.background import wide_blur
from cyto_kedro.methods.preprocessing.binning import binned, fold_of
from cyto_kedro.methods.preprocessing.blocks import has_texture
from cyto_kedro.methods.preprocessing.estimate import Estimate
from cyto_kedro.methods.preprocessing.spectra import Band, spectrum
from cyto_kedro.methods.preprocessing.transforms import Rectangle
from cyto_kedro.methods.preprocessing.warps import Shape, Transform, warped

#: Registers a frame to a reference from a first guess; None where it cannot.
Register = Callable[[np.ndarray, np.ndarray, Transform], Transform | None]

_SHADING = 2.0  # standard deviations of the band's upper limit
_CLEAR_PROMINENCE = 8.0  # a correlation peak of so many standard deviations
_LEAST_OVERLAP = 0.2  # share of height and width that two frames must have in common
_SCALES = 0.5, 2.0  # a frame is not larger or smaller than this beside the reference


class FollowParams(Params):
    """How frames are prepared and what they are compared with."""

    reference: Literal["first", "previous", "running_template"] = Field(
        default="running_template",
        description="what a frame is compared with: the first frame; the mean of the "
        "last registered frames; or that mean after the jump from the previous frame "
        "was found (follows changes of appearance)",
    )
    template_frames: int = Field(
        default=10, ge=1, le=1000, description="length of the running mean (frames)"
    )
    smooth_px: float = Field(
        default=1.5, ge=0, le=50, description="detail finer than this is noise (px)"
    )
    background_px: float = Field(
        default=20.0, gt=0, le=1000, description="shading is coarser than this (px)"
    )
    max_shift_px: float | None = Field(
        default=None,
        gt=0,
        description="largest jump from frame to frame believed, per axis (px)",
    )
    min_quality: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="correlation below which a frame takes its neighbours' transform",
    )


def follow(
    stack: da.Array | np.ndarray,
    options: FollowParams,
    register: Callable[[Shape, int], Register],
) -> Estimate:
    """Register every frame of a TYX stack, streaming.

    Blank, saturated and unrecognisable frames are not trusted and never enter the
    template.

    Args:
        stack: TYX images.
        options: Preparation and reference.
        register: Makes the pair method for (Y, X) of the binned frames and the pixels
            per bin.
    """
    shape = (stack.shape[1], stack.shape[2])
    fold = fold_of(shape, options.smooth_px)
    small = (shape[0] // fold, shape[1] // fold)
    band = Band(options.smooth_px / fold, options.background_px / fold)

    def prepare(frame: int, plane: np.ndarray) -> np.ndarray | None:
        if not np.isfinite(plane).all() or plane.min() == plane.max():
            return None
        work = binned(plane, fold)
        work -= wide_blur(work, _SHADING * band.background_px, pixels_per_sigma=4)
        return work if has_texture(work, band) else None

    walker = _Walker(options, band, fold, register(small, fold))
    found: list[Transform | None] = []
    quality = np.full(len(stack), np.nan)
    for frame, plane in enumerate(over_frames(prepare, stack)):
        placed = None if plane is None else walker.follow(plane)
        found.append(placed and placed[0].enlarged(fold, small, shape))
        if placed is not None:
            quality[frame] = placed[1]
    return collected(found, quality)


def collected(found: list[Transform | None], quality: np.ndarray) -> Estimate:
    """Transforms, None where not trusted, as one estimate."""
    count = len(found)
    shifts, linear = np.full((count, 2), np.nan), np.tile(np.eye(2), (count, 1, 1))
    grids = [each.field for each in found if each is not None and each.field]
    nodes = (grids[0].y_px, grids[0].x_px) if grids else None
    fields = np.zeros((count, *grids[0].values.shape)) if grids else None
    for frame, each in enumerate(found):
        if each is None:
            continue
        shifts[frame], linear[frame] = each.shift, each.linear
        if each.field is not None and fields is not None:
            fields[frame] = each.field.values
    return Estimate(shifts, quality, linear, nodes, fields)


@dataclass
class _Walker:
    """Registers frames one after another and keeps the template up to date."""

    options: FollowParams
    band: Band
    fold: int
    register: Register

    def __post_init__(self) -> None:
        self._template: np.ndarray | None = None
        self._previous: np.ndarray | None = None
        self._last = Transform()
        self._count = 0

    def follow(self, plane: np.ndarray) -> tuple[Transform, float] | None:
        """(transform, quality) of the next frame, or None if it cannot be trusted."""
        if self._template is None or self._previous is None:
            self._template = self._previous = plane.copy()
            self._count = 1
            return self._last, 1.0
        guess, prominence = self._guess(plane)
        found = self.register(self._template, plane, guess)
        if found is None or not _sane(found):
            return None
        fresh, area = warped(plane, found, "linear")
        quality = self._quality(fresh, area)
        clear = prominence >= _CLEAR_PROMINENCE and quality > 0
        if not (clear or quality >= self.options.min_quality):
            return None
        self._last = found
        self._remember(fresh, area)
        return found, quality

    def _guess(self, plane: np.ndarray) -> tuple[Transform, float]:
        """Where the last frame lay, and how far this one jumped since."""
        chained = self.options.reference == "previous"
        anchor = self._previous if chained else self._template
        assert anchor is not None
        canvas = _on_canvas(*warped(plane, self._last, "linear"), plane.shape)
        limit = self.options.max_shift_px
        height, width = plane.shape
        jump, prominence = pair.locate(
            spectrum(anchor),
            spectrum(canvas),
            (height, width),
            self.band,
            None if limit is None else limit / self.fold,
        )
        clear = prominence >= _CLEAR_PROMINENCE
        return (self._last.then(jump) if clear else self._last), prominence

    def _quality(self, fresh: np.ndarray, area: Rectangle) -> float:
        """Correlation with the template, both smoothed; NaN where they hardly meet."""
        from scipy import ndimage

        assert self._template is not None
        y0, y1, x0, x1 = area
        pairs = zip(fresh.shape, self._template.shape, strict=True)
        if any(part < _LEAST_OVERLAP * whole for part, whole in pairs):
            return float("nan")
        sigma = self.band.smooth_px
        both = (fresh, self._template[y0:y1, x0:x1])
        ours, theirs = (ndimage.gaussian_filter(each, sigma) for each in both)
        ours, theirs = ours - ours.mean(), theirs - theirs.mean()
        power = float(np.sqrt(np.vdot(ours, ours) * np.vdot(theirs, theirs)))
        return float(np.vdot(ours, theirs)) / power if power > 0 else float("nan")

    def _remember(self, fresh: np.ndarray, area: Rectangle) -> None:
        self._count += 1
        assert self._template is not None
        self._previous = _on_canvas(fresh, area, self._template.shape)
        if self.options.reference != "first":
            y0, y1, x0, x1 = area
            share = np.float32(1 / min(self._count, self.options.template_frames))
            part = self._template[y0:y1, x0:x1]
            part += share * (fresh - part)


def _on_canvas(part: np.ndarray, area: Rectangle, shape: tuple[int, ...]) -> np.ndarray:
    canvas = np.zeros(shape, np.float32)
    y0, y1, x0, x1 = area
    canvas[y0:y1, x0:x1] = part
    return canvas


def _sane(transform: Transform) -> bool:
    matrix = np.asarray(transform.linear)
    if not (np.isfinite(matrix).all() and np.isfinite(transform.shift).all()):
        return False
    low, high = _SCALES
    return bool(low**2 <= np.linalg.det(matrix) <= high**2)
