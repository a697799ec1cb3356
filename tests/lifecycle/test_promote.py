"""Promotion seals what is complete, whole, unchanged and compact; nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat

import pytest

from cyto_kedro.core.errors import CytoError, InputError, StorageError
from cyto_kedro.lifecycle.promote import Limits, promote
from cyto_kedro.provenance.runs import RunRecord
from cyto_kedro.provenance.seal import SEAL, is_sealed, read_seal
from cyto_kedro.provenance.verify import verify_run
from made_runs import MadeRun, layout_in

RUN = "20260101T000000Z"


@pytest.fixture
def run(tmp_path):
    return MadeRun(layout_in(tmp_path), RUN, movies=("A1", "A2")).make()


def sealed(run, **options):
    [done] = promote(run.folder, RUN, run.layout.output_root, **options)
    return done


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_sealed_run_is_read_only_and_lists_all_its_files(run):
    before = files(run.folder)
    done = sealed(run)
    assert set(done.seal.files) == before
    modes = [p.stat().st_mode for p in [run.folder, *run.folder.rglob("*")]]
    assert not any(
        mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes
    )
    assert verify_run(run.folder, RUN).code == 0
    if not os.access(run.folder, os.W_OK):  # root may write anywhere
        with pytest.raises(PermissionError):
            (run.folder / "new").touch()


def test_sealing_twice_changes_nothing(run):
    sealed(run)
    content = (run.folder / SEAL).read_bytes()
    sealed(run)
    assert (run.folder / SEAL).read_bytes() == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.set_metadata(status="failed"), "status is 'failed'"),
        (lambda r: r.set_metadata(status="running"), "status is 'running'"),
        (lambda r: r.set_metadata(partial=True), "only some"),
        (
            lambda r: r.set_metadata(movies=[{"movie": "A2", "status": "failed"}]),
            "did not complete: A2",
        ),
        (lambda r: (r.folder / "run_metadata.json").unlink(), "unknown"),
        (lambda r: (r.folder / "provenance_manifest.json").unlink(), "cannot tell"),
        (lambda r: (r.folder / "A1" / "cells.csv").write_text("x"), "content differs"),
        (lambda r: (r.folder / "A1" / "cells.parquet").unlink(), "is gone"),
        (lambda r: (r.folder / "A1" / "l").symlink_to("/etc"), "not links"),
    ],
)
def test_what_is_not_a_whole_verified_run_is_refused(run, change, message):
    change(run)
    with pytest.raises(CytoError, match=re.escape(message)):
        sealed(run)
    assert not is_sealed(run.folder)
    assert run.folder.stat().st_mode & stat.S_IWUSR


def test_large_binaries_are_refused_and_long_tables_are_not(run):
    for name in ("masks.tif", "movie.mp4", "long.csv", "network.graphml.gz"):
        (run.folder / name).write_bytes(b"\0" * 3000)
    with pytest.raises(InputError) as refused:
        sealed(run, limits=Limits(binary_mib=0.002))
    assert "masks.tif" in str(refused.value)
    assert "movie.mp4" in str(refused.value)
    assert "long.csv" not in str(refused.value)
    assert "graphml" not in str(refused.value)
    sealed(run, limits=Limits(binary_mib=0.003))


def test_nothing_writes_into_a_sealed_run_again(run):
    sealed(run)
    record = RunRecord(run.layout, run.workflow, RUN, project=run.folder)
    with pytest.raises(StorageError, match="sealed"), record.closing():
        pytest.fail("a sealed run was resumed")


def test_the_archive_gets_an_equal_read_only_copy_once(run, tmp_path):
    archive = tmp_path / "archive"
    done = sealed(run, archive=archive)
    assert done.archived == archive / "main" / run.folder.name
    assert files(done.archived) == files(run.folder)
    assert not done.archived.stat().st_mode & stat.S_IWUSR
    assert verify_run(done.archived, RUN, ("outputs", "seal")).code == 0
    assert sealed(run, archive=archive).archived == done.archived
    os.chmod(done.archived / "A1" / "cells.csv", 0o644)
    (done.archived / "A1" / "cells.csv").write_text("rotten")
    with pytest.raises(StorageError, match="archive"):
        sealed(run, archive=archive)
    assert (done.archived / "A1" / "cells.csv").read_text() == "rotten"


def test_a_copy_that_fails_leaves_nothing_under_the_final_name(
    run, tmp_path, monkeypatch
):
    import shutil

    copied = []

    def failing(source, target):
        copied.append(target)
        if len(copied) > 3:
            raise OSError(28, "No space left on device")
        return type(source)(target).write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", failing)
    with pytest.raises(StorageError, match="No space"):
        sealed(run, archive=tmp_path / "archive")
    main = tmp_path / "archive" / "main"
    assert [name for name in os.listdir(main) if not name.endswith(".lock")] == []


def test_what_a_killed_copy_left_goes_with_the_next_one(run, tmp_path):
    stale = tmp_path / "archive" / "main" / f".{run.folder.name}.0123456789ab.partial"
    (stale / "A1").mkdir(parents=True)
    (stale / "A1" / "cells.csv").write_text("half")
    done = sealed(run, archive=tmp_path / "archive")
    assert not stale.exists()
    assert files(done.archived) == files(run.folder)


def test_a_copy_is_checked_before_it_is_published(run, tmp_path, monkeypatch):
    import shutil

    def rotting(source, target):
        type(source)(target).write_bytes(source.read_bytes()[:-1] + b"?")

    monkeypatch.setattr(shutil, "copyfile", rotting)
    with pytest.raises(StorageError, match="does not hold what was sealed"):
        sealed(run, archive=tmp_path / "archive")
    assert not (tmp_path / "archive" / "main" / run.folder.name).exists()


def test_a_run_spoiled_after_sealing_is_not_archived(run, tmp_path):
    sealed(run)
    (run.folder / "run_metadata.json").chmod(0o644)
    run.set_metadata(git_sha="another")
    with pytest.raises(InputError, match="not those of the run"):
        sealed(run, archive=tmp_path / "archive")
    assert read_seal(run.folder) is not None


def test_stages_of_a_benchmark_are_sealed_with_it(tmp_path):
    layout = layout_in(tmp_path)
    made = MadeRun(layout, RUN, workflow="benchmark/master").make()
    stage = layout.output_root / "benchmark" / "contact" / f"run_{RUN}"
    (stage / "tables").mkdir(parents=True)
    table = stage / "tables" / "trials.csv"
    table.write_text("kept")
    path = made.folder / "provenance_manifest.json"
    manifest = json.loads(path.read_text())
    item = manifest["outputs"][-1] | {"uri": table.as_uri(), "also": {}}
    item["sha256"] = hashlib.sha256(b"kept").hexdigest()
    manifest["outputs"].append(item)
    path.write_text(json.dumps(manifest))
    done = promote(made.folder, RUN, layout.output_root, tmp_path / "archive")
    assert [one.folder for one in done] == [stage, made.folder]
    assert all(is_sealed(one.folder) and is_sealed(one.archived) for one in done)
    copy = tmp_path / "archive" / "benchmark" / "contact" / stage.name
    assert (copy / "tables" / "trials.csv").read_text() == "kept"
