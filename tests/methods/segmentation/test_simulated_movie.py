"""The shipped parameters on the bundled simulator's frames, against its masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.segmentation.scoring import match_movie
from cyto_kedro.pipelines.segmentation.nodes import segment
from cyto_kedro.pipelines.segmentation.params import SegmentationParams
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams

CONF = Path(__file__).parents[3] / "conf" / "base" / "parameters_segmentation.yml"
FRAMES = (0, 30, 59)


@pytest.fixture(scope="module")
def movie():
    return simulate(SimulationParams())


@pytest.mark.parametrize("role", ["tcell", "cancer"])
def test_most_cells_are_found_with_their_outline(movie, role):
    shipped = SegmentationParams(
        **yaml.safe_load(CONF.read_text())["segmentation"][role]
    )
    images = np.stack([movie.frame(role, t) for t in FRAMES])
    truth = np.stack([movie.mask(role, t) for t in FRAMES])
    calibration = Calibration.regular(images.shape, movie.params.pixel_size_um)
    found = segment(images, calibration, shipped).compute()
    half, most, tight = match_movie(truth, found)
    assert half.precision > 0.97
    # Slivers at the border and cells dimmed by the simulator are out of reach.
    assert half.recall > 0.85
    assert most.f1 > 0.9
    assert tight.f1 > 0.85


def test_the_control_without_effectors_has_none(movie):
    control = simulate(movie.params.model_copy(update={"n_effectors": 0}))
    shipped = SegmentationParams(
        **yaml.safe_load(CONF.read_text())["segmentation"]["tcell"]
    )
    images = np.stack([control.frame("tcell", t) for t in FRAMES])
    calibration = Calibration.regular(images.shape, control.params.pixel_size_um)
    assert not segment(images, calibration, shipped).compute().any()
