"""The segmentation nodes: lazy, frame by frame, and the graph of each layout."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from pydantic import ValidationError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.core.schemas import DEFORMATION
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.methods.preprocessing.tables import drift_table
from cyto_kedro.pipelines.segmentation import create_pipeline
from cyto_kedro.pipelines.segmentation.nodes import import_masks, segment
from cyto_kedro.pipelines.segmentation.params import SegmentationParams

OPTIONS = SegmentationParams(
    method={"name": "classical", "diameter_um": 10.0}, min_area_um2=15
)


def movie(n_frames=4):
    """Frame t shows t cells of 10 px on noise: the first frame is empty."""
    rows, columns = np.mgrid[:64, :80]
    clear = np.full((n_frames, 64, 80), 50.0)
    for t in range(n_frames):
        for cell in range(t):
            disc = (rows - 20 - 5 * t) ** 2 + (columns - 15 - 22 * cell) ** 2 < 25
            clear[t][disc] += 150
    return np.random.default_rng(0).poisson(clear).astype(np.uint16)


def calibration(images):
    return Calibration.regular(images.shape, pixel_size_um=1.0)


def test_each_frame_has_its_own_cells_numbered_from_one():
    images = movie()
    labels = segment(da.from_array(images), calibration(images), OPTIONS)
    assert labels.chunks == ((1,) * 4, (64,), (80,))
    found = labels.compute()
    assert found.dtype == np.uint32
    for t in range(4):
        assert np.unique(found[t]).tolist() == list(range(t + 1))


def test_a_window_of_frames_equals_the_whole():
    images = movie()
    labels = segment(da.from_array(images, chunks=3), calibration(images), OPTIONS)
    np.testing.assert_array_equal(labels[1:3].compute(), labels.compute()[1:3])


def test_no_frame_is_read_before_the_masks_are_needed():
    def fail(*_args, **_kwargs):
        raise AssertionError("read")

    images = movie()
    lazy = da.map_blocks(
        fail,
        da.from_array(images, chunks=1),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    assert segment(lazy, calibration(images), OPTIONS).shape == images.shape


def test_one_frame_and_the_post_filter():
    images = movie()[3:]
    assert segment(images, calibration(images), OPTIONS).compute().max() == 3
    strict = OPTIONS.model_copy(update={"max_area_um2": 20.0})
    assert segment(images, calibration(images), strict).compute().max() == 0


def test_registration_margins_hold_no_cells():
    images = movie() + np.uint16(500)
    images[:, :9] = 0
    images[:, :, 70:] = 0
    found = segment(images, calibration(images), OPTIONS).compute()
    assert [frame.max() for frame in found] == [0, 1, 2, 3]


def raw(masks):
    return RawChannel(da.from_array(masks), "masks.tif")


def still(stack, dy=0.0, dx=0.0):
    n_frames, height, width = stack.shape
    shifts = np.tile([dy, dx], (n_frames, 1))
    drift = drift_table(shifts, np.ones(n_frames), (height, width))
    return drift, DEFORMATION.empty()


def test_masks_move_with_the_images():
    masks = np.zeros((2, 5, 6), np.uint16)
    masks[:, 3, 3] = 9
    moved = import_masks(raw(masks), calibration(masks), *still(masks, dy=-1.3, dx=2))
    assert np.argwhere(moved.compute()).tolist() == [[0, 2, 5], [1, 2, 5]]


def test_masks_keep_their_ids():
    masks = np.zeros((2, 5, 6), np.int16)
    masks[0, 1, 1], masks[1, 2, 2] = 7, 300
    out = import_masks(raw(masks), calibration(masks), *still(masks))
    assert out.dtype == np.uint32
    np.testing.assert_array_equal(out.compute(), masks)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((2, 5, 6), np.float32), "whole numbers"),
        (np.zeros((2, 5, 6), bool), "whole numbers"),
        (np.zeros((3, 5, 6), np.uint8), "3 x 5 x 6 .* of 2 x 5 x 6"),
    ],
)
def test_wrong_masks_are_refused_at_once(masks, message):
    movie = np.zeros((2, 5, 6))
    known = calibration(movie).model_copy(update={"source_shape": movie.shape})
    with pytest.raises(InputError, match=message):
        import_masks(raw(masks), known, *still(movie))


@pytest.mark.parametrize("bad", [-1, 2**32])
def test_wrong_ids_name_their_frame(bad):
    masks = np.zeros((2, 5, 6), np.int64)
    masks[1, 3, 3] = bad
    lazy = import_masks(raw(masks), calibration(masks), *still(masks))
    with pytest.raises(InputError, match=r"(?s)between 0 and.*movie.*frame 1"):
        lazy.compute()


def layout(**roles):
    return Layout(
        data_root="raw",
        scratch_root="scratch",
        output_root="out",
        dataset="d",
        sheet="s.csv",
        channels={"red": {"files": "r"}, "green": {"files": "g"}},
        roles=roles,
    )


def test_the_graph_follows_the_roles():
    pipeline = create_pipeline(
        layout(
            tcell={"kind": "effector", "channels": ["red"]},
            cancer={"kind": "target", "channels": ["red", "green"]},
            nk={"kind": "effector", "channels": ["green"], "masks": "nk.tif"},
        )
    )
    nodes = {node.name: node for node in pipeline.nodes}
    inputs = {name: set(node.inputs) for name, node in nodes.items()}
    assert inputs == {
        "tcell.segment": {
            "red.image",
            "calibration",
            "params:segmentation.tcell",
        },
        "cancer.segment": {
            "cancer.merged",
            "calibration",
            "params:segmentation.cancer",
        },
        "nk.import_masks": {"nk.ready_masks", "calibration", "drift", "deformation"},
    }
    assert pipeline.outputs() == {"tcell.labels", "cancer.labels", "nk.labels"}
    assert all(FRAME_WISE in node.tags for node in pipeline.nodes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_area_um2": -1},
        {"min_area_um2": 50, "max_area_um2": 50},
        {"method": {"name": "cyto2"}},
        {"method": {"name": "classical", "diameter_um": 0}},
        {"method": {"name": "classical", "diametre_um": 8}},
        {"unknown": 1},
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        SegmentationParams(**wrong)
