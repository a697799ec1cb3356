"""Classical segmentation: significance, flooding of peaks, and half-height edges.

1. The background is estimated and subtracted; the noise is measured.
2. Pixels above the noise are flooded from the peaks of a locally normalised image, so
   that a dim cell beside a bright one keeps its own peak.
3. Each basin is cut at a share of its own brightness: the edge of a blurred object
   lies at half its height, however bright it is.
4. The foreground is flooded again on brightness times distance to the edge, which
   splits touching cells at dips and at necks; each is cut at its own height.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field
from scipy import ndimage as ndi

from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation.frame_signal import FLOOR_SD, FrameSignal, Scales
from cyto_kedro.methods.segmentation.regions import (
    fill_holes,
    half_levels,
    largest_pieces,
    largest_values,
    mean_values,
    number_kept,
)

# In units of the cell diameter, chosen on a broad plateau of F1 on real images.
_EDGE_SIGMA = 0.04
_BACKGROUND_WINDOW = 4.0
_THREAD_RADIUS = 0.06


class ClassicalOptions(Params):
    """Bright cells on a darker background, found without learning."""

    name: Literal["classical"] = "classical"
    diameter_um: float = Field(
        default=12.0, gt=0, description="typical cell diameter (um); sets all scales"
    )
    smoothing_um: float | None = Field(
        default=None,
        ge=0,
        description="Gaussian sigma before the edge is found (um); null = 4 % of the "
        "diameter",
    )
    background_um: float | None = Field(
        default=None,
        gt=0,
        description="extent over which the background counts as constant (um); null = "
        "4 diameters",
    )
    significance: float = Field(
        default=6.0,
        ge=3,
        description="least height of a cell's peak (noise standard deviations)",
    )
    edge_level: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="edge between the background (0) and the cell's mean (1)",
    )
    min_brightness: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="least mean brightness above background, as a share of the frame's "
        "typical cell; drops haze and debris out of focus",
    )
    split_dip: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="least relative dip between two cells; smaller splits more",
    )
    shape_weight: float = Field(
        default=1.0,
        ge=0,
        description="weight of the outline's necks against the brightness in splitting",
    )


def build(
    options: ClassicalOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a YX image to YX uint32 masks, ids 1..n by descending peak."""
    scales = scales_of(options, spacing_um)

    def segment(image: np.ndarray) -> np.ndarray:
        signal = FrameSignal.of(image, scales)
        cells = find_cells(signal, options, scales, spacing_um)
        mean = mean_values(signal.fine, cells, int(cells.max(initial=0)))
        return number_kept(cells, bright_enough(mean, options))

    return segment


def find_cells(
    signal: FrameSignal,
    options: ClassicalOptions,
    scales: Scales,
    spacing_um: tuple[float, float],
) -> np.ndarray:
    """Significant cells, ids 1..n by descending peak (uint32)."""
    depth = float(-np.log1p(-options.split_dip))
    seed = scales.smallest_seed

    basins = _flood(signal.contrast, signal.candidates, depth, seed)
    foreground = fill_holes(_cut(basins, signal, options).astype(np.uint8)) > 0
    foreground = _without_threads(foreground, options, spacing_um)

    relief = _relief(signal.contrast, foreground, options, spacing_um)
    cells = _flood(relief, foreground, depth, seed)
    cells = fill_holes(largest_pieces(np.where(_cut(cells, signal, options), cells, 0)))
    whole = np.bincount(cells.ravel()) >= scales.smallest_cell
    return number_kept(cells, whole & _significant(cells, signal, options))


def scales_of(options: ClassicalOptions, spacing_um: tuple[float, float]) -> Scales:
    """The lengths of the method in pixels."""
    dy, dx = spacing_um

    def pixels(length_um: float) -> tuple[float, float]:
        return length_um / dy, length_um / dx

    diameter = options.diameter_um
    smoothing = options.smoothing_um
    return Scales(
        cell=pixels(diameter),
        edge=pixels(_EDGE_SIGMA * diameter if smoothing is None else smoothing),
        window=pixels(options.background_um or _BACKGROUND_WINDOW * diameter),
    )


def _flood(height: np.ndarray, mask: np.ndarray, depth: float, seed: int) -> np.ndarray:
    from cyto_kedro.methods.segmentation._kernels import flood

    inside = np.flatnonzero(mask)
    if not inside.size:
        return np.zeros(height.shape, np.int32)
    values = height.ravel()[inside]
    top, bottom = float(values.max()), float(values.min())
    # 16-bit depths below the top are sorted by radix, five times faster than floats.
    scale = 65535 / max(top - bottom, depth)
    below = np.zeros(height.shape, np.uint16)
    below.ravel()[inside] = np.rint((top - values) * scale)
    order = inside[np.argsort(below.ravel()[inside], kind="stable")]
    basins: np.ndarray = flood(below, order, depth * scale, seed)
    return basins


def _cut(
    labels: np.ndarray, signal: FrameSignal, options: ClassicalOptions
) -> np.ndarray:
    """Pixels above the edge level of their label, if that is significant."""
    count = int(labels.max(initial=0))
    level = half_levels(signal.fine, labels, count, options.edge_level)
    level = np.maximum(level, FLOOR_SD * signal.fine_sd)
    level[~_significant(labels, signal, options)] = np.inf
    above: np.ndarray = signal.fine > level[labels]
    return above


def _significant(
    labels: np.ndarray, signal: FrameSignal, options: ClassicalOptions
) -> np.ndarray:
    peaks = largest_values(signal.coarse, labels, int(labels.max(initial=0)))
    significant: np.ndarray = peaks > options.significance * signal.coarse_sd
    significant[0] = False
    return significant


def bright_enough(mean: np.ndarray, options: ClassicalOptions) -> np.ndarray:
    """Cells, by id, that are not far dimmer than the frame's typical cell."""
    order = 1 + np.argsort(mean[1:], kind="stable")
    if not order.size:
        return np.zeros(len(mean), bool)
    # Half of all brightness lies in cells up to the typical one: many specks of haze
    # do not move it, nor does one saturated piece of debris.
    share = np.cumsum(mean[order])
    typical = mean[order][np.searchsorted(share, share[-1] / 2)]
    bright: np.ndarray = mean >= options.min_brightness * typical
    return bright


def _without_threads(
    foreground: np.ndarray, options: ClassicalOptions, spacing_um: tuple[float, float]
) -> np.ndarray:
    """Opening by a small disc: noise at a dim edge grows threads."""
    radius = _THREAD_RADIUS * options.diameter_um
    core = ndi.distance_transform_edt(foreground, sampling=spacing_um) > radius
    if not core.any():
        return core
    opened: np.ndarray = (
        ndi.distance_transform_edt(~core, sampling=spacing_um) <= radius
    )
    return opened & foreground


def _relief(
    contrast: np.ndarray,
    foreground: np.ndarray,
    options: ClassicalOptions,
    spacing_um: tuple[float, float],
) -> np.ndarray:
    """Logarithm of brightness times distance to the edge: dips and necks add up."""
    if not options.shape_weight:
        return contrast
    distance = ndi.distance_transform_edt(foreground, sampling=spacing_um)
    radius = options.diameter_um / 2
    # Capped: the middle of a large cell is no neck of anything.
    share = np.minimum(distance / (1.2 * radius), 1) + 0.05
    relief: np.ndarray = contrast + options.shape_weight * np.log(share)
    return relief.astype(np.float32)
