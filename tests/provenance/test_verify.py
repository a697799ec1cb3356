"""`verify` sees every change, and tells a change from what it cannot know."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from cyto_kedro.core.errors import StorageError
from cyto_kedro.provenance import environment
from cyto_kedro.provenance.manifest import MANIFEST, read_manifest
from cyto_kedro.provenance.seal import SEAL, refuse_if_sealed, seal
from cyto_kedro.provenance.sidecar import read_sidecar, write_sidecar
from cyto_kedro.provenance.verify import verify_run
from made_runs import MadeRun, layout_in

RUN = "20260101T000000Z"


@pytest.fixture
def run(tmp_path):
    return MadeRun(layout_in(tmp_path), RUN).make()


def found(run, folder=None):
    return verify_run(folder or run.folder, RUN)


def states(verification):
    return {(f.part, f.path.rsplit("/", 1)[-1], f.state) for f in verification.findings}


def test_an_untouched_run_is_the_same(run):
    verified = found(run)
    assert verified.code == 0
    # two frames; globals.yml; labels; a table in two formats
    assert verified.as_dict()["counts"] == {
        "inputs": {"same": 2},
        "configuration": {"same": 1},
        "scratch": {"same": 1},
        "outputs": {"same": 2},
    }


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("inputs", "raw/plate1/A1/cancer_1.tif"),
        ("configuration", "conf/globals.yml"),
        ("scratch", "scratch/plate1/A1/main/cancer/labels.zarr/0/c"),
        ("outputs", f"output/main/run_{RUN}/A1/cells.parquet"),
        ("outputs", f"output/main/run_{RUN}/A1/cells.csv"),
    ],
)
def test_one_flipped_byte_anywhere_is_a_change(run, tmp_path, part, path):
    content = bytearray((tmp_path / path).read_bytes())
    content[0] ^= 1
    (tmp_path / path).write_bytes(content)
    verified = found(run)
    assert verified.code == 1
    [changed] = [f for f in verified.findings if f.state != "same"]
    assert (changed.part, changed.state) == (part, "changed")
    assert changed.path in verified.as_text()


def test_a_lost_result_is_a_change_and_a_lost_input_an_open_question(run, tmp_path):
    shutil.rmtree(tmp_path / "raw")
    assert found(run).code == 2
    (run.folder / "A1" / "cells.csv").unlink()
    verified = found(run)
    assert verified.code == 1
    assert ("outputs", "cells.csv", "missing") in states(verified)


def test_purged_or_superseded_scratch_is_no_change(run, tmp_path):
    labels = run.scratch("A1") / "cancer" / "labels.zarr"
    (labels / "0" / "c").write_bytes(b"\2")
    later = read_sidecar(labels).__dict__ | {"run_id": "20260102T000000Z"}
    write_sidecar(labels, type(read_sidecar(labels))(**later))
    assert ("scratch", "labels.zarr", "superseded") in states(found(run))
    assert found(run).code == 0
    shutil.rmtree(tmp_path / "scratch")
    assert ("scratch", "labels.zarr", "purged") in states(found(run))
    assert found(run).code == 0


@pytest.mark.parametrize("content", [None, "", "[1", "[]"])
def test_without_a_manifest_nothing_can_be_told(run, content):
    path = run.folder / MANIFEST
    path.unlink() if content is None else path.write_text(content)
    assert found(run).code == 2


def test_a_copy_is_judged_by_what_lies_in_the_copy(run, tmp_path):
    copy = tmp_path / "elsewhere" / f"run_{RUN}"
    shutil.copytree(run.folder, copy)
    (run.folder / "A1" / "cells.csv").write_text("spoiled")
    assert found(run, copy).code == 0
    assert found(run).code == 1


def test_a_seal_sees_files_that_no_manifest_lists(run):
    seal(run.folder, RUN, "2026-01-01T00:00:00Z")
    assert found(run).code == 0
    for path in (run.folder, run.folder / "A1", run.folder / "run_metadata.json"):
        path.chmod(0o755)
    (run.folder / "A1" / "stray.txt").write_text("x")
    run.set_metadata(status="completed after all")
    (run.folder / "A1" / "cells.parquet.sidecar.json").unlink()
    verified = found(run)
    assert verified.code == 1
    assert {f.path.rsplit("/", 1)[-1]: f.state for f in verified.findings
            if f.part == "seal" and f.state != "same"} == {
        "stray.txt": "added",
        "run_metadata.json": "changed",
        "cells.parquet.sidecar.json": "missing",
    }  # fmt: skip


def test_a_spoiled_seal_is_an_error_not_an_absent_one(run):
    (run.folder / SEAL).write_text("{")
    with pytest.raises(StorageError, match="seal"):
        found(run)
    with pytest.raises(StorageError, match="sealed"):
        refuse_if_sealed(run.folder)


def test_the_manifest_names_images_jobs_gpus_and_classes(tmp_path):
    image = tmp_path / "cellpose.sif"
    image.write_bytes(b"squashfs")
    made = MadeRun(
        layout_in(tmp_path),
        RUN,
        facts={
            "slurm_jobs": ["17", "18"],
            "containers": [
                {"engine": "apptainer", "image": "cellpose.sif", "file": str(image)},
                {"engine": "podman", "image": "cyto:1", "file": None, "id": "sha256:a"},
            ],
        },
    ).make()
    manifest = read_manifest(made.folder)
    assert manifest["slurm_jobs"] == ["17", "18"]
    assert isinstance(manifest["host"]["gpus"], list)
    sif, podman = manifest["containers"]
    # printf squashfs | sha256sum
    assert sif["sha256"].startswith("5cce3f70c6cb9f62ab53e322fa3975d0")
    assert sif["size_bytes"] == 8
    assert podman["id"] == "sha256:a"
    assert {item["class"] for item in manifest["outputs"]} == {"output", "scratch"}
    image.write_bytes(b"another")
    assert verify_run(made.folder, RUN).code == 1


def test_the_diff_hash_tells_one_dirty_tree_from_another(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e", *words],
            check=True,
            capture_output=True,
        )

    def state():
        environment.git_state.cache_clear()
        environment.git_diff_hash.cache_clear()
        return environment.git_diff_hash(tmp_path)

    assert state() is None  # outside git
    git("init", "-q")
    (tmp_path / "a.py").write_text("a = 1\n")
    git("add", "a.py")
    git("commit", "-qm", "a")
    assert state() is None  # clean
    (tmp_path / "a.py").write_text("a = 2\n")
    first = state()
    (tmp_path / "a.py").write_text("a = 3\n")
    second = state()
    (tmp_path / "new.py").write_text("b = 1\n")
    third = state()
    (tmp_path / "new.py").write_text("b = 2\n")
    fourth = state()
    assert len({first, second, third, fourth, None}) == 5
    (tmp_path / "new.py").unlink()
    (tmp_path / "a.py").write_text("a = 2\n")
    assert state() == first


def test_gpus_are_what_nvidia_smi_says(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n"
        'echo "NVIDIA A100-PCIE-40GB, 550.54.15, 40960"\n'
        'echo "NVIDIA GH200 480GB, 560.1, [N/A]"\n'
    )
    tool.chmod(0o755)
    environment.gpus.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    seen = environment.gpus()
    environment.gpus.cache_clear()
    assert seen == [
        {"name": "NVIDIA A100-PCIE-40GB", "driver": "550.54.15", "memory_mib": 40960},
        {"name": "NVIDIA GH200 480GB", "driver": "560.1", "memory_mib": None},
    ]


def test_a_verdict_for_scripts_holds_what_is_not_as_it_was(run):
    (run.folder / "A1" / "cells.csv").write_text("spoiled")
    said = json.loads(json.dumps(found(run).as_dict()))
    assert said["verdict"] == "changed"
    assert [item["state"] for item in said["findings"]] == ["changed"]
