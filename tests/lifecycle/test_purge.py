"""Purging deletes what verified runs account for, and nothing else anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from cyto_kedro.core.errors import ConfigError, CytoError, StorageError
from cyto_kedro.core.locks import locked
from cyto_kedro.core.scope import run_folder
from cyto_kedro.lifecycle.candidates import Wanted, age_of, total
from cyto_kedro.lifecycle.purge import Purge
from cyto_kedro.lifecycle.scratch import empty, folders_in, usage_of
from made_runs import MadeRun, layout_in

RUN = "20260101T000000Z"
LATER = "20260102T000000Z"


@pytest.fixture
def layout(tmp_path):
    return layout_in(tmp_path)


@pytest.fixture
def run(layout):
    return MadeRun(layout, RUN, movies=("A1", "A2")).make()


def plan(layout, edits=False, **wanted):
    return Purge(layout, edits).plan(Wanted(**wanted))


def refusals(layout, **options):
    return {c.movie: c.refused for c in plan(layout, **options)}


def everything(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_scratch_of_a_verified_run_goes_and_all_else_stays(layout, run, tmp_path):
    before = everything(tmp_path)
    todo = plan(layout)
    assert everything(tmp_path) == before  # looking changes nothing
    assert refusals(layout) == {"A1": "", "A2": ""}
    files, size = total(todo)
    expected = [name for name in before if name.startswith("scratch/")]
    assert (files, size) == (len(expected), sum(len(before[n]) for n in expected))
    for candidate in todo:
        Purge(layout).delete(candidate)
    kept = {name for name in before if not name.startswith("scratch/")}
    locks = {f"scratch/plate1/{movie}/main/.lock" for movie in ("A1", "A2")}
    assert set(everything(tmp_path)) == kept | locks
    assert plan(layout) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r.set_metadata(status="failed"), "no complete|not a whole run"),
        (lambda r: r.set_metadata(status="running"), "not a whole run"),
        (lambda r: r.set_metadata(partial=True), "not a whole run"),
        (lambda r: (r.folder / "A2" / "cells.csv").unlink(), "not those of the run"),
        (lambda r: (r.folder / "A2" / "cells.csv").write_text("x"), "not those of"),
        (lambda r: shutil.rmtree(r.folder), "no complete run accounts"),
    ],
)
def test_without_verified_results_scratch_stays(layout, run, change, reason):
    import re

    change(run)
    found = refusals(layout)
    assert all(re.search(reason, why) for why in found.values()), found
    with pytest.raises(CytoError, match="may no longer"):
        Purge(layout).delete(plan(layout)[0])
    assert (run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "c").exists()


def test_a_later_run_that_reused_the_masks_vouches_for_them(layout, run):
    run.set_metadata(status="failed")
    assert all(refusals(layout).values())
    later = MadeRun(layout, LATER, movies=("A1", "A2")).make()
    # As reuse leaves it: the masks still say that the first run made them.
    for movie in ("A1", "A2"):
        sidecar = later.scratch(movie) / "cancer" / "labels.zarr.sidecar.json"
        sidecar.write_text(sidecar.read_text().replace(LATER, RUN))
    assert refusals(layout) == {"A1": "", "A2": ""}


def test_scratch_of_an_unfinished_later_run_stays(layout, run):
    MadeRun(layout, LATER, movies=("A1",), status="failed").make()
    labels = run.scratch("A1") / "cancer" / "labels.zarr"
    (labels / "0" / "c").write_bytes(b"new masks")
    from cyto_kedro.provenance.sidecar import content_of, read_sidecar, write_sidecar

    said = read_sidecar(labels).__dict__ | {"sha256": content_of(labels)[0]}
    write_sidecar(labels, type(read_sidecar(labels))(**said))
    found = refusals(layout)
    assert found["A2"] == ""
    assert LATER in found["A1"]


def test_corrected_masks_and_notes_are_never_purged_unasked(layout, run):
    labels = run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "c"
    labels.write_bytes(b"corrected")
    (run.scratch("A2") / "notes.txt").write_text("cell 7 is debris")
    found = refusals(layout)
    assert "cancer/labels.zarr" in found["A1"]
    assert "notes.txt" in found["A2"]
    asked = {c.movie: c.refused for c in plan(layout, edits=True)}
    assert asked == {"A1": "", "A2": ""}


def test_touched_but_equal_masks_are_not_edits(layout, run):
    labels = run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "c"
    os.utime(labels, (time.time() + 60, time.time() + 60))
    assert refusals(layout)["A1"] == ""


def test_a_folder_that_a_run_uses_is_refused(layout, run, tmp_path):
    [candidate] = plan(layout, movie="A1")
    code = (
        "import sys, time; from pathlib import Path\n"
        "from cyto_kedro.core.locks import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    lock = run.scratch("A1") / ".lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, lock], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        assert refusals(layout)["A1"] == "a run is using it"
        with pytest.raises(StorageError, match="using it"):
            Purge(layout).delete(candidate)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert (run.scratch("A1") / "cancer" / "labels.zarr").is_dir()


def test_a_driver_at_work_protects_all_movies_of_its_workflow(layout, run):
    other = run_folder(layout.output_root, "main", LATER) / "log"
    other.mkdir(parents=True)
    with locked(other / ".driver.lock"):
        # The lock is held by this process: is_locked asks through another handle.
        assert set(refusals(layout).values()) == {f"run {LATER} is at work"}


@pytest.mark.parametrize("name", ["outside", "out\nside", "out side; rm -rf *", "-rf"])
def test_links_out_of_scratch_are_never_followed(layout, run, tmp_path, name):
    outside = tmp_path / name
    outside.mkdir()
    (outside / "precious.tif").write_bytes(b"precious")
    scratch = layout.scratch_root
    # In the place of a dataset, a movie, a workflow, a folder and a file.
    (scratch / name).symlink_to(outside)
    (scratch / "plate1" / name).symlink_to(outside)
    (scratch / "plate1" / "A1" / name).symlink_to(outside)
    (run.scratch("A1") / "cancer" / name).symlink_to(outside)
    (run.scratch("A1") / "cancer" / "f").symlink_to(outside / "precious.tif")
    assert refusals(layout)["A1"].startswith("edited or added by hand")
    for candidate in plan(layout, edits=True):
        Purge(layout, edits=True).delete(candidate)
    assert (outside / "precious.tif").read_bytes() == b"precious"
    assert sorted(os.listdir(outside)) == ["precious.tif"]
    assert not (run.scratch("A1") / "cancer").exists()


def test_a_link_put_in_place_after_the_look_stops_the_deletion(layout, run, tmp_path):
    [candidate] = plan(layout, movie="A1")
    outside = tmp_path / "archive"
    shutil.move(layout.scratch_root / "plate1" / "A1", outside)
    (layout.scratch_root / "plate1" / "A1").symlink_to(outside)
    before = everything(outside)
    with pytest.raises(CytoError):
        Purge(layout).delete(candidate)
    assert everything(outside) == before


@pytest.mark.parametrize(
    "parts", [("..",), ("plate1", ".."), ("",), ("plate1", "a/../../.."), ("/etc",)]
)
def test_names_that_climb_are_refused(layout, run, parts):
    with pytest.raises(StorageError, match="not a folder of the scratch root"):
        empty(layout.scratch_root, parts)
    assert folders_in(layout.scratch_root) == ["plate1"]


def test_odd_names_of_real_folders_are_handled_and_shown_safely(layout, tmp_path):
    made = MadeRun(layout, RUN, movies=("A\n1; rm -rf $HOME",)).make()
    [candidate] = plan(layout)
    assert "\n" not in candidate.name
    Purge(layout).delete(candidate)
    assert os.listdir(made.scratch(made.movies[0])) == [".lock"]


def test_a_lock_that_is_a_link_is_neither_opened_nor_followed(layout, run, tmp_path):
    target = tmp_path / "precious.txt"
    target.write_text("precious")
    lock = run.scratch("A1") / ".lock"
    lock.unlink()
    lock.symlink_to(target)
    assert "link" in refusals(layout, edits=True)["A1"]
    [candidate] = plan(layout, edits=True, movie="A1")
    with pytest.raises(StorageError):
        Purge(layout, edits=True).delete(candidate)
    assert target.read_text() == "precious"


def test_a_movie_behind_a_link_gets_not_even_a_lock(layout, run, tmp_path):
    [candidate] = plan(layout, movie="A1")
    outside = tmp_path / "archive"
    shutil.move(layout.scratch_root / "plate1" / "A1", outside)
    (outside / "main" / ".lock").unlink()
    (layout.scratch_root / "plate1" / "A1").symlink_to(outside)
    with pytest.raises(StorageError, match="not a folder of the scratch root"):
        Purge(layout).delete(candidate)
    assert not (outside / "main" / ".lock").exists()


def test_a_folder_that_turns_into_a_link_while_it_is_deleted(layout, tmp_path):
    """Somebody swaps a folder for a link again and again: nothing outside goes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    names = [f"{n:03d}" for n in range(40)]
    for name in names:
        (outside / name).write_text("precious")
    root = layout.scratch_root
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for step in (
                lambda: os.rename(root / "d" / "inner", root / "aside"),
                lambda: os.symlink(outside, root / "d" / "inner"),
                lambda: os.unlink(root / "d" / "inner"),
                lambda: os.rename(root / "aside", root / "d" / "inner"),
            ):
                with suppress(OSError):
                    step()

    (root / "d").mkdir(parents=True)
    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(60):
            with suppress(OSError):
                (root / "d" / "inner").mkdir()
            for name in names[:10]:
                with suppress(OSError):
                    descriptor = os.open(root / "d", os.O_RDONLY | os.O_DIRECTORY)
                    try:
                        inner = os.open("inner", os.O_NOFOLLOW, dir_fd=descriptor)
                        os.close(os.open(name, os.O_CREAT, dir_fd=inner))
                        os.close(inner)
                    finally:
                        os.close(descriptor)
            with suppress(OSError, StorageError):
                empty(root, ("d",))
    finally:
        done.set()
        swapper.join()
    assert {p.name: p.read_text() for p in outside.iterdir()} == dict.fromkeys(
        names, "precious"
    )


def test_a_hard_link_takes_nothing_from_the_file_outside(layout, run, tmp_path):
    precious = tmp_path / "precious.tif"
    precious.write_bytes(b"precious")
    os.link(precious, run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "d")
    for candidate in plan(layout, edits=True):
        Purge(layout, edits=True).delete(candidate)
    assert precious.read_bytes() == b"precious"
    assert precious.stat().st_nlink == 1


def test_a_name_that_is_no_text_is_deleted_and_shown_safely(layout, run):
    scratch = os.fsencode(run.scratch("A1"))
    os.close(os.open(scratch + b"/\xff\n\x1b[2J", os.O_CREAT))
    [candidate] = plan(layout, movie="A1")
    assert candidate.refused.isprintable() and "added by hand" in candidate.refused
    [candidate] = plan(layout, edits=True, movie="A1")
    Purge(layout, edits=True).delete(candidate)
    assert os.listdir(scratch) == [b".lock"]


def test_corrected_masks_with_an_old_date_are_never_purged_unasked(layout, run):
    labels = run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "c"
    labels.write_bytes(b"corrected")
    old = time.time() - 86400
    os.utime(labels, (old, old))  # as `cp -p` and rsync leave it
    assert "cancer/labels.zarr" in refusals(layout)["A1"]


def test_filters_pick_folders(layout, run):
    MadeRun(layout, LATER, workflow="other", movies=("A1",)).make()
    assert {c.parts[1:] for c in plan(layout, movie="A1")} == {
        ("A1", "main"),
        ("A1", "other"),
    }
    assert {c.movie for c in plan(layout, workflow="main")} == {"A1", "A2"}
    assert [c.workflow for c in plan(layout, run=LATER)] == ["other"]
    assert plan(layout, dataset="plate2") == []
    ended = datetime.now(UTC)
    old = Purge(layout).plan(
        Wanted(older_than=age_of("2d")), now=ended + timedelta(hours=47)
    )
    assert old == []
    due = Purge(layout).plan(
        Wanted(older_than=age_of("2d")), now=ended + timedelta(hours=49)
    )
    assert len(due) == 3
    with pytest.raises(ConfigError, match="not an age"):
        age_of("soon")


def test_trials_of_the_benchmark_are_picked_by_n(layout):
    made = MadeRun(layout, RUN, workflow="benchmark/master").make()
    root = layout.scratch_root / "benchmark_trials" / RUN / "contact"
    for name in ("N1_r0", "N8_r0", "N8_r1"):
        (root / name / "scratch").mkdir(parents=True)
        (root / name / "scratch" / "masks").write_bytes(b"12345")
    todo = plan(layout, jobs=8)
    assert [c.parts[-1] for c in todo] == ["N8_r0", "N8_r1"]
    assert total(todo) == (2, 10)
    made.set_metadata(status="running")
    assert all("not a whole run" in c.refused for c in plan(layout, jobs=8))
    made.set_metadata(status="completed")
    for candidate in todo:
        Purge(layout).delete(candidate)
    assert os.listdir(root) == ["N1_r0"]


def test_leftovers_of_killed_runs_are_no_edits(layout, run):
    (run.scratch("A1") / ".labels.zarr.0123.partial").mkdir()
    (run.scratch("A1") / ".labels.zarr.0123.partial" / "c").write_bytes(b"half")
    assert refusals(layout)["A1"] == ""


def test_hard_links_count_once_and_links_as_themselves(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    files, size = usage_of(tmp_path)
    assert files == 2
    assert 1000 <= size < 1300
