"""Kedro-Viz and IPython sessions see the latest complete run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(example_project):
    done = example_project.kedro("viz", "build", "--include-previews", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return example_project.folder / "build"


def test_the_graph_shows_layers_and_readable_names(built):
    graph = json.loads((built / "api" / "main").read_text())
    assert graph["layers"] == ["raw", "scratch", "output"]
    names = {node["name"] for node in graph["nodes"] if node["type"] == "task"}
    assert {"preprocess", "segment", "track", "measure", "attribute"} <= names
    per_layer = {node.get("layer") for node in graph["nodes"] if node["type"] == "data"}
    assert per_layer <= {"raw", "scratch", "output"}


def test_tables_and_figures_have_previews(built):
    kinds = set()
    for path in (built / "api" / "nodes").iterdir():
        kinds.add(json.loads(path.read_text()).get("preview_type"))
    assert {"TablePreview", "ImagePreview"} <= kinds


def test_the_site_needs_no_network(built):
    page = (built / "index.html").read_text()
    assert 'src="http' not in page


def test_ipython_loads_any_dataset_of_the_latest_run(example_project):
    code = (
        "print('ROWS', len(catalog.load('cancer.tracks')), "
        "catalog.load('cancer.labels').ndim, "
        "sorted(catalog.load('result_table@all')))"
    )
    scripts = str(Path(sys.executable).parent)
    environment = example_project.environment()
    environment["PATH"] = os.pathsep.join([scripts, environment["PATH"]])
    done = subprocess.run(
        example_project.command("ipython", "-c", code),
        cwd=example_project.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    line = [text for text in done.stdout.splitlines() if text.startswith("ROWS")][-1]
    _, rows, ndim, *movies = line.split(maxsplit=3)
    assert int(rows) > 500
    assert int(ndim) == 3
    assert "control_B1" in movies[0] and "killing_A1" in movies[0]
