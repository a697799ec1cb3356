"""The bundled example from raw files to the report, by the real command line."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from cyto_kedro.core import schemas
from project import Project

pytestmark = pytest.mark.slow

MOVIES = ("killing_A1", "control_B1")


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def project(example_project):
    """The example after one `kedro run`; tests that change it copy it."""
    return example_project


@pytest.fixture(scope="module")
def run_folder(project):
    return project.runs()[0]


def test_every_movie_has_its_tables(run_folder):
    for movie in MOVIES:
        result = pd.read_parquet(run_folder / movie / "result_table.parquet")
        assert list(result.columns) == list(schemas.RESULT.columns)
        assert len(result) > 500
        assert result["t"].nunique() > 10
        as_csv = pd.read_csv(run_folder / movie / "result_table.csv")
        assert len(as_csv) == len(result)
        assert list(as_csv.columns) == list(result.columns)


def test_the_experiment_table_joins_the_sheet(run_folder):
    table = pd.read_parquet(run_folder / "experiment_results.parquet")
    assert set(table["movie"]) == set(MOVIES)
    assert {"condition", "well", "donor", "role", "label"} <= set(table.columns)
    assert set(table.loc[table["movie"] == "control_B1", "role"]) == {"cancer"}


def test_rows_join_back_to_their_masks(project, run_folder):
    import zarr

    movie = MOVIES[0]
    table = pd.read_parquet(run_folder / "experiment_results.parquet")
    cells = table[(table["movie"] == movie) & (table["role"] == "cancer")]
    labels = zarr.open(str(project.scratch(movie) / "cancer" / "labels.zarr"), mode="r")
    labels = labels["0"] if hasattr(labels, "keys") else labels
    for frame in (0, int(cells["t"].max())):
        plane = labels[frame]
        rows = cells[cells["t"] == frame]
        assert set(rows["label"]) == set(plane[plane > 0].tolist())
        for row in rows.head(5).itertuples():
            ys, xs = (plane == row.label).nonzero()
            assert xs.mean() * 0.65 == pytest.approx(row.x, abs=0.65)
            assert ys.mean() * 0.65 == pytest.approx(row.y, abs=0.65)


def test_metadata_tell_the_run(project):
    said = project.metadata()
    assert said["status"] == "completed"
    assert said["pipeline"] == "cytotoxicity"
    assert [m["movie"] for m in said["movies"]] == list(MOVIES)
    assert said["total_frames"] >= 2 * 20
    assert said["parameters"]["segmentation"]["cancer"]
    assert said["packages"]["kedro"].startswith("1.7")
    lazy = [n for n in said["nodes"] if n["node"] == "cancer.segment"]
    assert lazy and all(n["compute_s"] > n["load_s"] for n in lazy)
    assert all(n["completed"] for n in said["nodes"])


def test_every_output_has_a_true_sidecar(project, run_folder):
    from cyto_kedro.provenance.hashing import sha256_of

    scratch = project.scratch(MOVIES[0])
    sidecars = [*run_folder.rglob("*.sidecar.json"), *scratch.rglob("*.sidecar.json")]
    assert len(sidecars) > 20
    kinds = set()
    for path in sidecars:
        said = json.loads(path.read_text())
        output = path.with_name(path.name.removesuffix(".sidecar.json"))
        assert said["sha256"] == sha256_of(output), output
        assert said["run_id"] == run_folder.name[4:]
        kinds.add(said["data_type"])
    assert kinds == {"Image", "Label", "Table", "Network", "Arbitrary"}


def test_the_manifest_accounts_for_inputs_and_outputs(project, run_folder):
    manifest = json.loads((run_folder / "provenance_manifest.json").read_text())
    assert manifest["status"] == "completed"
    inputs = {Path(item["uri"]).name for item in manifest["inputs"]}
    assert {"tcell.ome.tif", "death.ome.zarr"} <= inputs
    assert len(manifest["outputs"]) > 30
    assert all(len(item["sha256"]) == 64 for item in manifest["configuration"])


def test_the_report_needs_nothing_from_outside(run_folder):
    page = (run_folder / "report.html").read_text("utf-8")
    assert run_folder.name[4:] in page
    for outside in ('src="http', "src='http", "<link", "@import", "<script src"):
        assert outside not in page
    # What is cited may be followed, nothing else leads away.
    links = re.findall(r'href="(http[^"]+)"', page)
    assert links and all(link.startswith("https://doi.org/") for link in links)
    assert page.count("<img") >= 10
    assert page.count("alt=") >= page.count("<img")


def test_nothing_is_left_staged(project):
    assert not list((project.folder / "data").rglob("*.partial"))


# -- reruns ---------------------------------------------------------------------------


def due(project):
    """Nodes that the last run executed, per movie."""
    nodes = project.metadata()["nodes"]
    return {(n["movie"], n["node"]) for n in nodes if n["movie"]}


@pytest.fixture(scope="module")
def rerun(project, run_folder):
    """A copy of the project to change."""
    copy = project.folder.with_name("copy")
    shutil.copytree(project.folder, copy, symlinks=True)
    return Project(copy)


def run_missing(project, *words):
    done = project.kedro("run", "--only-missing-outputs", *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return due(project)


def test_raw_data_are_left_as_they_were(rerun):
    """Every node that reads raw files runs again; not a byte or a name changes."""
    raw = rerun.folder / "data" / "01_raw"
    before = digest(raw)
    assert {Path(name).suffix for name in before} >= {".tif", ".csv"}
    done = rerun.kedro("run", "--pipelines=preprocessing")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    nodes = {n["node"] for n in rerun.metadata("preprocessing")["nodes"]}
    assert {"ingest.check_channels", "death.preprocess"} <= nodes
    assert digest(raw) == before


def test_an_unchanged_rerun_recomputes_no_heavy_node(rerun):
    heavy = {"preprocess", "segment", "tabulate", "track", "measure"}
    executed = run_missing(rerun)
    assert not {node for _, node in executed if node.split(".")[-1] in heavy}
    first, second = rerun.runs()
    for movie in MOVIES:
        pd.testing.assert_frame_equal(
            pd.read_parquet(first / movie / "result_table.parquet"),
            pd.read_parquet(second / movie / "result_table.parquet"),
        )


def test_a_changed_threshold_reruns_only_what_follows(rerun):
    executed = run_missing(rerun, "--params", "tracking.tcell.method.max_gap_frames=1")
    assert {node for _, node in executed if node.endswith(".track")} == {"tcell.track"}
    assert not {node for _, node in executed if node.endswith(".segment")}
    assert any(node == "tcell_cancer.measure" for _, node in executed)


def test_corrected_masks_are_followed(rerun):
    import zarr

    run_missing(rerun)
    store = rerun.scratch(MOVIES[0]) / "cancer" / "labels.zarr"
    group = zarr.open(str(store), mode="r+")
    labels = group["0"] if hasattr(group, "keys") else group
    first = labels[0]
    victim = int(first.max())
    labels[0] = first * (first != victim)
    executed = run_missing(rerun)
    assert (MOVIES[0], "cancer.tabulate") in executed
    assert (MOVIES[0], "cancer.segment") not in executed
    assert (MOVIES[1], "cancer.tabulate") not in executed
    table = pd.read_parquet(rerun.scratch(MOVIES[0]) / "cancer" / "detections.parquet")
    assert victim not in set(table.loc[table["frame"] == 0, "label"])


def test_an_added_movie_runs_alone(rerun):
    raw = rerun.folder / "data" / "01_raw" / "example"
    shutil.copytree(raw / MOVIES[1], raw / "control_B2")
    sheet = raw / "experiment.csv"
    os.chmod(sheet, 0o644)
    lines = sheet.read_text().splitlines()
    row = next(line for line in lines if line.startswith(MOVIES[1]))
    sheet.write_text(sheet.read_text() + row.replace(MOVIES[1], "control_B2") + "\n")
    executed = run_missing(rerun)
    segmented = {movie for movie, node in executed if node.endswith(".segment")}
    assert segmented == {"control_B2"}


# -- failures -------------------------------------------------------------------------


def test_one_failing_movie_does_not_take_the_other_down(project):
    copy = Project(project.folder.with_name("failing"))
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    channel = copy.folder / "data/01_raw/example" / MOVIES[0] / "tcell.ome.tif"
    os.chmod(channel, 0o644)
    whole = channel.read_bytes()
    channel.write_bytes(whole[: len(whole) // 2])
    done = copy.kedro("run")
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert f"1 of {len(MOVIES)} movies failed" in text
    assert "tcell.ome.tif" in text
    said = copy.metadata()
    assert said["status"] == "failed"
    fates = {m["movie"]: m["status"] for m in said["movies"]}
    assert fates == {MOVIES[0]: "failed", MOVIES[1]: "completed"}
    last = copy.runs()[-1]
    assert (last / MOVIES[1] / "result_table.parquet").exists()
    assert MOVIES[0] in (last / "report.html").read_text("utf-8")


def test_killed_runs_leave_nothing_half_written(project):
    """Kill -9 at random moments; what is there is whole, and a rerun completes."""
    from cyto_kedro.provenance.hashing import sha256_of

    copy = Project(project.folder.with_name("killed"))
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    shutil.rmtree(copy.folder / "data" / "02_intermediate")
    chance = random.Random(7)
    for _ in range(4):
        running = subprocess.Popen(
            copy.command("run"),
            cwd=copy.folder,
            env=copy.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(4, 14))
        running.send_signal(signal.SIGKILL)
        running.wait()
        for sidecar in copy.folder.rglob("*.sidecar.json"):
            output = sidecar.with_name(sidecar.name.removesuffix(".sidecar.json"))
            said = json.loads(sidecar.read_text())
            assert said["sha256"] == sha256_of(output), output
    run_missing(copy)
    first = project.runs()[0] / MOVIES[0] / "result_table.parquet"
    last = copy.runs()[-1] / MOVIES[0] / "result_table.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(first), pd.read_parquet(last))


def test_ctrl_c_is_recorded(project):
    copy = Project(project.folder.with_name("interrupted"))
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    running = subprocess.Popen(
        copy.command("run"),
        cwd=copy.folder,
        env=copy.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.time() + 60
    while len(copy.runs()) < 2 and time.time() < deadline:
        time.sleep(0.1)
    time.sleep(3)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) != 0
    assert copy.metadata()["status"] == "interrupted"
    assert (copy.runs()[-1] / "provenance_manifest.json").exists()


def test_the_same_numbers_on_one_thread(project):
    """Results do not depend on the number of workers."""
    copy = Project(project.folder.with_name("one thread"))
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    shutil.rmtree(copy.folder / "data" / "02_intermediate")
    done = subprocess.run(
        copy.command("run"),
        cwd=copy.folder,
        env=copy.environment() | {"SLURM_CPUS_PER_TASK": "1"},
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0
    for movie in MOVIES:
        ours = copy.runs()[-1] / movie
        theirs = project.runs()[0] / movie
        for table in ours.glob("*.parquet"):
            pd.testing.assert_frame_equal(
                pd.read_parquet(table), pd.read_parquet(theirs / table.name)
            )
