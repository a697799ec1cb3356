"""Golden pyCyto files in containers and SLURM jobs, with networks trained here.

The images are made on this machine. What they lack, Python and the small networks, is
shown inside by the site's own `execution.yml`, as a site shows its scratch folders; the
files of pyCyto stay as they are.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from backends import engines
from container_fixtures import record_calls
from golden_runs import GoldenProject
from slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slow, pytest.mark.learned, pytest.mark.containers]


def show_inside(golden: GoldenProject, profile: str, nodes: dict[str, Any]) -> None:
    """Add what these nodes need inside to the site's configuration."""
    names = ("CELLPOSE_LOCAL_MODELS_PATH", "OMP_NUM_THREADS")
    env = engines.python_env() | {name: golden.environment[name] for name in names}
    env["PYTHONPATH"] = golden.environment["PYTHONPATH"]
    path = golden.project.folder / "conf/base/execution.yml"
    config = yaml.safe_load(path.read_text("utf-8"))
    inside = {"binds": engines.python_binds(), "env": env}
    for node, more in nodes.items():
        config["profiles"][profile][node] = inside | more
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def without_gpu(golden: GoldenProject, name: str) -> None:
    """What pyCyto's documentation says to do on a machine without one."""
    path = golden.project.folder / name
    path.write_text(path.read_text("utf-8").replace("gpu: 1}", "gpu: 0}"), "utf-8")


def started(calls: Path, engine: str) -> bool:
    return f"{engine} cyto_kedro.runners.worker" in calls.read_text()


def test_hybrid_segments_in_docker(
    podman: Path,
    place: Path,
    tmp_path: Path,
    small_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    golden = GoldenProject.create(tmp_path / "p", small_weights)
    tag = ["podman", "tag", engines.IMAGE, "cellpose:latest"]
    subprocess.run(tag, check=True)
    without_gpu(golden, "pipeline-resources.hybrid.yaml")
    show_inside(golden, "hybrid", {"TCell.segment": {}})
    calls = record_calls(tmp_path / "recorded", monkeypatch, "docker")
    said = golden.run_yaml("pipeline.hybrid.yaml")
    assert "Cellpose 4 cannot load 'cyto2'" in said
    assert started(calls, "docker")
    assert golden.masks("hybrid", "TCell").max() >= 1


@pytest.mark.slurm
def test_cluster_segments_in_apptainer_jobs(
    sif: Path,
    slurm: SlurmCluster,
    small_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Jobs of another user may have to enter it: not below pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="cyto_kedro_golden_"))
    folder.chmod(0o755)
    try:
        golden = GoldenProject.create(folder / "p", small_weights)
        shutil.copy(sif, golden.project.folder / "cellpose.sif")
        inside = {"options": ["--userns"]}
        nodes = {f"{role}.segment": inside for role in ("TCell", "Cancer")}
        show_inside(golden, "cluster", nodes)
        calls = record_calls(folder / "recorded", monkeypatch, "apptainer")
        golden.run_yaml("pipeline.cluster.yaml", timeout=580)
        table = golden.output / "postprocessing/CrossCellContactMeasures"
        assert "contact" in pd.read_csv(table / "TCellToCancer.csv")
        record = golden.project.metadata("contacts+segmentation+tracking")
        assert len(record["slurm_jobs"]) >= 2 and started(calls, "apptainer")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
