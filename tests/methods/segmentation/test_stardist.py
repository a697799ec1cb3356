"""StarDist: what it needs is asked for first; polygons become masks as they should.

The network itself needs TensorFlow and trained weights, which tests do not have.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.segmentation.scoring import match_cells
from cyto_kedro.methods.segmentation.stardist import (
    StarDistOptions,
    build,
    masks_of_polygons,
)
from small_cellpose import simulated

RAYS = 32


@pytest.fixture
def needs_stardist():
    pytest.importorskip("stardist", reason="the extra 'stardist' is not installed")


def circles(shape, cells):
    """Answers of a network that sees circles: (y, x, radius, probability)."""
    prob = np.zeros(shape, np.float32)
    dist = np.ones((*shape, RAYS), np.float32)
    for y, x, radius, score in cells:
        prob[y, x], dist[y, x] = score, radius
    return prob, dist


@pytest.mark.learned
def test_circles_have_their_place_and_area(needs_stardist):
    cells = [(30, 30, 10, 0.9), (30, 70, 14, 0.8), (75, 50, 6, 0.7)]
    masks = masks_of_polygons(*circles((100, 100), cells), (100, 100))
    assert masks.dtype == np.uint32
    for y, x, radius, _ in cells:
        inside = masks == masks[y, x]
        # A polygon of n rays has n/2 sin(2 pi/n) r^2.
        area = RAYS / 2 * np.sin(2 * np.pi / RAYS) * radius**2
        assert np.count_nonzero(inside) == pytest.approx(area, rel=0.08)
        np.testing.assert_allclose(np.argwhere(inside).mean(axis=0), (y, x), atol=0.5)
    assert len(np.unique(masks)) == 4


@pytest.mark.learned
@pytest.mark.parametrize(("nms", "cells"), [(0.3, 1), (0.9, 2)])
def test_of_two_that_overlap_the_likelier_stays(needs_stardist, nms, cells):
    # Two discs of 12 px at a distance of 6 share 0.68 of their area.
    answers = circles((80, 80), [(40, 37, 12, 0.6), (40, 43, 12, 0.9)])
    masks = masks_of_polygons(*answers, (80, 80), nms_threshold=nms)
    assert len(np.unique(masks)) - 1 == cells
    assert masks[40, 40] == masks[40, 50], "the likelier one is on top"


@pytest.mark.learned
def test_unlikely_points_are_no_candidates(needs_stardist):
    answers = circles((60, 60), [(20, 20, 8, 0.45), (40, 40, 8, 0.55)])
    masks = masks_of_polygons(*answers, (60, 60), prob_threshold=0.5)
    assert masks[20, 20] == 0 != masks[40, 40]
    assert not masks_of_polygons(*answers, (60, 60), prob_threshold=0.6).any()


@pytest.mark.learned
def test_a_coarse_grid_keeps_pixels_as_the_unit(needs_stardist):
    prob, dist = circles((30, 40), [(12, 20, 10, 0.9)])
    masks = masks_of_polygons(prob, dist, (60, 80), grid=(2, 2))
    assert masks.shape == (60, 80)
    np.testing.assert_allclose(np.argwhere(masks).mean(axis=0), (24, 40), atol=0.5)
    assert np.count_nonzero(masks) == pytest.approx(np.pi * 100, rel=0.08)


@pytest.mark.learned
def test_true_distances_give_back_the_true_cells(needs_stardist):
    """Star-convex cells survive the detour over polygons."""
    from stardist.geometry import star_dist
    from stardist.utils import edt_prob

    _, masks, _ = simulated(7, "cancer", (30,))
    truth = masks[0].astype(np.uint16)
    found = masks_of_polygons(edt_prob(truth), star_dist(truth, RAYS), truth.shape)
    half, most = match_cells(truth, found, (0.5, 0.8))
    assert half.precision == 1
    assert half.recall > 0.9, "cells with their centre at the border are left out"
    assert most.f1 > 0.85


@pytest.mark.learned
def test_the_masks_do_not_depend_on_the_frames_before(ideal_stardist):
    images, _, _ = simulated(7, "cancer", (0, 30))
    alone = build(StarDistOptions(model=str(ideal_stardist)), (0.65, 0.65))(images[1])
    find = build(StarDistOptions(model=str(ideal_stardist)), (0.65, 0.65))
    find(images[0])
    np.testing.assert_array_equal(find(images[1]), alone)
    assert alone.max() > 10


def test_tensorflow_is_asked_for_before_any_frame(model_folder, monkeypatch):
    monkeypatch.setattr(
        "cyto_kedro.methods.segmentation.learned.find_spec",
        lambda name: None if name == "tensorflow" else object(),
    )
    with pytest.raises(ConfigError, match=r"'stardist' needs tensorflow"):
        build(StarDistOptions(model=str(model_folder)), (1.0, 1.0))


def test_a_folder_without_a_model_is_refused(model_folder):
    options = StarDistOptions(model=str(model_folder))
    options.check_ready()
    assert options.input_files == (model_folder,)
    (model_folder / "weights_best.h5").unlink()
    with pytest.raises(ConfigError, match="no weights"):
        options.check_ready()
    (model_folder / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="no folder of a StarDist model"):
        options.check_ready()
    with pytest.raises(
        ConfigError, match=r"2D_versatile_fluo[\s\S]*nothing is downloaded"
    ):
        StarDistOptions(model="2D_versatile_fluo").check_ready()


@pytest.mark.parametrize("other", [{"n_dim": 3}, {"n_channel_in": 3}])
def test_a_model_for_other_images_is_refused(model_folder, other):
    path = model_folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | other))
    with pytest.raises(ConfigError, match="one 2D image"):
        StarDistOptions(model=str(model_folder)).check_ready()


def test_the_model_has_to_be_named():
    with pytest.raises(ValidationError, match="model"):
        StarDistOptions()
