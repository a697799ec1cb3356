"""Counting what the roots hold, and rotating the benchmark's logs."""

from __future__ import annotations

import os

import pytest

from cyto_kedro.core.locks import locked
from cyto_kedro.lifecycle.rotate import delete, old_logs
from cyto_kedro.lifecycle.usage import usage
from cyto_kedro.provenance.seal import seal
from made_runs import MadeRun, layout_in

RUNS = [f"2026010{day}T000000Z" for day in range(1, 7)]


def test_bytes_are_those_on_disk_by_class(tmp_path):
    layout = layout_in(tmp_path)
    MadeRun(layout, RUNS[0], movies=("A1", "A2")).make()
    archive = tmp_path / "archive.tif"
    archive.write_bytes(b"x" * 5000)
    (layout.data_root / "plate2").mkdir()
    (layout.data_root / "plate2" / "c.tif").symlink_to(archive)
    found = usage(layout)
    for storage, root in (
        ("scratch", layout.scratch_root),
        ("output", layout.output_root),
    ):
        size = sum(p.stat().st_size for p in root.rglob("*") if p.is_file())
        assert sum(u.size_bytes for u in found if u.storage == storage) == size
    [linked] = [u for u in found if u.dataset == "plate2"]
    assert linked.linked_bytes == 5000
    assert linked.size_bytes < 1000
    assert {(u.movie, u.workflow) for u in found if u.storage == "scratch"} == {
        ("A1", "main"),
        ("A2", "main"),
    }
    [out] = [u for u in found if u.storage == "output"]
    assert (out.workflow, out.run, out.sealed) == ("main", RUNS[0], False)


@pytest.fixture
def layout(tmp_path):
    made = layout_in(tmp_path)
    for run in RUNS:
        for stage in ("master", "contact"):
            folder = made.output_root / "benchmark" / stage / f"run_{run}"
            (folder / "log" / "units").mkdir(parents=True)
            (folder / "log" / "units" / "u.json").write_text("{}")
            (folder / "log" / "job.log").write_text("x" * 100)
            (folder / "trials.csv").write_text("kept")
    return made


def logs_left(layout):
    root = layout.output_root / "benchmark"
    return {
        (p.parent.name, p.name[4:])
        for p in root.glob("*/run_*")
        if any(p.glob("log/*"))
    }


def test_logs_of_the_newest_runs_stay_and_tables_of_all(layout):
    todo = old_logs(layout)
    assert {log.run for log in todo} == set(RUNS[:3])
    assert {log.size_bytes for log in todo} == {102}
    for log in todo:
        delete(layout, log)
    assert logs_left(layout) == {
        (s, r) for s in ("master", "contact") for r in RUNS[3:]
    }
    tables = list((layout.output_root / "benchmark").glob("*/run_*/trials.csv"))
    assert len(tables) == 12
    assert old_logs(layout) == []


def test_logs_of_sealed_and_living_runs_and_linked_ones_stay(layout, tmp_path):
    root = layout.output_root / "benchmark"
    seal(root / "contact" / f"run_{RUNS[0]}", RUNS[0], "2026-02-01T00:00:00Z")
    outside = tmp_path / "outside"
    (root / "contact" / f"run_{RUNS[2]}" / "log").rename(outside)
    (root / "contact" / f"run_{RUNS[2]}" / "log").symlink_to(outside)
    with locked(root / "master" / f"run_{RUNS[1]}" / "log" / ".driver.lock"):
        todo = old_logs(layout)
    assert {(log.parts[1], log.run) for log in todo} == {
        ("master", RUNS[0]),
        ("master", RUNS[2]),
    }
    for log in todo:
        delete(layout, log)
    assert sorted(os.listdir(outside)) == ["job.log", "units"]


def test_all_or_none_may_be_kept(layout):
    assert old_logs(layout, keep=6) == []
    assert old_logs(layout, keep=10) == []
    assert {log.run for log in old_logs(layout, keep=0)} == set(RUNS)
