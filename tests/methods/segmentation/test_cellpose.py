"""Cellpose through our adapter, with a small network trained on simulated cells.

Loading, tiling and dynamics are the library's own. What these scores say about real
microscopy is nothing: they say that no step between a movie and its masks is wrong.
"""

from __future__ import annotations

import dask
import numpy as np
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, FrameError
from cyto_kedro.methods.segmentation.cellpose import CellposeOptions, build
from cyto_kedro.methods.segmentation.scoring import match_cells, match_movie
from cyto_kedro.pipelines.segmentation.nodes import segment
from cyto_kedro.pipelines.segmentation.params import SegmentationParams
from small_cellpose import import_cellpose, simulated

pytestmark = pytest.mark.learned

DIAMETER_UM = {"tcell": 8.6, "cancer": 20.0}
# Least F1 at IoU 0.5, 0.7 and 0.9 on a seed that the training has not seen.
FLOORS = {"tcell": (0.9, 0.85, 0.1), "cancer": (0.8, 0.75, 0.05)}
HELD_OUT_SEED = 7


def options_for(weights, role, **more):
    return CellposeOptions(model=str(weights), diameter_um=DIAMETER_UM[role], **more)


@pytest.fixture(scope="module")
def held_out():
    return {role: simulated(HELD_OUT_SEED, role) for role in DIAMETER_UM}


@pytest.fixture(scope="module")
def frame(held_out):
    """One frame of T cells, and its pixel size."""
    images, _, pixel = held_out["tcell"]
    return images[1], pixel


@pytest.mark.parametrize("role", sorted(DIAMETER_UM))
def test_held_out_frames_through_the_node(small_cellpose, held_out, role, request):
    images, masks, pixel = held_out[role]
    params = SegmentationParams(
        method=options_for(small_cellpose, role), min_area_um2=5
    )
    calibration = Calibration.regular((len(images), *images[0].shape), pixel)
    found = segment(np.stack(images), calibration, params).compute()
    assert found.dtype == np.uint32
    scores = [level.f1 for level in match_movie(np.stack(masks), found)]
    shown = " / ".join(f"{score:.3f}" for score in scores)
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    terminal.write_line(f"small Cellpose, held-out {role}, F1 .5/.7/.9: {shown}")
    assert all(s >= floor for s, floor in zip(scores, FLOORS[role], strict=True)), shown


def test_the_same_masks_as_cellpose_gives_by_itself(small_cellpose, frame):
    models = import_cellpose()
    image, pixel = frame
    ours = build(options_for(small_cellpose, "tcell"), (pixel, pixel))(image)
    alone = models.CellposeModel(
        pretrained_model=str(small_cellpose), gpu=False, use_bfloat16=False
    )
    theirs, _, _ = alone.eval(
        image, diameter=DIAMETER_UM["tcell"] / pixel, min_size=-1, max_size_fraction=1.0
    )
    # Theirs are percentiles in float32; ours are exact.
    (same,) = match_cells(theirs, ours, (0.95,))
    assert same.f1 == 1
    assert np.mean((theirs > 0) != (ours > 0)) < 1e-3


@pytest.mark.parametrize("size", [1, 3, 64])
def test_the_batch_size_is_a_matter_of_memory_only(small_cellpose, frame, size):
    image, pixel = frame
    few = build(options_for(small_cellpose, "tcell"), (pixel, pixel))
    many = build(options_for(small_cellpose, "tcell", batch_size=size), (pixel, pixel))
    (same,) = match_cells(few(image), many(image), (0.95,))
    assert same.f1 == 1


def test_threads_share_one_model_and_agree(small_cellpose, held_out, monkeypatch):
    from cyto_kedro.methods.segmentation import _cellpose_model

    loads = []
    load = _cellpose_model._load
    monkeypatch.setattr(
        _cellpose_model, "_load", lambda *args: loads.append(args) or load(*args)
    )
    images, _, pixel = held_out["tcell"]
    params = SegmentationParams(method=options_for(small_cellpose, "tcell"))
    calibration = Calibration.regular((len(images), *images[0].shape), pixel)
    masks = segment(np.stack(images), calibration, params)
    with dask.config.set(scheduler="threads", num_workers=3):
        side_by_side = masks.compute()
    np.testing.assert_array_equal(side_by_side, masks.compute(scheduler="synchronous"))
    assert len(loads) == 1


def test_the_diameter_is_physical(small_cellpose, frame):
    """Twice the pixels at half the size are the same cells."""
    image, pixel = frame
    fine = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    options = options_for(small_cellpose, "tcell")
    coarse = build(options, (pixel, pixel))(image)
    twice = build(options, (pixel / 2, pixel / 2))(fine)
    (same,) = match_cells(coarse, twice[::2, ::2], (0.7,))
    assert same.f1 > 0.97


def test_a_higher_score_threshold_gives_smaller_cells(small_cellpose, frame):
    image, pixel = frame

    def area(threshold):
        options = options_for(small_cellpose, "tcell", cellprob_threshold=threshold)
        return np.count_nonzero(build(options, (pixel, pixel))(image))

    assert area(-3) > area(0) > area(3) > 0


def test_no_size_is_judged_by_the_method(small_cellpose):
    """One cell that fills most of a small frame stays; the pipeline has the limits."""
    rows, columns = np.mgrid[:40, :40]
    image = np.full((40, 40), 100.0)
    image[(rows - 19.5) ** 2 + (columns - 19.5) ** 2 < 16**2] += 400
    noisy = np.random.default_rng(0).poisson(image)
    options = CellposeOptions(model=str(small_cellpose), diameter_um=32.0)
    found = build(options, (1.0, 1.0))(noisy)
    assert np.bincount(found.ravel())[1:].max() > 0.45 * image.size


def test_a_file_of_something_else_is_refused(small_cellpose, tmp_path):
    import torch

    image = np.random.default_rng(0).poisson(100, (64, 64))
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    segment_one = build(CellposeOptions(model=str(tmp_path / "other.pt")), (1.0, 1.0))
    with pytest.raises(ConfigError, match="cannot be loaded as a network of Cellpose"):
        segment_one(image)


def test_weights_that_lack_a_part_do_not_run_at_random(small_cellpose, tmp_path):
    import torch

    state = torch.load(small_cellpose, weights_only=True)
    partial = {k: v for k, v in state.items() if not k.startswith("encoder.neck")}
    torch.save(partial, tmp_path / "partial.pt")
    segment_one = build(CellposeOptions(model=str(tmp_path / "partial.pt")), (1.0, 1.0))
    with pytest.raises(ConfigError, match=r"4 tensors are missing: encoder\.neck"):
        segment_one(np.random.default_rng(0).poisson(100, (64, 64)))


def test_a_flat_frame_needs_no_model(small_cellpose, monkeypatch):
    from cyto_kedro.methods.segmentation import _cellpose_model

    def fail(*_args):
        raise AssertionError("loaded")

    monkeypatch.setattr(_cellpose_model, "_load", fail)
    for scaling in ("frame", "none"):
        options = CellposeOptions(model=str(small_cellpose), scaling=scaling)
        assert not build(options, (1.0, 1.0))(np.full((50, 60), 0.5)).any()


def test_a_gpu_that_is_demanded_must_be_there(small_cellpose):
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=r"torch finds none here"):
        build(CellposeOptions(model=str(small_cellpose), gpu="on"), (1.0, 1.0))


def test_too_little_gpu_memory_names_the_remedy(small_cellpose, frame, monkeypatch):
    import torch

    models = import_cellpose()

    def eval_(*_args, **_settings):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(models.CellposeModel, "eval", eval_)
    with pytest.raises(FrameError, match=r"batch_size \(now 5\)"):
        build(options_for(small_cellpose, "tcell", batch_size=5), (1.0, 1.0))(frame[0])


def test_flows_of_true_masks_lead_back_to_them(held_out):
    """The dynamics alone: no network, so what is lost here is lost by following."""
    import_cellpose()
    from cellpose.dynamics import compute_masks, labels_to_flows

    for role, least in (("tcell", 0.99), ("cancer", 0.97)):
        truth = held_out[role][1][1]
        flows = labels_to_flows([truth.astype(np.int32)])[0]
        score = np.where(flows[1] > 0, 5.0, -5.0)
        found = compute_masks(5 * flows[2:4], score, niter=200)
        half, tight = match_cells(truth, found, (0.5, 0.9))
        assert half.f1 >= least
        assert tight.f1 >= 0.95
