"""A snapshot is whole, hashed, read-only, and never changes again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyto_kedro.core.errors import ConfigError, CytoError, InputError, StorageError
from cyto_kedro.core.experiment import read_experiment
from cyto_kedro.lifecycle import ingest as module
from cyto_kedro.lifecycle.ingest import ingest
from cyto_kedro.lifecycle.sheet import sheet_of
from cyto_kedro.lifecycle.snapshot import read_hashes, write_hashes
from made_runs import layout_in


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "microscope"
    for movie in ("A1", "A2"):
        for frame in range(2):
            path = folder / movie / f"cancer_{frame}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{movie} {frame}".encode())
    (folder / "odd\nname \\ 'x'.txt").write_text("notes")
    return folder


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw"


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def check_by_coreutils(raw, dataset):
    return subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", f"{dataset}.sha256"],
        cwd=raw,
        capture_output=True,
        check=False,
    ).returncode


@pytest.mark.parametrize("mode", ["copy", "link", "move"])
def test_the_snapshot_has_the_content_and_coreutils_agrees(source, raw, mode):
    before = content(source)
    done = ingest(source, "plate1", raw, mode)
    assert content(raw / "plate1") == before
    assert (done.files, done.already) == (5, False)
    assert done.size_bytes == sum(map(len, before.values()))
    assert check_by_coreutils(raw, "plate1") == 0
    assert source.exists() == (mode != "move")
    facts = json.loads((raw / "plate1.snapshot.json").read_text())
    assert (facts["mode"], facts["source"]) == (mode, str(source))
    folders = [raw / "plate1", *(p for p in (raw / "plate1").rglob("*") if p.is_dir())]
    assert not any(folder.stat().st_mode & 0o222 for folder in folders)


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_read_only_are_our_files_not_those_of_others(source, raw, mode):
    ingest(source, "plate1", raw, mode)
    ours = raw / "plate1" / "A1" / "cancer_0.tif"
    assert bool(ours.stat().st_mode & stat.S_IWUSR) == (mode == "link")
    assert (source / "A1" / "cancer_0.tif").stat().st_mode & stat.S_IWUSR
    assert (
        ours.stat().st_mtime_ns == (source / "A1" / "cancer_0.tif").stat().st_mtime_ns
    )


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_the_same_again_changes_nothing(source, raw, mode):
    ingest(source, "plate1", raw, mode)
    inodes = {p: p.lstat().st_ino for p in raw.rglob("*") if not p.name.startswith(".")}
    assert ingest(source, "plate1", raw, "copy").already
    assert inodes == {
        p: p.lstat().st_ino for p in raw.rglob("*") if not p.name.startswith(".")
    }


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda s: (s / "A1" / "cancer_0.tif").write_bytes(b"other"), "changed"),
        (lambda s: (s / "A1" / "cancer_9.tif").write_bytes(b"more"), "new"),
        (lambda s: (s / "A2" / "cancer_1.tif").unlink(), "missing"),
    ],
)
def test_other_content_under_the_same_name_is_refused(source, raw, change, word):
    ingest(source, "plate1", raw, "copy")
    before = content(raw)
    change(source)
    with pytest.raises(StorageError, match=f"source is not what.*{word}"):
        ingest(source, "plate1", raw, "copy")
    assert content(raw) == before


def test_a_snapshot_that_rotted_is_noticed(source, raw):
    ingest(source, "plate1", raw, "copy")
    path = raw / "plate1" / "A1" / "cancer_0.tif"
    path.chmod(0o644)
    path.write_bytes(b"rotten")
    with pytest.raises(StorageError, match="snapshot is not what was ingested"):
        ingest(source, "plate1", raw, "copy")
    assert check_by_coreutils(raw, "plate1") == 1


def test_a_folder_that_was_not_ingested_is_left_alone(source, raw):
    (raw / "plate1").mkdir(parents=True)
    (raw / "plate1" / "mine.tif").write_bytes(b"mine")
    with pytest.raises(StorageError, match="not placed by"):
        ingest(source, "plate1", raw, "copy")
    assert content(raw / "plate1") == {"mine.tif": b"mine"}


def test_a_copy_that_breaks_off_leaves_no_dataset(source, raw, monkeypatch):
    real = shutil.copy2
    calls = []

    def failing(here, there):
        calls.append(there)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(here, there)

    monkeypatch.setattr(module.shutil, "copy2", failing)
    with pytest.raises(StorageError, match="No space"):
        ingest(source, "plate1", raw, "copy")
    assert not (raw / "plate1").exists()
    assert len(content(source)) == 5
    monkeypatch.undo()
    assert ingest(source, "plate1", raw, "copy").files == 5


def test_a_file_that_changes_while_it_is_copied_is_noticed(source, raw, monkeypatch):
    real = shutil.copy2

    def still_writing(here, there):
        with Path(here).open("ab") as stream:
            stream.write(b"+")
        return real(here, there)

    monkeypatch.setattr(module.shutil, "copy2", still_writing)
    with pytest.raises(StorageError, match="not what was read"):
        ingest(source, "plate1", raw, "copy")
    assert not (raw / "plate1").exists()


def test_a_move_across_disks_deletes_only_what_was_read(source, raw, monkeypatch):
    before = content(source)
    monkeypatch.setattr(module, "_copy", _copy_then(module._copy, source))
    monkeypatch.setattr(Path, "stat", _other_disk(source, Path.stat))
    ingest(source, "plate1", raw, "move")
    assert content(raw / "plate1") == before
    assert content(source) == {"A1/late.tif": b"late"}


def _copy_then(copy, source):
    """As if the microscope wrote one more file in the meantime."""

    def both(*arguments):
        copy(*arguments)
        (source / "A1" / "late.tif").write_bytes(b"late")

    return both


def _other_disk(source, real):
    def stat_of(path, **options):
        found = real(path, **options)
        if path != source:
            return found
        values = list(found)
        values[2] = found.st_dev + 1
        return os.stat_result(values)

    return stat_of


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "../up", "a\nb", "-rf/"])
def test_unusable_names_are_refused(source, raw, name):
    with pytest.raises(ConfigError, match="usable"):
        ingest(source, name, raw, "copy")
    assert not raw.exists()


def test_hostile_sources_are_refused(source, raw, tmp_path):
    (source / "loop").symlink_to(source)
    with pytest.raises(InputError, match="links to files"):
        ingest(source, "plate1", raw, "copy")
    (source / "loop").unlink()
    os.mkfifo(source / "pipe")
    with pytest.raises(InputError, match="links to files"):
        ingest(source, "plate1", raw, "copy")
    (source / "pipe").unlink()
    with pytest.raises(ConfigError, match="in each other"):
        ingest(source, "plate1", source / "raw", "copy")
    (source / os.fsdecode(b"\xff.tif")).touch()
    with pytest.raises(InputError, match="UTF-8"):
        ingest(source, "plate1", raw, "copy")
    (source / os.fsdecode(b"\xff.tif")).unlink()
    (source / "A1" / "again.tif").symlink_to(source / "A1" / "cancer_0.tif")
    with pytest.raises(InputError, match="not moved"):
        ingest(source, "plate1", raw, "move")
    assert (source / "A1" / "cancer_0.tif").exists()
    ingest(source, "plate1", raw, "copy")
    assert not (raw / "plate1" / "A1" / "again.tif").is_symlink()
    for empty in (tmp_path / "none", tmp_path / "nothing"):
        if empty.name == "none":
            empty.mkdir()
        with pytest.raises(InputError):
            ingest(empty, "plate2", raw, "copy")


def test_one_file_of_a_microscope_is_a_dataset_too(tmp_path, raw):
    (tmp_path / "all.nd2").write_bytes(b"nd2")
    ingest(tmp_path / "all.nd2", "plate1", raw, "move")
    assert content(raw / "plate1") == {"all.nd2": b"nd2"}
    assert not (tmp_path / "all.nd2").exists()


@given(st.lists(st.text("abc\\\n\r n'\"", min_size=1), unique=True))
def test_any_name_survives_the_list_of_hashes(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("list") / "d.sha256"
    hashes = {name: f"{number:064x}" for number, name in enumerate(names)}
    write_hashes(path, "d", hashes)
    assert read_hashes(path, "d") == hashes


def test_a_sheet_is_written_for_movies_with_all_channels(source, tmp_path):
    layout = layout_in(
        tmp_path,
        dataset="other",
        channels={
            "cancer": {"files": "<movie>/cancer_*.tif"},
            "tcell": {"files": "<movie>/t.zarr"},
        },
    )
    for movie in ("A1", "A3"):
        (source / movie / "t.zarr" / "c").mkdir(parents=True)
        (source / movie / "t.zarr" / "c" / "0").write_bytes(b"0")
    ingest(source, "plate1", layout.data_root, "copy")
    report = sheet_of(layout, "plate1")
    assert (report.movies, report.written, report.missing) == (1, True, ())
    used = layout.model_copy(update={"sheet": report.path, "dataset": "plate1"})
    [movie] = read_experiment(used).movies
    assert (movie.id, movie.paths["tcell"].is_dir()) == ("A1", True)
    report.path.write_text("movie,dataset,donor\nA1,plate1,7\n")  # filled in since
    again = sheet_of(layout, "plate1")
    assert not again.written
    assert pd.read_csv(again.path)["donor"].tolist() == [7]


def test_a_sheet_that_comes_with_the_data_is_checked(source, tmp_path):
    layout = layout_in(tmp_path, dataset="other")
    (source / "experiment.csv").write_text("movie\nA1\nA9\n")
    ingest(source, "plate1", layout.data_root, "copy")
    report = sheet_of(layout, "plate1")
    assert report.path == layout.data_root / "plate1" / "experiment.csv"
    assert len(report.missing) == 1
    assert "movie A9, channel cancer" in report.missing[0]


def test_a_wrong_sheet_is_an_error_and_no_match_no_sheet(source, tmp_path):
    layout = layout_in(tmp_path, channels={"cancer": {"files": "<movie>.nd2"}})
    ingest(source, "plate1", layout.data_root, "copy")
    assert sheet_of(layout, "plate1").path is None
    layout.sheet.write_text("film\nA1\n")
    with pytest.raises(CytoError, match="column 'movie'"):
        sheet_of(layout, "plate1")
