"""`kedro run` with Cellpose: refused without weights, else accounted for."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
import zarr

import small_cellpose as small
from project import Project
from small_experiment import small_project

pytestmark = pytest.mark.slow

WEIGHTS = "weights.pt"
PARAMETERS = """\
segmentation:
  tcell:
    method:
      name: cellpose
      model: {model}
      diameter_um: 8.6
      gpu: off
    min_area_um2: 12
"""
SEGMENT = ("run", "--pipeline=segmentation", "--params=movies=killing_A1")


@pytest.fixture
def project(tmp_path) -> Project:
    return small_project(tmp_path / "p", frames=3)


def with_small_encoder(project: Project, *words: str):
    """`kedro` in a process of its own, where Cellpose builds the small network."""
    return subprocess.run(
        [sys.executable, small.__file__, *words],
        cwd=project.folder,
        env=project.environment() | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_missing_weights_are_refused_before_any_frame_is_read(project):
    project.configure("parameters.yml", PARAMETERS.format(model="cpsam_v2"))
    done = subprocess.run(
        project.command(*SEGMENT),
        cwd=project.folder,
        env=project.environment() | {"CELLPOSE_LOCAL_MODELS_PATH": "no/such/folder"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 1
    assert "kedro cyto weights fetch cpsam_v2" in told
    assert "no/such/folder" in told
    assert "Traceback" not in told
    assert not list((project.folder / "data" / "02_intermediate").rglob("*.zarr"))
    assert not (project.folder / "no").exists()


@pytest.mark.learned
def test_weights_and_versions_are_accounted_for_and_new_weights_rerun(
    project, small_weights
):
    import torch

    weights = project.folder / WEIGHTS
    weights.write_bytes(small_weights.read_bytes())
    project.configure("parameters.yml", PARAMETERS.format(model=WEIGHTS))
    done = with_small_encoder(project, *SEGMENT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    scratch = project.scratch("killing_A1", "segmentation") / "tcell"
    first = zarr.open_group(scratch / "labels.zarr", mode="r")["0"][:]
    assert first.shape[0] == 3
    assert first.reshape(3, -1).max(axis=1).min() >= 3, "cells in every frame"

    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    sidecar = json.loads((scratch / "labels.zarr.sidecar.json").read_text())
    name = f"params:segmentation.tcell:{WEIGHTS}"
    assert sidecar["inputs"][name] == f"sha256:{digest}"
    manifest = json.loads(
        (project.runs("segmentation")[-1] / "provenance_manifest.json").read_text()
    )
    assert digest in {entry["sha256"] for entry in manifest["inputs"]}
    nodes = {n["node"]: n for n in project.metadata("segmentation")["nodes"]}
    assert nodes["tcell.segment"]["device"] == "cpu"
    assert nodes["tcell.segment"]["libraries"]["torch"] == torch.__version__
    assert "cellpose" in nodes["tcell.segment"]["libraries"]
    assert "libraries" not in nodes["cancer.segment"]

    state = torch.load(weights, weights_only=True)
    state["out.bias"] += 0.01
    torch.save(state, weights)
    done = with_small_encoder(project, *SEGMENT, "--only-missing-outputs")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    after = project.metadata("segmentation")
    assert [n["node"] for n in after["nodes"]] == ["tcell.segment"]
    assert "cancer.segment" in after["movies"][0]["up_to_date"]
