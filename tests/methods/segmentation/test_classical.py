"""The classical method against pictures whose cells are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from cyto_kedro.methods.segmentation import build_segmenter, clean_labels
from cyto_kedro.methods.segmentation.classical import ClassicalOptions
from cyto_kedro.methods.segmentation.scoring import match_cells

SHAPE = (160, 200)
DIAMETER = 16.0  # px, with 1 um per pixel


def segmenter(spacing=(1.0, 1.0), **options):
    chosen = ClassicalOptions(**{"diameter_um": DIAMETER} | options)
    return build_segmenter("classical", chosen, spacing)


def discs(centres, radius=DIAMETER / 2, shape=SHAPE):
    """True masks, ids in the order of the centres."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    masks = np.zeros(shape, np.uint32)
    for number, (y, x) in enumerate(centres, start=1):
        masks[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = number
    return masks


def photograph(masks, light, background=100.0, blur=1.0, seed=0):
    """Poisson counts; ``light`` is one brightness or one per cell."""
    gain = np.concatenate([[0], np.broadcast_to(light, int(masks.max()))])
    clear = ndi.gaussian_filter(gain[masks], blur) + background
    return np.random.default_rng(seed).poisson(clear).astype(np.uint16)


def f1(truth, labels, iou=0.8):
    return match_cells(truth, labels, [iou])[0].f1


GRID = [(y, x) for y in (25, 80, 135) for x in (30, 80, 130, 175)]


@pytest.mark.parametrize("light", [40, 150, 2000])
def test_separate_discs_are_found_with_their_outline(light):
    truth = discs(GRID)
    labels = segmenter()(photograph(truth, light))
    assert f1(truth, labels) == 1
    # Half height is the true edge, however bright the cell: no bias in area.
    ratio = np.bincount(labels.ravel())[1:].mean() / np.bincount(truth.ravel())[1:]
    assert ratio.mean() == pytest.approx(1, abs=0.06)


def test_dim_cells_beside_bright_ones():
    truth = discs([(60, 60), (60, 80), (100, 120), (118, 120)])
    labels = segmenter()(photograph(truth, [2000, 300, 250, 1500], blur=1.5))
    assert f1(truth, labels, iou=0.7) == 1


def test_touching_discs_are_split_and_one_disc_is_not():
    pairs = [(40, 40), (40, 55), (100, 60), (111, 71), (100, 140), (120, 140)]
    truth = discs([*pairs, (40, 140)])
    assert f1(truth, segmenter()(photograph(truth, 200))) == 1


def test_sizes_from_half_to_twice_the_stated_diameter():
    truth = discs([(40, 40)], radius=4.5)
    truth[discs([(90, 120)], radius=15) > 0] = 2
    assert f1(truth, segmenter()(photograph(truth, 300))) == 1


def test_uneven_illumination():
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    shade = 0.3 + 0.7 * (rows / SHAPE[0]) * (columns / SHAPE[1])
    truth = discs(GRID)
    clear = (ndi.gaussian_filter(200.0 * (truth > 0), 1) + 400) * shade
    image = np.random.default_rng(1).poisson(clear).astype(np.uint16)
    assert f1(truth, segmenter()(image)) == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("correlated", [False, True])
def test_noise_on_a_shaded_background_has_no_cell(seed, correlated):
    rows, columns = np.mgrid[:200, :200] / 200
    clear = 300 * (1 - 0.5 * ((rows - 0.4) ** 2 + (columns - 0.5) ** 2))
    noise = np.random.default_rng(seed).poisson(clear).astype(np.float64)
    if correlated:  # what interpolation and denoising leave behind
        noise = ndi.gaussian_filter(noise, 1.5)
    for diameter in (8.0, 16.0, 40.0):
        assert segmenter(diameter_um=diameter)(noise).max() == 0


def test_haze_is_no_cell():
    truth = discs(GRID)
    haze = discs([(52, 105)], radius=14)
    image = photograph(truth, 2000) + 5 * ndi.gaussian_filter(haze * 20.0, 4)
    assert segmenter()(image).max() == len(GRID)
    assert segmenter(min_brightness=0)(image).max() > len(GRID)


@settings(max_examples=12, deadline=None)
@given(gain=st.integers(1, 16), offset=st.integers(0, 30000))
def test_gain_and_offset_of_the_camera_do_not_matter(gain, offset):
    image = photograph(discs(GRID), 150).astype(np.int64)
    expected = segmenter()(image) > 0
    found = segmenter()(gain * image + offset) > 0
    # float32 rounds differently, on a pixel or two
    assert (expected != found).sum() <= 5


def test_pixels_need_not_be_square():
    truth = discs(GRID)
    image = photograph(truth, 300)
    squeezed = image[::2]
    labels = segmenter(spacing=(2.0, 1.0))(squeezed)
    assert f1(truth[::2], labels, iou=0.7) == 1


def test_a_significance_that_nothing_reaches_leaves_nothing():
    image = photograph(discs(GRID), 60)
    assert segmenter()(image).max() == len(GRID)
    assert segmenter(significance=1e4)(image).max() == 0


@pytest.mark.real_data
def test_real_nuclei_with_hand_made_masks(real_data):
    from tifffile import imread

    image = imread(real_data / "nuclei_still" / "img2d.tif")
    truth = imread(real_data / "nuclei_still" / "mask2d.tif")
    labels = clean_labels(segmenter(diameter_um=26)(image), 1.0, min_area_um2=50)
    half, most = match_cells(truth, labels, [0.5, 0.7])
    assert half.f1 > 0.82
    assert most.f1 > 0.72


@pytest.mark.real_data
def test_real_migrating_nuclei(real_data):
    from tifffile import imread

    images = imread(real_data / "laptrack_examples" / "example_images.tif")
    truth = imread(real_data / "laptrack_examples" / "example_label.tif")
    labels = clean_labels(segmenter(diameter_um=24)(images[0]), 1.0, min_area_um2=50)
    half, most = match_cells(truth[0], labels, [0.5, 0.7])
    assert half.f1 > 0.87
    assert most.f1 > 0.77


@pytest.mark.parametrize("size", [40, 64, 96])
def test_a_field_of_few_cells_has_no_false_ones(size):
    y, x = np.mgrid[:size, :size]
    spot = 2000 * np.exp(-((y - 20) ** 2 + (x - 18) ** 2) / 120)
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 15, (size, size))
        options = ClassicalOptions(diameter_um=20)
        segment = build_segmenter("classical", options, (0.65, 0.65))
        assert segment((300 + spot + noise).astype(np.uint16)).max() == 1
