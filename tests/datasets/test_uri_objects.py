"""Outputs in a real Ceph RADOS Gateway, also when it fails."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import dask.array as da
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from backends.ceph import SECRET, Ceph
from cyto_kedro.core.errors import InputError, StorageError
from cyto_kedro.core.window import windows
from cyto_kedro.datasets import (
    ArbitraryDataset,
    JsonDataset,
    NetworkDataset,
    OmeZarrDataset,
    TableDataset,
)
from cyto_kedro.provenance.hashing import sha256_of

pytestmark = pytest.mark.backends
SHAPE = (6, 32, 48)
STACK = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.uint32)
STACK[2] = 0  # a frame without cells is a frame
LAZY = da.from_array(STACK, chunks=(1, 32, 48))


@pytest.fixture(scope="module")
def bucket(ceph: Ceph) -> str:
    from s3fs import S3FileSystem

    given = ceph.credentials
    S3FileSystem(
        key=given["key"], secret=given["secret"], endpoint_url=given["endpoint_url"]
    ).call_s3("create_bucket", Bucket="cells")
    return "ceph://cells"


@pytest.fixture
def labels(ceph: Ceph, bucket: str, request: pytest.FixtureRequest) -> OmeZarrDataset:
    """An output of its own for each test."""
    return OmeZarrDataset(
        f"{bucket}/{request.node.name}/labels.zarr",
        kind="label",
        credentials=ceph.credentials,
    )


def test_labels_come_back_and_hash_as_on_a_disk(labels, tmp_path):
    assert not labels.exists()
    labels.save(LAZY)
    assert labels.exists()
    np.testing.assert_array_equal(labels.load().compute(), STACK)
    local = OmeZarrDataset(tmp_path / "labels.zarr", kind="label")
    local.save(LAZY)
    assert labels.place.content()[0] == sha256_of(tmp_path / "labels.zarr")


def test_any_reader_finds_an_ordinary_store_below_the_address(labels, ceph):
    import zarr

    labels.save(LAZY)
    current = labels.place.current()
    options = {k: v for k, v in ceph.credentials.items() if k != "timeout_s"}
    root = zarr.open_group(
        f"s3://cells/{current.prefix}", mode="r", storage_options=options
    )
    np.testing.assert_array_equal(root["0"][:], STACK)
    assert root.attrs["ome"]["version"] == "0.5"


def test_a_second_save_replaces_the_first_and_leaves_nothing_of_it(labels):
    labels.save(LAZY)
    before = set(labels.place.objects.listing(labels.place.uri.path))
    labels.save(LAZY + np.uint32(1))
    np.testing.assert_array_equal(labels.load().compute(), STACK + 1)
    after = set(labels.place.objects.listing(labels.place.uri.path))
    assert after & before == {"current.json"} and len(after) == len(before)


def test_an_object_that_vanished_is_an_error_and_no_black_frame(labels):
    labels.save(LAZY)
    opened = labels.load()
    labels.save(LAZY)  # deletes what was opened
    with pytest.raises(InputError, match="vanished"):
        opened.compute()


def test_a_lost_frame_of_an_image_is_an_error(ceph, bucket):
    image = OmeZarrDataset(f"{bucket}/lost/i.zarr", credentials=ceph.credentials)
    image.save(LAZY.astype("float32"))
    image.place.objects.delete([f"{image.place.current().prefix}/0/c/3/0/0"])
    opened = image.load()
    opened[2].compute()
    with pytest.raises(InputError, match=r"missing from the store(.|\n)*frame 3"):
        opened[3].compute()


_JOB = """
import sys
import numpy as np, dask.array as da
from cyto_kedro.core.window import Window
from cyto_kedro.datasets import OmeZarrDataset
address, begin, end, port = sys.argv[1:]
stack = np.random.default_rng(0).integers(0, 9, {shape}).astype(np.uint32)
stack[2] = 0
out = OmeZarrDataset(address, kind="label")
stage = out.staging("20260101T000000Z", "f" * 64)
lazy = da.from_array(stack, chunks=(1, 32, 48))
out.save_window(lazy, Window(int(begin), int(end)), stage)
claimed = out.claim(stage)
if claimed is not None:
    out.publish(claimed)
    print("published")
"""


def test_jobs_write_windows_side_by_side_and_one_of_them_publishes(labels, ceph):
    environment = os.environ | {
        "CEPH_ENDPOINT_URL": str(ceph.credentials["endpoint_url"]),
        "CEPH_ACCESS_KEY_ID": str(ceph.credentials["key"]),
        "CEPH_SECRET_ACCESS_KEY": SECRET,
    }
    code = textwrap.dedent(_JOB).format(shape=SHAPE)
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", code, labels.where, str(w.start), str(w.stop), "0"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for w in windows(6, 3)
    ]
    told = [job.communicate(timeout=60)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert "".join(told).count("published") == 1
    np.testing.assert_array_equal(labels.load().compute(), STACK)


def test_an_incomplete_staging_store_is_never_published(labels):
    labels.save(LAZY)
    stage = labels.staging("20260101T000000Z", "a" * 64)
    first, second = windows(6, 3)
    changed = LAZY + np.uint32(5)
    assert not labels.is_begun(stage) and not labels.is_complete(stage)
    labels.save_window(changed, first, stage)
    assert labels.is_begun(stage) and not labels.is_complete(stage)
    assert labels.claim(stage) is None and labels.claim(stage, recover=True) is None
    with pytest.raises(StorageError, match="3 frames were not written"):
        labels.publish(stage)
    np.testing.assert_array_equal(labels.load().compute(), STACK)
    labels.save_window(changed, second, stage)
    assert labels.claim(stage) == stage
    assert labels.claim(stage) is None, "somebody was first"
    assert labels.claim(stage, recover=True) == stage, "the finisher died"
    labels.publish(stage)
    np.testing.assert_array_equal(labels.load().compute(), STACK + 5)


def test_a_staging_store_of_another_shape_is_refused(labels):
    stage = labels.staging("20260101T000000Z", "b" * 64)
    labels.save_window(LAZY, windows(6, 3)[0], stage)
    with pytest.raises(StorageError, match="another shape"):
        labels.save_window(LAZY[:, :16], windows(6, 3)[0], stage)


def test_what_was_edited_is_kept_under_another_address(labels, ceph):
    labels.save(LAZY)
    before = labels.place.state()
    array = labels.place.current().array()
    array[0] = np.ones(SHAPE[1:], np.uint32)
    assert labels.place.state() != before
    kept = labels.place.set_aside("edited_r1")
    labels.save(LAZY)
    copy = OmeZarrDataset(kept, kind="label", credentials=ceph.credentials)
    assert (copy.load()[0].compute() == 1).all()
    np.testing.assert_array_equal(labels.load().compute(), STACK)


def test_tables_networks_and_values_come_back(ceph, bucket):
    def at(name: str) -> dict[str, object]:
        return {"filepath": f"{bucket}/x/{name}", "credentials": ceph.credentials}

    frame = pd.DataFrame(
        {"label": np.arange(3, dtype=np.uint32), "v": [1.5, np.nan, 2.0]}
    )
    table = TableDataset(**at("t.parquet"), formats=["parquet", "csv"])
    table.save(frame)
    pd.testing.assert_frame_equal(table.load(), frame)
    assert [place.exists() for place in table.places] == [True, True]
    assert table.preview(2)["data"] == [[0, 1.5], [1, None]]

    graph = nx.Graph([("a", "b", {"weight": 0.5})])
    for name in ("n.graphml", "n.graphml.gz", "n.json"):
        network = NetworkDataset(**at(name))
        network.save(graph)
        assert nx.utils.graphs_equal(network.load(), graph)
    values = JsonDataset(**at("v.json"))
    values.save({"a": [1, 2]})
    assert values.load() == {"a": [1, 2]}
    arrays = ArbitraryDataset(**at("a.npz"))
    arrays.save({"x": np.arange(3)})
    np.testing.assert_array_equal(arrays.load()["x"], np.arange(3))


@pytest.mark.parametrize("scheme", ["s3", "ceph", "file"])
def test_every_scheme_takes_images_tables_and_networks(scheme, ceph, bucket, tmp_path):
    root = f"file://{tmp_path}" if scheme == "file" else f"{scheme}://cells/{scheme}"
    access = {} if scheme == "file" else {"credentials": ceph.credentials}
    image = OmeZarrDataset(f"{root}/i.zarr", kind="label", **access)
    image.save(LAZY)
    np.testing.assert_array_equal(image.load().compute(), STACK)
    table = TableDataset(f"{root}/t.parquet", **access)
    table.save(pd.DataFrame({"a": [1, 2]}))
    assert table.load()["a"].tolist() == [1, 2]
    network = NetworkDataset(f"{root}/n.graphml", **access)
    network.save(nx.path_graph(3))
    assert nx.utils.graphs_equal(network.load(), nx.path_graph(3))
    assert all(dataset.exists() for dataset in (image, table, network))


def test_s3_takes_its_keys_from_the_usual_variables(ceph, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", str(ceph.credentials["key"]))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(ceph.credentials["endpoint_url"]))
    values = JsonDataset("s3://cells/env/v.json")
    values.save([1])
    assert values.load() == [1]


def test_a_gateway_that_stalls_while_a_store_is_written(labels, ceph):
    labels.save(LAZY)

    def slow(block: np.ndarray) -> np.ndarray:
        time.sleep(0.2)
        return block + np.uint32(1)

    stall = threading.Timer(0.5, ceph.pause_gateway, (True,))
    stall.start()
    begin = time.monotonic()
    try:
        with pytest.raises(DatasetError, match="request failed") as caught:
            labels.save(LAZY.map_blocks(slow, dtype=np.uint32))
    finally:
        stall.join()
        ceph.pause_gateway(False)
    assert time.monotonic() - begin < 60
    assert SECRET not in str(caught.value)
    np.testing.assert_array_equal(labels.load().compute(), STACK)


def test_the_gateway_killed_while_a_store_is_written(labels, ceph):
    labels.save(LAZY)

    def slow(block: np.ndarray) -> np.ndarray:
        time.sleep(0.2)
        return block + np.uint32(1)

    killer = threading.Timer(0.5, ceph.kill_gateway)
    killer.start()
    begin = time.monotonic()
    try:
        with pytest.raises(DatasetError) as caught:
            labels.save(LAZY.map_blocks(slow, dtype=np.uint32))
    finally:
        killer.join()
        ceph.start_gateway()
    assert time.monotonic() - begin < 60
    assert SECRET not in str(caught.value)
    np.testing.assert_array_equal(labels.load().compute(), STACK)


def test_a_gateway_that_stops_answering_is_given_up(labels, ceph):
    labels.save(LAZY)
    ceph.pause_gateway(True)
    begin = time.monotonic()
    try:
        with pytest.raises(DatasetError, match="request failed"):
            labels.load()
    finally:
        ceph.pause_gateway(False)
    assert time.monotonic() - begin < 5 * float(ceph.credentials["timeout_s"])
    np.testing.assert_array_equal(labels.load().compute(), STACK)


def test_a_missing_bucket_and_a_wrong_secret_say_so(ceph, bucket):
    nowhere = TableDataset("ceph://nobody/t.parquet", credentials=ceph.credentials)
    with pytest.raises(DatasetError, match="no such bucket"):
        nowhere.save(pd.DataFrame({"a": [1]}))
    with pytest.raises(DatasetError, match="no such bucket"):
        nowhere.exists()
    wrong = ceph.credentials | {"secret": "another-secret"}
    refused = TableDataset(f"{bucket}/t.parquet", credentials=wrong)
    image = OmeZarrDataset(f"{bucket}/i.zarr", credentials=wrong)
    for deed in (refused.load, refused.exists, image.load, lambda: image.save(LAZY)):
        with pytest.raises(DatasetError, match="Access was refused") as caught:
            deed()
        assert "another-secret" not in f"{caught.value!r} {caught.value.__context__!r}"


def test_the_secret_is_nowhere_but_in_memory(labels, ceph, caplog):
    caplog.set_level(logging.DEBUG)
    labels.save(LAZY)
    labels.load().compute()
    labels.place.write_note(json.dumps({"uri": labels.place.as_uri()}))
    told = [repr(labels), str(labels._describe()), repr(labels.place), caplog.text]
    told += [
        repr(labels.place.objects),
        repr(labels.load()),
        repr(labels.place.current()),
    ]
    objects = labels.place.objects
    told += [
        str(objects.read(f"{labels.place.uri.path}/{key}"))
        for key in objects.listing(labels.place.uri.path)
    ]
    assert len(told) > 10
    assert not [text for text in told if SECRET in text]


def test_a_pickled_dataset_works_in_another_process(labels):
    import pickle

    labels.save(LAZY)
    copy = pickle.loads(pickle.dumps(labels))
    np.testing.assert_array_equal(copy.load().compute(), STACK)


def test_a_pickle_stays_on_a_disk(tmp_path: Path):
    from cyto_kedro.core.errors import ConfigError

    with pytest.raises(ConfigError, match="may only lie on a disk"):
        ArbitraryDataset("s3://b/x.pkl", allow_pickle=True, scratch_root=tmp_path)
