"""OME-Zarr stores: what goes in comes out, and a final name is always whole."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
import tracemalloc
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kedro.io import DatasetError

from cyto_kedro.core.atomic import remove_leftovers
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import FrameError, InputError, StorageError
from cyto_kedro.core.frames import map_frames
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.core.window import Window
from cyto_kedro.datasets import ModelDataset, OmeZarrDataset
from cyto_kedro.datasets.store import (
    create_store,
    missing_frames,
    open_store,
    publish_store,
)
from cyto_kedro.datasets.streaming import write_frames
from cyto_kedro.provenance.hashing import sha256_of


def movie(n=4, height=7, width=9, dtype=np.uint16):
    values = np.arange(n * height * width) * 37 % 4096
    return values.reshape(n, height, width).astype(dtype)


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
    )
)
def test_any_image_comes_back(stack):
    with tempfile.TemporaryDirectory() as folder:
        dataset = OmeZarrDataset(f"{folder}/image.zarr")
        dataset.save(stack)
        back = dataset.load()
        assert back.dtype == stack.dtype
        assert back.numblocks == (stack.shape[0], 1, 1)
        np.testing.assert_array_equal(back.compute(), stack)


@pytest.mark.parametrize("threads", [1, 3])
def test_labels_come_back_with_any_number_of_threads(tmp_path, threads):
    labels = movie(dtype=np.uint32)
    labels[2] = 0
    labels[0, 0, 0] = 2**32 - 1
    dataset = OmeZarrDataset(tmp_path / "labels.zarr", kind="label")
    set_workers(threads)
    try:
        dataset.save(da.from_array(labels, chunks=(2, 4, 4)))
    finally:
        set_workers(None)
    assert dataset.data_type == "Label"
    np.testing.assert_array_equal(dataset.load().compute(), labels)


def test_saving_streams_and_tells_computing_from_writing(tmp_path):
    def slow(plane):
        time.sleep(0.02)
        return plane

    dataset = OmeZarrDataset(tmp_path / "image.zarr")
    dataset.save(map_frames(slow, movie(10), dtype=np.uint16))
    stats = dataset.last_save
    assert stats.n_frames == 10
    assert stats.bytes == movie(10).nbytes
    assert 0.2 <= stats.compute_s < 2
    assert 0 < stats.write_s < 2


def test_few_frames_are_in_memory_at_once(tmp_path):
    frame_bytes = 512 * 512 * 2
    zeros = da.zeros((40, 512, 512), chunks=(1, 512, 512), dtype=np.uint16)
    lazy = map_frames(lambda plane: plane + np.uint16(7), zeros, dtype=np.uint16)
    set_workers(2)
    tracemalloc.start()
    try:
        OmeZarrDataset(tmp_path / "image.zarr").save(lazy)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        set_workers(None)
    # Per thread: input, output, and the compressor's copy.
    assert peak < 2 * 5 * frame_bytes


def test_an_error_in_lazy_work_names_dataset_and_frame(tmp_path):
    def fail(plane, frame):
        if frame == 3:
            raise ZeroDivisionError("no pixels")
        return plane

    dataset = OmeZarrDataset(tmp_path / "image.zarr")
    dataset.save(movie())
    lazy = map_frames(fail, movie(), dtype=np.uint16, with_index=True)
    with pytest.raises(DatasetError, match=r"(?s)no pixels.*frame 3.*image\.zarr") as e:
        dataset.save(lazy)
    assert isinstance(e.value.__cause__, FrameError)
    # The previous content is still there, and nothing else.
    np.testing.assert_array_equal(dataset.load().compute(), movie())
    assert [p.name for p in tmp_path.iterdir()] == ["image.zarr"]


def test_a_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    import errno

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    dataset = OmeZarrDataset(tmp_path / "image.zarr")
    with pytest.raises(DatasetError, match=r"(?s)No space left.*free space") as e:
        dataset.save(movie())
    assert isinstance(e.value.__cause__, StorageError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("label", movie(dtype=np.int64)),
        ("label", movie(dtype=np.float32)),
        ("image", movie()[0]),
        ("image", movie().astype(complex)),
    ],
)
def test_what_is_no_stack_is_refused(tmp_path, kind, data):
    with pytest.raises(DatasetError) as e:
        OmeZarrDataset(tmp_path / "x.zarr", kind=kind).save(data)
    assert isinstance(e.value.__cause__, InputError)
    assert list(tmp_path.iterdir()) == []


def test_a_lost_image_frame_is_an_error_and_not_a_black_frame(tmp_path, caplog):
    dataset = OmeZarrDataset(tmp_path / "image.zarr")
    stack = np.zeros((3, 4, 4), np.uint16)
    dataset.save(stack)
    np.testing.assert_array_equal(dataset.load().compute(), stack)
    (tmp_path / "image.zarr/0/c/1/0/0").unlink()
    with pytest.raises(InputError, match=r"(?s)missing.*frame 1"):
        dataset.load().compute()
    assert not caplog.records


def test_a_frame_cleared_by_hand_has_no_cells_and_is_named(tmp_path, caplog):
    labels = movie(5, dtype=np.uint32) + 1
    labels[0] = 0
    dataset = OmeZarrDataset(tmp_path / "labels.zarr", kind="label")
    dataset.save(labels)
    np.testing.assert_array_equal(dataset.load().compute(), labels)
    assert not caplog.records  # a frame that the pipeline found empty is no news
    array = zarr.open_group(tmp_path / "labels.zarr", mode="r+")["0"]
    for frame in (1, 3):
        array[frame] = labels[frame] = 0
        assert not (tmp_path / f"labels.zarr/0/c/{frame}/0/0").exists()
    np.testing.assert_array_equal(dataset.load().compute(), labels)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().endswith("without cells: 1, 3")


@pytest.mark.parametrize("kind", ["image", "label"])
def test_equal_content_has_an_equal_hash(tmp_path, kind):
    dataset = OmeZarrDataset(tmp_path / "stack.zarr", kind=kind)
    dataset.save(movie(dtype=np.uint32))
    first = sha256_of(tmp_path / "stack.zarr")
    dataset.save(movie(dtype=np.uint32))
    assert sha256_of(tmp_path / "stack.zarr") == first
    facts = json.loads((tmp_path / "stack.zarr/zarr.json").read_text())
    assert facts["attributes"]["ome"]["multiscales"][0]["name"] == "stack"
    dataset.save(movie(dtype=np.uint32) + 1)
    assert sha256_of(tmp_path / "stack.zarr") != first


def test_a_damaged_chunk_names_its_frame(tmp_path):
    dataset = OmeZarrDataset(tmp_path / "image.zarr")
    dataset.save(movie())
    (tmp_path / "image.zarr/0/c/2/0/0").write_bytes(b"nothing")
    with pytest.raises(InputError, match="frame 2"):
        dataset.load().compute()


def test_calibration_nearby_gives_the_scale_that_ome_zarr_py_reads(tmp_path):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    known = Calibration.regular((4, 7, 9), pixel_size_um=0.5, frame_interval_min=2.0)
    ModelDataset(
        tmp_path / "calibration.json", model="cyto_kedro.core.calibration.Calibration"
    ).save(known)
    dataset = OmeZarrDataset(tmp_path / "tcell" / "image.zarr")
    dataset.save(movie())
    (node,) = list(Reader(parse_url(tmp_path / "tcell" / "image.zarr"))())
    np.testing.assert_array_equal(node.data[0].compute(), movie())
    assert [axis["name"] for axis in node.metadata["axes"]] == ["t", "y", "x"]
    (transform,) = node.metadata["coordinateTransformations"][0]
    assert transform["scale"] == [2.0, 0.5, 0.5]


def test_ome_zarr_py_reads_labels_and_the_metadata_are_valid(tmp_path):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Label, Reader
    from ome_zarr_models.v05 import Image, ImageLabel

    labels = movie(dtype=np.uint32)
    OmeZarrDataset(tmp_path / "labels.zarr", kind="label").save(labels)
    OmeZarrDataset(tmp_path / "image.zarr").save(movie())
    (node,) = list(Reader(parse_url(tmp_path / "labels.zarr"))())
    np.testing.assert_array_equal(node.data[0].compute(), labels)
    assert any(isinstance(spec, Label) for spec in node.specs)
    Image.from_zarr(zarr.open_group(tmp_path / "image.zarr", mode="r"))
    ImageLabel.from_zarr(zarr.open_group(tmp_path / "labels.zarr", mode="r"))


@pytest.mark.parametrize("form", [2, 3])
def test_corrected_masks_may_be_any_zarr_array(tmp_path, form):
    labels = movie(dtype=np.int64)
    zarr.save_array(tmp_path / "labels.zarr", labels, zarr_format=form)
    dataset = OmeZarrDataset(tmp_path / "labels.zarr", kind="label")
    back = dataset.load()
    assert back.dtype == np.uint32
    np.testing.assert_array_equal(back.compute(), labels)


def test_negative_labels_are_refused(tmp_path):
    zarr.save_array(tmp_path / "labels.zarr", -movie(dtype=np.int64))
    dataset = OmeZarrDataset(tmp_path / "labels.zarr", kind="label")
    with pytest.raises(InputError, match="out of range"):
        dataset.load().compute()


def test_windows_of_several_jobs_make_one_store(tmp_path):
    stage, final = tmp_path / ".image.zarr.run.partial", tmp_path / "image.zarr"
    lazy = da.from_array(movie(5), chunks=(1, 7, 9))
    for window in (Window(3, 5), Window(0, 2)):
        write_frames(create_store(stage, (5, 7, 9), np.uint16), lazy, window)
    assert missing_frames(stage) == [2]
    with pytest.raises(StorageError, match="1 frames were not written"):
        publish_store(stage, final)
    assert not final.exists()
    write_frames(open_store(stage), lazy, Window(2, 3))
    publish_store(stage, final)
    np.testing.assert_array_equal(OmeZarrDataset(final).load().compute(), movie(5))


def test_another_store_in_the_way_is_an_error(tmp_path):
    create_store(tmp_path / "s", (5, 7, 9), np.uint16)
    with pytest.raises(StorageError, match="there already"):
        create_store(tmp_path / "s", (5, 7, 8), np.uint16)


def _create_and_write(path, barrier, frame, results):
    barrier.wait(timeout=60)
    try:
        array = create_store(Path(path), (4, 64, 64), np.uint16)
        write_frames(
            array, np.full((4, 64, 64), frame + 1, np.uint16), Window(frame, frame + 1)
        )
        results.put(None)
    except Exception as exc:
        results.put(repr(exc))


def test_processes_that_create_one_store_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    for trial in range(6):
        path = tmp_path / f"store{trial}"
        barrier, results = context.Barrier(4), context.Queue()
        jobs = [
            context.Process(target=_create_and_write, args=(path, barrier, k, results))
            for k in range(4)
        ]
        for job in jobs:
            job.start()
        assert [results.get(timeout=60) for _ in jobs] == [None] * 4
        for job in jobs:
            job.join(timeout=60)
        assert missing_frames(path) == []
        means = np.asarray(open_store(path)).mean(axis=(1, 2))
        np.testing.assert_array_equal(means, [1, 2, 3, 4])
    assert len(list(tmp_path.iterdir())) == 6


def _save_for_ever(path, value, ready):
    dataset = OmeZarrDataset(path)
    ready.set()
    while True:
        value += 1
        dataset.save(np.full((12, 64, 64), value, np.uint16))


def test_a_killed_save_leaves_a_whole_store_or_none(tmp_path):
    path = tmp_path / "image.zarr"
    context = multiprocessing.get_context("fork")
    chance = random.Random(5)
    seen = []
    for trial in range(10):
        ready = context.Event()
        job = context.Process(target=_save_for_ever, args=(path, 100 * trial, ready))
        job.start()
        assert ready.wait(timeout=60)
        time.sleep(chance.uniform(0.01, 0.3))
        os.kill(job.pid, signal.SIGKILL)
        job.join(timeout=60)
        if path.exists():
            values = OmeZarrDataset(path).load().compute()
            assert values.shape == (12, 64, 64)
            assert len(np.unique(values)) == 1
            seen.append(int(values[0, 0, 0]))
    assert seen, "no store was ever complete: the kills came too early to test anything"
    # Kills in the middle of writing left private names only, which are cleaned up.
    remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} <= {"image.zarr"}


def test_a_picture_for_viz(tmp_path):
    import base64

    for kind, dtype in (("image", np.uint16), ("label", np.uint32)):
        dataset = OmeZarrDataset(tmp_path / f"{kind}.zarr", kind=kind)
        dataset.save(movie(dtype=dtype))
        assert base64.b64decode(dataset.preview())[:4] == b"\x89PNG"


def test_a_store_is_json_free_of_machine_paths(tmp_path):
    OmeZarrDataset(tmp_path / "image.zarr").save(movie())
    text = (tmp_path / "image.zarr/zarr.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["attributes"]["ome"]["version"] == "0.5"
