"""A rerun skips only what would come out the same."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from kedro.io import AbstractDataset, DataCatalog
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.atomic import write_text
from cyto_kedro.hooks import ProvenanceHooks, RunMetadataHooks
from cyto_kedro.provenance.reuse import stale_nodes
from cyto_kedro.provenance.sidecar import read_sidecar, sidecar_path
from made_runs import layout_in


class Text(AbstractDataset):
    """The smallest dataset with a path."""

    data_type = "Arbitrary"

    def __init__(self, filepath):
        self.path = Path(filepath)

    def load(self):
        return self.path.read_text()

    def save(self, data):
        write_text(self.path, data)

    def _exists(self):
        return self.path.exists()

    def _describe(self):
        return {"filepath": str(self.path)}


class Raw(Text):
    def source_files(self):
        return [self.path]


def segment(raw, threshold):
    return f"masks({raw},{threshold})"


def track(masks, gap):
    return f"tracks({masks},{gap})"


def report(tracks):
    return f"report({tracks})"


PIPELINE = Pipeline(
    [
        Node(segment, ["raw", "params:threshold"], "masks", name="segment"),
        Node(track, ["masks", "params:gap"], "tracks", name="track"),
        Node(report, "tracks", "report", name="report"),
    ]
)


class Record:
    shared = silent = False
    run_id = "20260101T000000Z"
    layout = layout_in(Path("elsewhere"))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "raw").write_text("movie")
    return tmp_path


def catalog(folder, threshold=1, gap=2):
    datasets = {name: Text(folder / name) for name in ("masks", "tracks", "report")}
    datasets["raw"] = Raw(folder / "raw")
    datasets |= {"params:threshold": threshold, "params:gap": gap}
    made = DataCatalog()
    for name, dataset in datasets.items():
        made[name] = dataset
    return made


def run(data, names):
    """What Kedro and our hooks do, for the nodes that are due."""
    metadata = RunMetadataHooks()
    metadata.record = Record()
    hooks = ProvenanceHooks(metadata)
    for node in PIPELINE.nodes:
        if node.name not in names:
            continue
        inputs = {name: data.load(name) for name in node.inputs}
        hooks.before_node_run(node=node, catalog=data)
        for name, value in node.run(inputs).items():
            hooks.before_dataset_saved(dataset_name=name, node=node)
            data.save(name, value)
            hooks.after_dataset_saved(dataset_name=name, node=node)


ALL = {"segment", "track", "report"}


def rerun(data):
    names = stale_nodes(PIPELINE, data)
    run(data, names)
    return names


def test_everything_runs_once_then_nothing(project):
    assert rerun(catalog(project)) == ALL
    assert rerun(catalog(project)) == set()


def test_a_changed_parameter_reruns_what_depends_on_it(project):
    rerun(catalog(project))
    assert rerun(catalog(project, gap=5)) == {"track", "report"}
    assert rerun(catalog(project, gap=5, threshold=9)) == ALL
    assert (project / "report").read_text() == "report(tracks(masks(movie,9),5))"


def test_going_back_to_an_old_value_is_a_change_too(project):
    rerun(catalog(project, gap=2))
    rerun(catalog(project, gap=3))
    assert rerun(catalog(project, gap=2)) == {"track", "report"}


def test_changed_raw_data_rerun_everything(project):
    rerun(catalog(project))
    (project / "raw").write_text("another movie")
    assert rerun(catalog(project)) == ALL


def test_corrected_masks_are_kept_and_followed(project, caplog):
    rerun(catalog(project))
    (project / "masks").write_text("corrected")
    assert rerun(catalog(project)) == {"track", "report"}
    assert "changed by hand" in caplog.text
    assert (project / "masks").read_text() == "corrected"
    assert (project / "report").read_text() == "report(tracks(corrected,2))"
    assert rerun(catalog(project)) == set()


def test_a_deleted_output_is_made_again_without_its_consumers(project):
    rerun(catalog(project))
    (project / "tracks").unlink()
    assert rerun(catalog(project)) == {"track"}


def test_a_run_killed_between_data_and_sidecar_is_not_trusted(project):
    rerun(catalog(project))
    (project / "masks").write_text("written by a killed run")
    sidecar_path(project / "masks").unlink()
    assert "segment" in rerun(catalog(project))
    assert (project / "masks").read_text() == "masks(movie,1)"


def test_a_memory_dataset_is_made_again_for_its_consumer(project):
    def data(gap):
        made = catalog(project, gap=gap)
        del made._datasets["masks"]
        from kedro.io import MemoryDataset

        made["masks"] = MemoryDataset()
        return made

    rerun(data(2))
    assert stale_nodes(PIPELINE, data(2)) == set()
    assert stale_nodes(PIPELINE, data(3)) == ALL


def test_the_sidecar_tells_the_origin(project):
    rerun(catalog(project, threshold=7))
    sidecar = read_sidecar(project / "masks")
    assert sidecar is not None
    assert sidecar.produced_by == "segment"
    assert sidecar.params == {"params:threshold": 7}
    assert sidecar.run_id == Record.run_id
    text = json.loads(sidecar_path(project / "masks").read_text())
    assert text["uri"].startswith("file://")
    assert text["size_bytes"] == len("masks(movie,7)")


def accounted(data, skipped=ALL):
    """What the manifest says of a run in which these nodes were up to date."""
    metadata = RunMetadataHooks()
    metadata.record = Record()
    hooks = ProvenanceHooks(metadata)
    hooks.account_for(Pipeline([n for n in PIPELINE.nodes if n.name in skipped]), data)
    return {item.dataset: item for item in hooks._written.values()}


def test_what_was_up_to_date_is_listed_with_its_hash(project):
    rerun(catalog(project))
    found = accounted(catalog(project))
    assert set(found) == {"masks", "tracks", "report"}
    for name, item in found.items():
        content = (project / name).read_bytes()
        assert item.sha256 == hashlib.sha256(content).hexdigest()
        assert not item.edited


def test_corrected_masks_are_listed_as_they_were_used(project):
    rerun(catalog(project))
    old = os.stat(project / "masks").st_mtime - 3600
    (project / "masks").write_text("corrected")
    os.utime(project / "masks", (old, old))  # as `cp -p` and rsync leave it
    found = accounted(catalog(project))["masks"]
    assert found.edited
    assert found.sha256 == hashlib.sha256(b"corrected").hexdigest()
    assert found.size_bytes == len(b"corrected")
    assert not accounted(catalog(project))["tracks"].edited
