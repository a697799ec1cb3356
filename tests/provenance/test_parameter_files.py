"""A file that parameters name is an input: by content, into sidecar and manifest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.io import AbstractDataset, DataCatalog
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.hooks import ProvenanceHooks, RunMetadataHooks
from cyto_kedro.hooks.preflight import check_methods
from cyto_kedro.provenance.reuse import stale_nodes
from cyto_kedro.provenance.runs import NodeTimes, RunRecord
from cyto_kedro.provenance.sidecar import read_sidecar
from made_runs import layout_in


class Weights(Params):
    """Names a file, as a learned method does."""

    file: Path
    gpu: bool = False

    @property
    def input_files(self):
        return (self.file,)

    @property
    def uses_gpu(self):
        return self.gpu

    @property
    def libraries(self):
        return "numpy", "not-a-library"

    def check_ready(self):
        if not self.file.exists():
            raise ConfigError("The weights are missing", where=str(self.file))


class Group(Params):
    """The method within a group, as in the segmentation pipeline."""

    method: Weights


class Text(AbstractDataset):
    def __init__(self, filepath):
        self.path = Path(filepath)

    def load(self):
        return self.path.read_text()

    def save(self, data):
        self.path.write_text(data)

    def _describe(self):
        return {}


def segment(options: Group):
    return options.method.file.read_text().upper()


NODE = Node(segment, "params:segmentation", "masks", name="segment")
PIPELINE = Pipeline([NODE])
NAME = "params:segmentation:weights.pt"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_text("trained")
    return path


def catalog(weights, **more):
    made = DataCatalog()
    made["params:segmentation"] = Group(method={"file": weights} | more)
    made["masks"] = Text(weights.parent / "masks")
    return made


@pytest.fixture
def record(tmp_path):
    made = SimpleNamespace(shared=False, silent=False, run_id="20260101T000000Z")
    made.layout = layout_in(tmp_path / "elsewhere")
    made.facts = {}
    made.entry = NodeTimes(None, "segment")
    made.times = lambda movie, node: made.entry
    return made


def run(data, record):
    """What Kedro and our hooks do."""
    metadata = RunMetadataHooks()
    metadata.record = record
    hooks = ProvenanceHooks(metadata)
    metadata.before_node_run(node=NODE, catalog=data)
    hooks.before_node_run(node=NODE, catalog=data)
    result = NODE.run({"params:segmentation": data.load("params:segmentation")})
    metadata.before_dataset_saved(dataset_name="masks", node=NODE)
    data.save("masks", result["masks"])
    metadata.after_dataset_saved(dataset_name="masks", data=None, node=NODE)
    hooks.after_dataset_saved(dataset_name="masks", node=NODE)
    return hooks


def test_other_weights_make_the_masks_outdated(weights, record):
    assert stale_nodes(PIPELINE, catalog(weights)) == {"segment"}
    run(catalog(weights), record)
    assert stale_nodes(PIPELINE, catalog(weights)) == set()
    weights.write_text("fine-tuned")
    assert stale_nodes(PIPELINE, catalog(weights)) == {"segment"}
    weights.unlink()
    assert stale_nodes(PIPELINE, catalog(weights)) == {"segment"}


def test_a_copy_of_another_day_is_the_same_weights(weights, record):
    run(catalog(weights), record)
    os.utime(weights, (1, 1))
    assert stale_nodes(PIPELINE, catalog(weights)) == set()


def test_sidecar_and_manifest_tell_the_weights_by_content(weights, record):
    hooks = run(catalog(weights), record)
    digest = hashlib.sha256(b"trained").hexdigest()
    sidecar = read_sidecar(weights.parent / "masks")
    assert sidecar.inputs == {NAME: f"sha256:{digest}"}
    record.folder = weights.parent
    record.project, record.workflow = weights.parent, "segmentation"
    record.status = "completed"
    hooks.write_manifest()
    manifest = json.loads((weights.parent / "provenance_manifest.json").read_text())
    (entry,) = (e for e in manifest["inputs"] if e["uri"].endswith("weights.pt"))
    assert entry["sha256"] == digest


def test_the_metadata_tell_versions_and_device(weights, record, monkeypatch):
    import numpy

    run(catalog(weights, gpu=True), record)
    assert record.entry.libraries == {"numpy": numpy.__version__}
    cuda = SimpleNamespace(
        is_available=lambda: True, get_device_name=lambda: "NVIDIA A100"
    )
    fake = SimpleNamespace(cuda=cuda)
    monkeypatch.setitem(__import__("sys").modules, "torch", fake)
    run(catalog(weights, gpu=True), record)
    assert record.entry.device == "NVIDIA A100"
    run(catalog(weights, gpu=False), record)
    assert record.entry.device == "cpu"


def test_windows_on_two_machines_name_both_devices(tmp_path):
    record = RunRecord(None, "segmentation", "20260101T000000Z", tmp_path)
    for device in ("NVIDIA A100", "NVIDIA A100", "cpu"):
        times = NodeTimes("m", "segment", 1.0, device=device, libraries={"torch": "2"})
        record.merge([vars(times) | {"frames": None}])
    (times,) = record.nodes.values()
    assert times.device == "NVIDIA A100 and cpu"
    assert times.libraries == {"torch": "2"}
    assert times.load_s == 3


def test_preflight_refuses_missing_weights_and_tells_of_missing_libraries(
    weights, caplog
):
    check_methods(PIPELINE, catalog(weights))
    assert "Node 'segment' needs not-a-library" in caplog.text
    weights.unlink()
    with pytest.raises(ConfigError, match="weights are missing"):
        check_methods(PIPELINE, catalog(weights))
