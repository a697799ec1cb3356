"""One tile equals many: the same cells, and no seam from levels of a tile's own."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage as ndi

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.segmentation import build_segmenter, clean_labels
from cyto_kedro.methods.segmentation.classical import ClassicalOptions, scales_of
from cyto_kedro.methods.segmentation.frame_levels import FrameLevels
from cyto_kedro.methods.segmentation.frame_signal import FrameSignal
from cyto_kedro.methods.segmentation.otsu_watershed import OtsuWatershedOptions
from cyto_kedro.methods.segmentation.scoring import match_cells
from cyto_kedro.methods.segmentation.tiling import TilesOptions
from cyto_kedro.pipelines.segmentation.nodes import segment
from cyto_kedro.pipelines.segmentation.params import SegmentationParams

DIAMETER = 13.0


def field(side=420, seed=0, uneven=0.9):
    """Touching ellipses of unequal brightness under an uneven illumination."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    truth, clear = np.zeros((side, side), np.uint32), np.zeros((side, side))
    for number in range(1, side * side // 1000):
        y, x = rng.uniform(0, side, 2)
        a, b = DIAMETER / 2 * rng.uniform(0.8, 1.3, 2)
        cell = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
        cell &= truth == 0
        truth[cell], clear[cell] = number, rng.uniform(60, 300)
    clear = (ndi.gaussian_filter(clear, 1) + 200) * (1.2 - uneven * columns / side)
    return rng.poisson(clear).astype(np.uint16), truth


def method(name="classical", size=None, overlap="auto", **options):
    kinds = {"classical": ClassicalOptions, "otsu_watershed": OtsuWatershedOptions}
    if name == "classical":
        options = {"diameter_um": DIAMETER} | options
    tiles = TilesOptions(size_px=size, overlap_px=overlap)
    return build_segmenter(name, kinds[name](**options), (1.0, 1.0), tiles)


def agreement(one, other, iou):
    return match_cells(one, other, [iou])[0].f1


@pytest.fixture(scope="module")
def picture():
    return field()


@pytest.mark.parametrize("size", [110, 180, 300])
def test_tiles_find_the_cells_of_the_whole_frame(picture, size):
    image, truth = picture
    whole, tiled = method()(image), method(size=size)(image)
    assert agreement(whole, tiled, 0.9) > 0.995
    assert agreement(truth, tiled, 0.5) > agreement(truth, whole, 0.5) - 0.005
    assert np.unique(tiled).tolist() == list(range(int(tiled.max()) + 1))


def test_otsu_has_one_threshold_for_all_tiles():
    image, _ = field(uneven=0)
    whole = method("otsu_watershed")(image)
    tiled = method("otsu_watershed", size=150)(image)
    np.testing.assert_array_equal(whole > 0, tiled > 0)
    assert agreement(whole, tiled, 0.9) > 0.99


def test_a_margin_narrower_than_a_cell_does_no_worse_than_a_few_cells(picture):
    image, _ = picture
    tiled = method(size=110, overlap=6)(image)
    assert agreement(method()(image), tiled, 0.7) > 0.96


@pytest.mark.parametrize("correlated", [False, True])
def test_a_gradient_in_light_makes_no_seam_of_cells(correlated):
    columns = np.linspace(0, 1, 500)
    clear = np.broadcast_to(300 + 500 * columns**2, (500, 500))
    noise = np.random.default_rng(0).poisson(clear).astype(np.float64)
    if correlated:
        noise = ndi.gaussian_filter(noise, 1.5)
    assert not method(size=120)(noise).any()


def test_haze_is_judged_by_the_cells_of_the_whole_frame():
    """Dim blobs have a tile to themselves: alone they would pass for cells."""
    rows, columns = np.mgrid[:300, :300]
    clear = np.full((300, 300), 100.0)
    for y in range(20, 300, 40):
        for x in range(20, 300, 40):
            light = 2000 if x < 200 else 60
            clear[(rows - y) ** 2 + (columns - x) ** 2 < 42] += light
    image = np.random.default_rng(0).poisson(clear).astype(np.uint16)
    whole, tiled = method()(image), method(size=100)(image)
    assert whole.max() == 35
    assert agreement(whole, tiled, 0.9) == 1
    assert method(min_brightness=0.0, size=100)(image).max() == 49


@pytest.mark.parametrize("rows", [slice(0, 60), slice(33, 171), slice(200, 420)])
@pytest.mark.parametrize("diameter", [4.0, 13.0, 26.0])
def test_a_window_has_the_signal_that_it_has_in_the_frame(picture, rows, diameter):
    image, columns = picture[0], slice(57, 401)
    options = ClassicalOptions(diameter_um=diameter)
    scales = scales_of(options, (1.0, 1.0))
    whole = FrameSignal.of(image, scales)
    part = FrameLevels.of(image, scales).signal(rows, columns)
    assert part.fine_sd == pytest.approx(whole.fine_sd, rel=1e-3)
    assert part.coarse_sd == pytest.approx(whole.coarse_sd, rel=1e-3)
    for name in ("fine", "coarse", "contrast"):
        np.testing.assert_allclose(
            getattr(part, name),
            getattr(whole, name)[rows, columns],
            atol=2e-3 * np.ptp(getattr(whole, name)),
        )


def test_noise_of_a_large_frame_is_measured_on_a_sample(monkeypatch, picture):
    image, _ = picture
    scales = scales_of(ClassicalOptions(diameter_um=DIAMETER), (1.0, 1.0))
    all_of_it = FrameLevels.of(image, scales).noise
    monkeypatch.setattr("cyto_kedro.methods.segmentation.frame_levels._SAMPLE", 20_000)
    monkeypatch.setattr(
        "cyto_kedro.methods.segmentation.frame_levels._STRIP_PIXELS", 30_000
    )
    sample = FrameLevels.of(image, scales).noise
    assert sample != all_of_it
    assert sample == pytest.approx(all_of_it, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 90), (90, 1), (2, 70), (33, 64)])
def test_frames_of_any_shape(shape):
    image = np.random.default_rng(0).poisson(100, shape).astype(np.uint16)
    labels = method(size=32)(image)
    assert labels.shape == shape
    assert labels.dtype == np.uint32


def test_only_large_frames_are_cut_unless_told_otherwise():
    auto = TilesOptions()
    assert auto.size_for((2304, 2304), tiles_itself=False) is None
    assert auto.size_for((4000, 4000), tiles_itself=False) == 1500
    assert auto.size_for((4000, 4000), tiles_itself=True) is None
    assert TilesOptions(size_px=500).size_for((4000, 400), tiles_itself=True) == 500
    assert TilesOptions(size_px=500).size_for((400, 500), tiles_itself=False) is None
    assert TilesOptions(size_px=None).size_for((9000, 9000), False) is None


@pytest.mark.parametrize("wrong", [{"size_px": 8}, {"overlap_px": 0}, {"size": 500}])
def test_wrong_tiles_are_refused(wrong):
    with pytest.raises(ValidationError):
        TilesOptions(**wrong)


def test_the_node_cuts_as_its_parameters_say_and_threads_do_not_matter(picture):
    images = np.stack([picture[0], field(seed=1)[0], picture[0]])
    options = SegmentationParams(
        method={"name": "classical", "diameter_um": DIAMETER}, tiles={"size_px": 150}
    )
    answers = []
    for workers in (1, 3):
        set_workers(workers)
        lazy = segment(images, Calibration.regular(images.shape), options)
        answers.append(lazy.compute(num_workers=workers))
    set_workers(None)
    np.testing.assert_array_equal(*answers)
    expected = clean_labels(method(size=150)(images[1]), 1.0, min_area_um2=10)
    np.testing.assert_array_equal(answers[0][1], expected)


@pytest.mark.real_data
def test_real_nuclei_are_the_same_in_tiles(real_data):
    from tifffile import imread

    image = imread(real_data / "nuclei_still" / "img2d.tif")
    truth = imread(real_data / "nuclei_still" / "mask2d.tif")
    whole, tiled = (
        clean_labels(method(diameter_um=26, size=n)(image), 1.0, min_area_um2=50)
        for n in (None, 250)
    )
    for iou in (0.5, 0.7, 0.9):
        found, known = agreement(truth, tiled, iou), agreement(truth, whole, iou)
        assert found == pytest.approx(known, abs=0.01)
