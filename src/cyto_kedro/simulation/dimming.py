"""Cells that are nearly invisible for a frame or a while."""

from __future__ import annotations

import numpy as np

from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.streams import Stream, generator


class Dimming:
    """Spells of dimming of one role's cells, asked for frame by frame.

    Args:
        params: How often and for how long.
        role: Number of the role, for streams of its own.
    """

    def __init__(self, params: SimulationParams, role: int) -> None:
        self.params, self.role = params, role
        self._ends: np.ndarray = np.zeros(0, dtype=np.int64)

    def of(self, frame: int, count: int) -> np.ndarray:
        """(N,) bool: which of the cells are dim in this frame, the one after the last.

        A cell that begins another spell within one is dim until both are over.
        """
        optics, seed = self.params.optics, self.params.seed
        random = generator(seed, Stream.DIMMING, self.role, frame)
        begins = random.random(count) < optics.dim_probability
        random = generator(seed, Stream.DARKNESS, self.role, frame)
        length = random.geometric(1 / optics.dim_frames, count)
        born = np.zeros(count - len(self._ends), dtype=np.int64)
        self._ends = np.concatenate([self._ends, born])
        longer = np.maximum(self._ends, frame + length)
        self._ends = np.where(begins, longer, self._ends)
        return self._ends > frame
