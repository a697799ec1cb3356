"""No dataset writes into the raw data, by whatever way its path gets there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.errors import StorageError
from cyto_kedro.datasets import JsonDataset
from cyto_kedro.hooks import ProvenanceHooks, RunMetadataHooks
from cyto_kedro.hooks.preflight import check_outputs
from cyto_kedro.hooks.provenance import is_raw
from cyto_kedro.provenance.runs import NodeTimes
from made_runs import layout_in


def summarise():
    """Stands for a node function."""
    return {"cells": 3}


NODE = Node(summarise, None, "summary", name="summarise")


@pytest.fixture
def layout(tmp_path):
    made = layout_in(tmp_path)
    for root in (made.data_root, made.scratch_root, made.output_root):
        root.mkdir(parents=True)
    return made


def catalog(path):
    return DataCatalog({"summary": JsonDataset(filepath=path)})


def hostile_paths(layout):
    raw = layout.data_root / "plate1"
    raw.mkdir()
    (layout.scratch_root / "link").symlink_to(raw)
    return [
        raw / "summary.json",
        layout.scratch_root / "link" / "summary.json",
        layout.output_root / ".." / "raw" / "summary.json",
    ]


def test_a_run_is_refused_before_its_first_node(layout):
    for path in hostile_paths(layout):
        with pytest.raises(StorageError, match="Raw data are read-only"):
            check_outputs(Pipeline([NODE]), catalog(path), layout)
    for root in (layout.scratch_root, layout.output_root):
        check_outputs(Pipeline([NODE]), catalog(root / "summary.json"), layout)


def test_a_save_is_refused_at_the_last_moment(layout):
    metadata = RunMetadataHooks()
    record = SimpleNamespace(
        shared=False, silent=False, run_id="20260101T000000Z", layout=layout
    )
    record.times = lambda movie, node: NodeTimes(movie, node)
    metadata.record = record
    for path in hostile_paths(layout):
        hooks = ProvenanceHooks(metadata)
        hooks.before_node_run(node=NODE, catalog=catalog(path))
        with pytest.raises(StorageError, match="Nothing was written"):
            hooks.before_dataset_saved(dataset_name="summary", node=NODE)
        assert not path.exists()


def test_roots_below_the_raw_root_are_no_raw_data(tmp_path):
    layout = layout_in(
        tmp_path, scratch_root=tmp_path / "raw" / "tmp", output_root=tmp_path / "raw/o"
    )
    assert layout.is_raw(tmp_path / "raw" / "plate1" / "x")
    assert not layout.is_raw(tmp_path / "raw" / "tmp" / "x")
    assert not layout.is_raw(tmp_path / "rawer" / "x")


@pytest.mark.parametrize(
    ("address", "raw"),
    [
        ("ceph://archive/plate1/summary.json", True),
        ("ceph://cells/raw/summary.json", True),
        ("ceph://cells/rawer/summary.json", False),
        ("ceph://cells/scratch/summary.json", False),
    ],
)
def test_raw_roots_elsewhere_are_never_written_either(tmp_path, address, raw, caplog):
    layout = layout_in(
        tmp_path,
        remote={
            "raw": ["ceph://archive", "ceph://cells/raw"],
            "scratch": ["ceph://cells/scratch"],
        },
    )
    access = {"endpoint_url": "http://127.0.0.1:1"}
    dataset = JsonDataset(filepath=address, credentials=access)
    assert is_raw(dataset.place, layout) == raw
    outputs = DataCatalog({"summary": dataset})
    if raw:
        with pytest.raises(StorageError, match=r"read-only(.|\n)*summary: ceph://"):
            check_outputs(Pipeline([NODE]), outputs, layout)
    else:
        check_outputs(Pipeline([NODE]), outputs, layout)
        below_no_root = "rawer" in address
        assert ("Below no root" in caplog.text) == below_no_root
