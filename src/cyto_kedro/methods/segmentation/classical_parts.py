"""The classical method on a large frame: whole levels, cells window by window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.segmentation.classical import (
    ClassicalOptions,
    bright_enough,
    find_cells,
    scales_of,
)
from cyto_kedro.methods.segmentation.frame_levels import FrameLevels
from cyto_kedro.methods.segmentation.regions import number_kept

_REACH = 3.0  # cell diameters: a large cell, and the neighbours that it is split from


@dataclass(frozen=True)
class ClassicalParts:
    """One frame, measured and ready (see :class:`tiling.Parts`)."""

    levels: FrameLevels
    options: ClassicalOptions
    spacing_um: tuple[float, float]

    @property
    def reach_px(self) -> int:
        """How far from a cell's centre pixels still matter to its mask."""
        return round(_REACH * max(self.levels.scales.cell))

    def find(self, rows: slice, columns: slice) -> np.ndarray:
        """Cells of a window, dim ones included."""
        signal = self.levels.signal(rows, columns)
        return find_cells(signal, self.options, self.levels.scales, self.spacing_um)

    def finish(self, labels: np.ndarray) -> np.ndarray:
        """Drop cells that are far dimmer than the whole frame's typical cell."""
        count = int(labels.max(initial=0))
        total, area = np.zeros(count + 1), np.zeros(count + 1)
        for rows in self.levels.strips:
            fine = self.levels.fine(rows, slice(0, labels.shape[1]))
            inside = labels[rows] > 0
            ids = labels[rows][inside]
            total += np.bincount(ids, fine[inside], count + 1)
            area += np.bincount(ids, minlength=count + 1)
        return number_kept(
            labels, bright_enough(total / np.maximum(area, 1), self.options)
        )


def by_parts(
    options: ClassicalOptions, spacing_um: tuple[float, float]
) -> Callable[[np.ndarray], ClassicalParts]:
    """A function that makes a YX frame ready to be segmented window by window."""
    scales = scales_of(options, spacing_um)

    def parts(image: np.ndarray) -> ClassicalParts:
        return ClassicalParts(FrameLevels.of(image, scales), options, spacing_um)

    return parts
