"""pyCyto files run from the command line, results under pyCyto's names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import tifffile

from cyto_kedro.datasets import TrackMateDataset
from legacy_files import CLUSTER, GRAPH, MOVIE, RESOURCES, STAGES, tiny_project

pytestmark = pytest.mark.slow


def test_stage_lists_run_and_leave_pycytos_files(tmp_path: Path) -> None:
    project, file = tiny_project(tmp_path / "p", STAGES, "pipeline.stages.yaml")
    done = project.kedro("cyto", "run-yaml", str(file), "--segmenter", "classical")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "cyto2" in done.stdout + done.stderr  # told that the weights are others
    output = project.folder / "output"
    image = tifffile.imread(output / "preprocessing/PercentileNormalization/TCell.tif")
    assert image.shape == (6, 160, 160) and image.dtype == np.float32
    masks = tifffile.imread(output / "segmentation/CellPose/CancerCell.tif")
    assert masks.shape == (6, 160, 160) and masks.dtype == np.uint32
    cells = pd.read_csv(output / "tracking/CancerCell.csv")
    dead = pd.read_csv(output / "tracking/Dead.csv")
    # A row joins to its mask; both tables have the same cells, other intensities.
    for row in cells.head(5).itertuples():
        mask = masks[row.frame] == row.label
        assert mask.sum() * 0.65**2 == pytest.approx(row.size)
    assert list(cells["label"]) == list(dead["label"])
    raw = project.folder / "data" / "01_raw" / "example" / MOVIE / "cancer"
    first = tifffile.imread(sorted(raw.glob("im_*.tif"))[0])
    row = cells.iloc[0]
    assert first[masks[0] == row["label"]].mean() == pytest.approx(row["mean"])
    assert set(dead["channel"]) == {"Dead"}
    xml = TrackMateDataset(output / "tracking/CancerCell.xml").load()
    assert len(xml) == len(cells) and "TrackID" in cells
    share = pd.read_csv(output / "postprocessing/CrossTableOperation/DeadShare.csv")
    assert np.allclose(
        share["mean_divide"], dead["mean"] / cells["mean"], equal_nan=True
    )
    large = pd.read_csv(output / "postprocessing/FeatureFilter/CancerLarge.csv")
    assert len(large) == (cells["size"] >= 500 * 0.65**2 - 1e-9).sum()
    graphs = sorted((output / "postprocessing/CellTriangulation").glob("*.adjlist"))
    tcells = pd.read_csv(output / "tracking/TCell.csv")
    for frame, path in enumerate(graphs):
        found = nx.read_multiline_adjlist(path, nodetype=int)
        assert set(found) == set(tcells.loc[tcells["frame"] == frame, "label"])
        assert nx.is_connected(found)
    folder = output / "postprocessing/CrossCellContactMeasures"
    one, other = (
        pd.read_csv(folder / f"{name}.csv", dtype={"contacting cell labels": str})
        for name in ("TCellToCancerCell", "CancerCellToTCell")
    )
    touching = one["contacting cell labels"].dropna().str.split().str.len().sum()
    assert (
        touching == other["contacting cell labels"].dropna().str.split().str.len().sum()
    )
    assert (one["contact"] == one["contacting cell labels"].notna()).all()
    # A second run of the same file takes the place of the first environment.
    report = (project.folder / "conf" / "pycyto_stages" / "IMPORT.md").read_text()
    assert "not in the file: pyCyto's own 5" in report and "image_range.t" in report


def test_a_task_graph_runs_through_the_console_script(tmp_path: Path) -> None:
    project, file = tiny_project(tmp_path / "p", GRAPH, "pipeline.graph.yaml")
    beside = file.with_name("pipeline-resources.graph.yaml")
    beside.write_text(RESOURCES, encoding="utf-8")

    def cyto(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "cyto_kedro.cli.cyto", "-p", file.name, *words],
            cwd=project.folder,
            env=project.environment() | {"PATH": ""},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    # The default profile wants docker, of which there is none.
    boxed = cyto("--segmenter", "classical")
    assert boxed.returncode == 1
    assert "docker is not installed" in boxed.stderr
    assert "--profile local" in boxed.stderr
    done = cyto("--segmenter", "classical", "--profile", "local")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    tracks = pd.read_csv(project.folder / "output/tracking/CancerCell.csv")
    assert tracks["frame"].nunique() == 6


def test_cluster_resources_reach_the_submissions(tmp_path: Path) -> None:
    project, file = tiny_project(tmp_path / "p", GRAPH, "pipeline.graph.yaml")
    beside = file.with_name("pipeline-resources.graph.yaml")
    beside.write_text(CLUSTER, encoding="utf-8")
    words = ("cyto", "run-yaml", str(file), "--segmenter", "classical", "--dry-run")
    boxed = project.kedro(*words)
    if shutil.which("apptainer") is None:
        assert boxed.returncode == 1 and "--profile local" in boxed.stderr
    done = project.kedro(*words, "--profile", "local")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    head, _, rest = done.stdout.partition("# CancerCell.segment: ")
    asked, _, _ = rest.partition("exec ")
    # 6 frames in windows of 2 are 3 units.
    assert asked.startswith("3 units") and "--gres=gpu:1" in asked
    assert "--cpus-per-task=16" in asked and "--mem=32G" in asked
    assert "--partition=gpu_short" in asked and "gpu_short" not in head
    assert not (project.folder / "output").exists()
