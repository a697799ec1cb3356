"""Drift of a whole movie: the methods, and one translation per frame in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import dask.array as da
import numpy as np
from pydantic import Field

from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.params import Params
from cyto_kedro.methods.preprocessing import phase_correlation as pair
from cyto_kedro.methods.preprocessing.ants_registration import (
    AntsRegistration,
    ants_registration,
)
from cyto_kedro.methods.preprocessing.background import wide_blur
from cyto_kedro.methods.preprocessing.binning import binned, fold_of
from cyto_kedro.methods.preprocessing.block_correlation import (
    BlockCorrelation,
    block_correlation,
)
from cyto_kedro.methods.preprocessing.estimate import Estimate
from cyto_kedro.methods.preprocessing.spectra import Band, Shift, spectrum, structure
from cyto_kedro.methods.preprocessing.transforms import moved, valid_rectangle

# Mean power in the band over that of the finest detail: white noise has 1.
_LEAST_STRUCTURE = 1.3
_SHADING = 2.0  # standard deviations of the band's upper limit
# A correlation peak that many standard deviations high is not chance.
_CLEAR_PROMINENCE = 8.0


class NoRegistration(Params):
    """The stage did not move, or the drift does not matter."""

    name: Literal["none"] = "none"


class PhaseCorrelation(Params):
    """Translation by Fourier cross-correlation, to a few hundredths of a pixel."""

    name: Literal["phase_correlation"] = "phase_correlation"
    reference: Literal["first", "previous", "running_template"] = Field(
        default="running_template",
        description="what a frame is compared with: the first frame; the previous one "
        "(follows large drift and change of appearance); or the mean of the last "
        "registered frames (moving cells blur out of it)",
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
        default=None, gt=0, description="largest jump believed, per axis (px)"
    )
    robust_rounds: int = Field(
        default=4,
        ge=0,
        le=20,
        description="rounds in which cells that move on their own lose weight; 0 = off",
    )
    min_quality: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="correlation below which a frame takes its neighbours' shift",
    )


def no_drift(stack: da.Array | np.ndarray, options: NoRegistration) -> Estimate:
    """Zero shifts without looking at the frames."""
    return Estimate(np.zeros((len(stack), 2)), np.full(len(stack), np.nan))


def phase_correlation(
    stack: da.Array | np.ndarray, options: PhaseCorrelation
) -> Estimate:
    """Register every frame of a TYX stack, streaming.

    Blank, saturated and unrecognisable frames are not trusted and never enter the
    template. Errors do not build up: the last refinement is always made against the
    first frame or the template, never against the previous frame alone (unless drift
    has left the template's field).
    """

    fold = fold_of(stack.shape[1:], options.smooth_px)
    scaled = _in_bins(options, fold)

    def prepare(frame: int, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        flat = not np.isfinite(plane).all() or plane.min() == plane.max()
        plane = binned(plane, fold)
        # Shading would leak through the window's edges into the band.
        plane -= wide_blur(plane, _SHADING * scaled.background_px, pixels_per_sigma=4)
        return plane, None if flat else spectrum(plane)

    follower = _Follower(scaled)
    shifts = np.full((len(stack), 2), np.nan)
    quality = np.full(len(stack), np.nan)
    for frame, (plane, frequencies) in enumerate(over_frames(prepare, stack)):
        found = None if frequencies is None else follower.follow(plane, frequencies)
        if found is not None:
            shifts[frame], quality[frame] = found
    return Estimate(shifts * fold, quality)


def _in_bins(options: PhaseCorrelation, fold: int) -> PhaseCorrelation:
    limit = options.max_shift_px
    return options.model_copy(
        update={
            "smooth_px": options.smooth_px / fold,
            "background_px": options.background_px / fold,
            "max_shift_px": None if limit is None else limit / fold,
        }
    )


@dataclass
class _Seen:
    """A frame or template that others are registered to, and where it lies."""

    plane: np.ndarray
    frequencies: np.ndarray
    shift: Shift


class _Follower:
    """Registers frames one after another and keeps the template up to date."""

    def __init__(self, options: PhaseCorrelation) -> None:
        self._options = options
        self._band = Band(options.smooth_px, options.background_px)
        self._template: _Seen | None = None
        self._previous: _Seen | None = None
        self._count = 0

    def follow(
        self, plane: np.ndarray, frequencies: np.ndarray
    ) -> tuple[Shift, float] | None:
        """(shift, quality) of the next frame, or None if it cannot be trusted."""
        height, width = plane.shape
        if self._template is None:
            if structure(frequencies, (height, width), self._band) < (_LEAST_STRUCTURE):
                return None
            found: tuple[Shift, float] | None = ((0.0, 0.0), 1.0)
        else:
            found = self._register(plane, frequencies)
        if found is not None:
            self._remember(_Seen(plane, frequencies, found[0]))
        return found

    def _register(
        self, plane: np.ndarray, frequencies: np.ndarray
    ) -> tuple[Shift, float] | None:
        template, previous = self._template, self._previous
        assert template is not None and previous is not None
        chained = self._options.reference == "previous"
        anchor = previous if chained else template
        height, width = plane.shape
        jump, prominence = pair.locate(
            anchor.frequencies,
            frequencies,
            (height, width),
            self._band,
            self._options.max_shift_px,
        )
        guess = _sum(anchor.shift, jump)
        shift, quality = pair.refine(template.plane, plane, guess, self._band)
        if np.isnan(quality) and chained:
            step, quality = pair.refine(previous.plane, plane, jump, self._band)
            shift = _sum(previous.shift, step)
        elif np.isfinite(quality):
            rounds = self._options.robust_rounds
            shift = pair.steady(template.plane, plane, shift, self._band, rounds)
        clear = prominence >= _CLEAR_PROMINENCE and quality > 0
        if clear or quality >= self._options.min_quality:
            return shift, quality
        return None

    def _remember(self, seen: _Seen) -> None:
        self._count += 1
        if self._template is None:
            start = seen.plane.astype(np.float32)
            self._template = _Seen(start, seen.frequencies, (0.0, 0.0))
        elif self._options.reference != "first":
            self._update(self._template.plane, seen)
            if self._options.reference == "running_template":
                self._template.frequencies = spectrum(self._template.plane)
        self._previous = seen

    def _update(self, template: np.ndarray, seen: _Seen) -> None:
        height, width = template.shape
        y0, y1, x0, x1 = valid_rectangle(seen.shift, (height, width))
        fresh = moved(seen.plane, seen.shift, "linear").astype(np.float32, copy=False)
        share = np.float32(1 / min(self._count, self._options.template_frames))
        part = template[y0:y1, x0:x1]
        part += share * (fresh - part)


def _sum(one: Shift, other: Shift) -> Shift:
    return one[0] + other[0], one[1] + other[1]


@dataclass(frozen=True)
class Registration:
    """A way to estimate drift: its options and its function."""

    options: type[Params]
    estimate: Callable[[da.Array | np.ndarray, Any], Estimate]


REGISTRATIONS: dict[str, Registration] = {
    "none": Registration(NoRegistration, no_drift),
    "phase_correlation": Registration(PhaseCorrelation, phase_correlation),
    "block_correlation": Registration(BlockCorrelation, block_correlation),
    "ants": Registration(AntsRegistration, ants_registration),
}
