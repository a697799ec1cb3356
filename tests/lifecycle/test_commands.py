"""The commands as a script sees them: text, JSON, exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cyto_kedro.cli import housekeeping, lifecycle
from cyto_kedro.cli.places import Places
from made_runs import MadeRun, layout_in

RUN = "20260101T000000Z"


@pytest.fixture
def run(tmp_path, monkeypatch):
    made = MadeRun(layout_in(tmp_path), RUN).make()
    monkeypatch.setattr(lifecycle, "layout_of", lambda metadata, env: made.layout)
    places = Places({"catalog": {}}, made.layout)
    monkeypatch.setattr(lifecycle, "places_of", lambda metadata, env: places)
    return made


def call(command, *words, **options):
    return CliRunner().invoke(command, list(words), catch_exceptions=False, **options)


def test_verify_says_by_its_exit_code_what_it_found(run):
    assert call(lifecycle.verify).exit_code == 0
    labels = run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "c"
    labels.write_bytes(b"edited")
    assert call(lifecycle.verify, RUN).exit_code == 1
    assert call(lifecycle.verify, RUN, "--quick").exit_code == 0
    unknown = call(lifecycle.verify, "20200101T000000Z")
    assert unknown.exit_code == 2
    assert "There is no run" in unknown.output
    said = json.loads(call(lifecycle.verify, "--json").stdout)
    assert said["verdict"] == "changed"


def test_purge_shows_asks_and_deletes_what_was_agreed_on(run):
    labels = run.scratch("A1") / "cancer" / "labels.zarr"
    shown = call(housekeeping.purge, "--dry-run")
    assert "plate1/A1/main  goes" in shown.output
    assert labels.is_dir()
    refused = call(housekeeping.purge, input="n\n")
    assert refused.exit_code == 1
    assert labels.is_dir()
    assert call(housekeeping.purge, "--json").exit_code == 2  # it could not ask
    done = json.loads(call(housekeeping.purge, "--json", "--yes").stdout)
    assert done["deleted"] == ["plate1/A1/main"]
    assert not labels.exists()
    assert "Nothing in scratch" in call(housekeeping.purge, "--yes").output


def test_purge_says_why_something_stays(run):
    run.set_metadata(status="failed")
    shown = call(housekeeping.purge, "--yes")
    assert shown.exit_code == 0
    assert "stays" in shown.output
    assert "0 B  in 0 files would be deleted" in shown.output
    assert run.scratch("A1").joinpath("cancer").is_dir()


def test_promote_and_du_from_the_command_line(run, tmp_path):
    done = call(lifecycle.promote, "--archive", str(tmp_path / "archive"))
    assert done.exit_code == 0
    assert "archived" in done.output
    shown = call(housekeeping.du)
    assert f"main / run {RUN}, sealed" in shown.output
    entries = json.loads(call(housekeeping.du, "--json").stdout)
    assert {entry["storage"] for entry in entries} == {"raw", "scratch", "output"}
    assert "No logs" in call(housekeeping.rotate, "--yes").output


def test_what_a_script_asks_for_comes_as_json(run, tmp_path):
    words = ("--json", "--archive", str(tmp_path / "archive"))
    (sealed,) = json.loads(call(lifecycle.promote, *words).stdout)
    assert sealed["folder"] == str(run.folder)
    assert (tmp_path / "archive" / "main" / run.folder.name).is_dir()
    assert sealed["archived"] == str(tmp_path / "archive" / "main" / run.folder.name)
    assert call(housekeeping.rotate, "--json").exit_code == 2  # it could not ask

    source = tmp_path / "microscope"
    (source / "B1").mkdir(parents=True)
    (source / "B1" / "cancer_0.tif").write_bytes(b"0")
    done = call(lifecycle.ingest, str(source), "--dataset", "plate9", "--json")
    placed = json.loads(done.stdout)
    assert placed["snapshot"]["files"] == 1
    assert placed["sheet"]["movies"] == 1


def test_rotate_tells_a_script_which_logs_went(run):
    for number in range(2):
        made = MadeRun(run.layout, f"2026010{number + 1}T000000Z", "benchmark/master")
        log = made.make().folder / "log"
        log.mkdir()
        (log / "worker.log").write_text("old")
    planned = call(housekeeping.rotate, "--keep", "1", "--json", "--dry-run")
    assert not json.loads(planned.stdout)["deleted"]
    done = json.loads(
        call(housekeeping.rotate, "--keep", "1", "--json", "--yes").stdout
    )
    assert done["deleted"]
    assert [log["run"] for log in done["logs"]] == ["20260101T000000Z"]
    left = run.layout.output_root.glob("benchmark/master/*/log/worker.log")
    assert [path.parents[1].name for path in left] == ["run_20260102T000000Z"]


def test_ingest_places_a_dataset_and_says_what_to_write_where(run, tmp_path):
    source = tmp_path / "microscope"
    (source / "B1").mkdir(parents=True)
    (source / "B1" / "cancer_0.tif").write_bytes(b"0")
    words = (str(source), "--dataset", "plate9", "--link")
    done = call(lifecycle.ingest, *words)
    assert done.exit_code == 0
    assert "1 movies, written" in done.output
    assert "dataset: plate9" in done.output
    assert (run.layout.data_root / "plate9" / "B1" / "cancer_0.tif").is_symlink()
    assert "already, unchanged" in call(lifecycle.ingest, *words).output
