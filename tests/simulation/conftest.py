"""One small movie with many kills, simulated once."""

from __future__ import annotations

import pytest

from cyto_kedro.simulation import SimulationParams, simulate

SMALL = {
    "seed": 10,
    "n_frames": 36,
    "height_px": 220,
    "width_px": 250,
    "n_effectors": 16,
    "n_targets": 12,
    "killing": {"kill_probability": 0.6},
    "target": {"division_per_hour": 0.6},
}


@pytest.fixture(scope="session")
def small_params():
    return SimulationParams.model_validate(SMALL)


@pytest.fixture(scope="session")
def movie(small_params):
    return simulate(small_params)
