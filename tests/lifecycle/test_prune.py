"""Pruning deletes what a run left for resuming, and nothing through a link."""

from __future__ import annotations

import os

import pytest

from cyto_kedro.cli import runs
from cyto_kedro.cli.runs import Run
from made_runs import MadeRun, layout_in

RUN, OTHER = "20260101T000000Z", "20260102T000000Z"


@pytest.fixture
def run(tmp_path):
    made = MadeRun(layout_in(tmp_path), RUN, movies=("A1", "A2")).make()
    log = made.folder / "log"
    for name in ("units/a.json", "units/b.json", "batches/b1.json"):
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        (log / name).write_text("{}")
    (log / "cyto.segment.log").write_text("end")
    (log / "run.json").write_text("{}")
    for run_id in (RUN, OTHER):
        stage = made.scratch("A1") / "cancer" / f".labels.zarr.{run_id}.0123.partial"
        (stage / "c").mkdir(parents=True)
        (stage / "c" / "0").write_bytes(b"half")
    return made


def prune(run):
    return runs.prune(Run(run.folder), run.layout)


def test_logs_units_and_staged_frames_of_this_run_go(run):
    files, size = prune(run)
    assert (files, size) == (4, 2 + 2 + 2 + 3)
    assert sorted(os.listdir(run.folder / "log")) == [".driver.lock", "run.json"]
    left = sorted(os.listdir(run.scratch("A1") / "cancer"))
    assert left == [
        f".labels.zarr.{OTHER}.0123.partial",
        "labels.zarr",
        "labels.zarr.sidecar.json",
    ]
    assert prune(run) == (0, 0)


def test_links_in_the_place_of_any_folder_are_not_followed(run, tmp_path):
    outside = tmp_path / "outside"
    staged = outside / "main" / f".labels.zarr.{RUN}.0123.partial"
    for folder in (staged, outside / "units", outside / "batches"):
        folder.mkdir(parents=True)
        (folder / "precious.json").write_text("precious")
    (outside / "precious.log").write_text("precious")
    log = run.folder / "log"
    for name in ("units", "batches"):
        (log / name).rename(tmp_path / name)
        (log / name).symlink_to(outside / name)
    scratch = run.layout.scratch_root
    (scratch / "plate2").symlink_to(outside)
    (scratch / "plate1" / "A3").symlink_to(outside)
    (run.scratch("A2") / "linked").symlink_to(outside / "main")
    (run.scratch("A2") / f".x.{RUN}.partial").symlink_to(staged)
    before = {p: p.read_text() for p in outside.rglob("*") if p.is_file()}
    prune(run)
    assert {p: p.read_text() for p in outside.rglob("*") if p.is_file()} == before
    assert not os.path.lexists(run.scratch("A2") / f".x.{RUN}.partial")


def test_a_log_folder_that_is_a_link_is_left_alone(run, tmp_path):
    outside = tmp_path / "outside"
    (run.folder / "log").rename(outside)
    (run.folder / "log").symlink_to(outside)
    before = sorted(p.name for p in outside.rglob("*"))
    assert prune(run) == (0, 0)
    left = sorted(p.name for p in outside.rglob("*") if p.name != ".driver.lock")
    assert left == before
