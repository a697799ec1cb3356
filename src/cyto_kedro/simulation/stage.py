"""Where the stage was in each frame."""

from __future__ import annotations

import numpy as np

from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.streams import Stream, generator

_WAVES = 3


def drift_px(params: SimulationParams) -> np.ndarray:
    """(T, 2) displacement of the image content since frame 0 (rows, columns; px).

    A sum of slow waves of the given amplitude and one jump; sub-pixel on purpose.
    """
    random = generator(params.seed, Stream.STAGE)
    time = np.arange(params.n_frames) / max(params.n_frames - 1, 1)
    cycles = random.uniform(0.3, 1.6, (_WAVES, 2))
    phase = random.uniform(0, 2 * np.pi, (_WAVES, 2))
    weight = random.dirichlet(np.ones(_WAVES), 2).T
    waves = np.sin(2 * np.pi * cycles * time[:, None, None] + phase)
    drift = params.stage.drift_um * (weight * waves).sum(axis=1)
    angle = random.uniform(0, 2 * np.pi)
    jump = params.stage.jump_um * np.array([np.sin(angle), np.cos(angle)])
    drift[time > params.stage.jump_at] += jump
    return (drift - drift[0]) / params.pixel_size_um
