"""The predecessor's folders work by roots in globals.yml, from run to purge."""

from __future__ import annotations

import hashlib
import json

import pytest

from small_experiment import small_project

GLOBALS = """
data_root: data/datasets
scratch_root: data/scratch
output_root: output
dataset: utse_cyto
sheet: data/datasets/utse_cyto/experiment.csv
"""


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_a_run_in_the_legacy_layout_lives_and_is_purged(tmp_path):
    project = small_project(tmp_path / "pycyto", n_movies=2, frames=6)
    data = project.folder / "data"
    archive = tmp_path / "archive" / "utse_cyto"
    archive.parent.mkdir()
    (data / "01_raw" / "example").rename(archive)
    (data / "datasets").mkdir()
    (data / "datasets" / "utse_cyto").symlink_to(archive)
    (data / "paper_figures").mkdir()
    (data / "paper_figures" / "figure_1.svg").write_text("draft")
    project.configure("globals.yml", GLOBALS)
    raw, figures = contents(archive), contents(data / "paper_figures")

    def cyto(*words):
        done = project.kedro("cyto", *words)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    done = project.kedro("run")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    [run] = (project.folder / "output" / "cytotoxicity").glob("run_*")
    assert (run / "ro-crate-metadata.json").is_file()
    scratch = data / "scratch" / "utse_cyto"
    assert len(list(scratch.glob("*/cytotoxicity/*/labels.zarr"))) == 4
    assert json.loads(cyto("verify", "--json"))["verdict"] == "same"
    cyto("promote", "--archive", str(tmp_path / "archive" / "runs"))
    assert (tmp_path / "archive" / "runs" / "cytotoxicity" / run.name).is_dir()
    usage = {entry["storage"]: entry for entry in json.loads(cyto("du", "--json"))}
    assert usage["output"]["sealed"]
    assert usage["raw"]["dataset"] == "utse_cyto"
    cyto("purge", "--yes")
    assert not list(scratch.rglob("*.zarr"))
    after = json.loads(cyto("verify", "--json"))
    assert (after["verdict"], set(after["counts"]["scratch"])) == ("same", {"purged"})
    assert contents(archive) == raw
    assert contents(data / "paper_figures") == figures
    assert not (data / "02_intermediate").exists()
    assert not (data / "08_reporting").exists()
