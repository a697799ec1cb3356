"""The contract that every segmentation method keeps, and its place in the params."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.segmentation import SEGMENTERS, build_segmenter
from cyto_kedro.methods.segmentation.scoring import match_cells
from cyto_kedro.methods.segmentation.tiling import TilesOptions
from cyto_kedro.pipelines.segmentation.params import SegmentationParams

SPACING = (0.65, 0.65)


# What has to be given beside the name.
REQUIRED = {"stardist": {"model": "a_model_folder"}}


LEARNED = {"cellpose", "stardist"}


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.learned] if name in LEARNED else [])
        for name in sorted(SEGMENTERS)
    ]
)
def built(request):
    """A maker of each method; for StarDist without the network: it needs TensorFlow."""
    name, chosen = request.param, {}
    if name == "cellpose":
        weights = request.getfixturevalue("small_cellpose")
        chosen = {"model": str(weights), "diameter_um": 12.0}
    elif name == "stardist":
        chosen = {"model": str(request.getfixturevalue("ideal_stardist"))}
    options = SEGMENTERS[name].options(**chosen)
    return lambda tiles=None: build_segmenter(name, options, SPACING, tiles)


@pytest.fixture
def segment(built):
    """Each method with default tiles: these small frames stay in one piece."""
    return built()


def picture(seed=0):
    """Three discs of 12 um on noise."""
    rows, columns = np.mgrid[:90, :120]
    image = np.full(rows.shape, 100.0)
    for y, x in ((25, 25), (60, 40), (40, 95)):
        image[(rows - y) ** 2 + (columns - x) ** 2 < (6 / 0.65) ** 2] += 200
    return np.random.default_rng(seed).poisson(image).astype(np.uint16)


def test_finds_the_cells_as_consecutive_uint32(segment):
    labels = segment(picture())
    assert labels.shape == (90, 120)
    assert labels.dtype == np.uint32
    assert set(np.unique(labels)) == {0, 1, 2, 3}


def test_tiles_give_the_same_cells(built):
    tiles = TilesOptions(size_px=45, overlap_px=30)
    whole, tiled = built()(picture()), built(tiles)(picture())
    assert tiled.dtype == np.uint32
    # The cells in the order of their first pixel.
    assert [np.argmax(tiled == k) for k in (1, 2, 3)] == sorted(
        np.argmax(tiled == k) for k in (1, 2, 3)
    )
    assert match_cells(whole, tiled, [0.8])[0].true_positives == 3


@pytest.mark.parametrize("tiles", [None, TilesOptions(size_px=32, overlap_px=8)])
def test_an_empty_tile_or_frame_has_no_cell(built, tiles):
    assert not built(tiles)(np.full((40, 70), 7, np.uint16)).any()


@pytest.mark.parametrize("name", sorted(set(SEGMENTERS) - LEARNED))
@pytest.mark.parametrize("size", [None, 333])
def test_ten_thousand_cells_in_a_frame(name, size):
    pitch, side = 9, 100
    rows, columns = np.mgrid[: pitch * side, : pitch * side] % pitch - pitch // 2
    cells = rows**2 + columns**2 < 10
    image = np.random.default_rng(0).poisson(100 + 400 * cells).astype(np.uint16)
    chosen = {"diameter_um": 6.0} if name == "classical" else {"min_distance_um": 2.0}
    find = build_segmenter(
        name,
        SEGMENTERS[name].options(**chosen),
        (1.0, 1.0),
        TilesOptions(size_px=size),
    )
    labels = find(image)
    assert labels.max() == side * side
    assert len(np.unique(labels[pitch // 2 :: pitch, pitch // 2 :: pitch])) == side**2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_any_dtype(segment, dtype):
    image = (picture() // 2).astype(dtype)
    assert segment(image).max() == 3


@pytest.mark.parametrize("level", [0, 1, 60000])
def test_a_flat_frame_has_no_cell(segment, level):
    assert not segment(np.full((40, 50), level, np.uint16)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 3), (7, 90)])
def test_tiny_frames(segment, shape):
    labels = segment(np.random.default_rng(0).poisson(100, shape).astype(np.uint16))
    assert labels.shape == shape
    assert labels.dtype == np.uint32


def test_same_answer_again_and_the_image_untouched(segment):
    image = picture()
    before = image.copy()
    first = segment(image)
    np.testing.assert_array_equal(segment(image), first)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_undefined_pixels_are_refused(segment, bad):
    image = picture().astype(np.float32)
    image[3, 4] = bad
    with pytest.raises(InputError, match="NaN or infinite"):
        segment(image)


def test_every_method_can_be_chosen_in_the_parameters():
    union = SegmentationParams.model_fields["method"].annotation
    assert set(get_args(union)) == {method.options for method in SEGMENTERS.values()}
    for name in SEGMENTERS:
        chosen = {"name": name} | REQUIRED.get(name, {})
        assert SegmentationParams(method=chosen).method.name == name
