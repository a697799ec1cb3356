"""Movies and windows of frames side by side, on the real command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from cyto_kedro.core.parallel import granted_cpus
from small_experiment import FRAMES, small_project

pytestmark = pytest.mark.slow

RUNNER = "--runner=cyto_kedro.runners.AllocationRunner"
JOBS = min(2, granted_cpus())


def contents(project, workflow) -> dict[tuple[str | None, str], str]:
    """Content hash of every output of the latest run, by movie and dataset."""
    found = {}
    for path in (project.folder / "data").rglob("*.sidecar.json"):
        sidecar = json.loads(path.read_text("utf-8"))
        if sidecar["dataset"] != "report":  # names its run
            found[sidecar["movie"], sidecar["dataset"]] = sidecar["sha256"]
    return found


def forget_results(project):
    for name in ("02_intermediate", "08_reporting"):
        shutil.rmtree(project.folder / "data" / name, ignore_errors=True)


def units(project, workflow) -> dict[str, dict]:
    folder = project.runs(workflow)[-1] / "log" / "units"
    return {p.stem: json.loads(p.read_text("utf-8")) for p in folder.glob("*.json")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return small_project(tmp_path_factory.mktemp("allocation") / "a project")


def test_the_whole_chain_is_the_same_in_one_process_and_in_many(project):
    one = project.kedro("run")
    assert one.returncode == 0, one.stderr
    alone = contents(project, "cytotoxicity")
    forget_results(project)
    many = project.kedro(
        "run", RUNNER, f"--runner-params=n_jobs={JOBS},window_frames=5"
    )
    assert many.returncode == 0, many.stderr
    assert contents(project, "cytotoxicity") == alone
    assert len(alone) > 60

    done = units(project, "cytotoxicity")
    windows = [name for name in done if name.startswith("cancer.segment.killing_A1.")]
    if JOBS > 1:
        assert sorted(w[-13:] for w in windows) == [
            "000000-000005",
            "000005-000010",
            "000010-000012",
        ]
        assert len({unit["times"][0]["node"] for unit in done.values()}) > 20

    record = project.metadata()
    assert record["status"] == "completed"
    assert record["total_frames"] == 2 * FRAMES
    assert all(node["completed"] for node in record["nodes"])
    manifest = project.runs()[-1] / "provenance_manifest.json"
    made = {
        (item["movie"], item["dataset"])
        for item in json.loads(manifest.read_text("utf-8"))["outputs"]
    }
    assert made >= set(alone)


def test_a_failing_movie_names_its_frame_and_the_others_go_on(project, tmp_path):
    forget_results(project)
    raw = project.folder / "data" / "01_raw" / "example" / "control_B1" / "cancer"
    victim = sorted(raw.glob("*.tif"))[7]
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 2])
    try:
        run = project.kedro(
            "run", "--pipeline=segmentation", RUNNER, f"--runner-params=n_jobs={JOBS}"
        )
    finally:
        victim.write_bytes(content)
    assert run.returncode != 0
    text = run.stdout + run.stderr
    assert "1 of 2 movies failed" in text
    assert victim.name in text
    states = {
        m["movie"]: m["status"] for m in project.metadata("segmentation")["movies"]
    }
    assert states == {"killing_A1": "completed", "control_B1": "failed"}


def test_more_than_is_granted_is_refused(project):
    run = project.kedro("run", RUNNER, f"--runner-params=n_jobs={granted_cpus() + 1}")
    assert run.returncode != 0
    assert f"{granted_cpus()} CPUs are granted" in run.stderr


def test_a_misspelt_option_is_told(project):
    run = project.kedro("run", RUNNER, "--runner-params=n_job=2")
    assert run.returncode != 0
    assert "known keys: n_jobs" in run.stderr


def test_intermediates_stay_off_shared_storage_where_asked(project):
    forget_results(project)
    run = project.kedro(
        "run",
        "--pipeline=tabulation",
        RUNNER,
        f"--runner-params=n_jobs={JOBS},track_changes=false",
    )
    assert run.returncode == 0, run.stderr
    assert not (project.folder / "data" / "02_intermediate").exists()
    assert project.metadata("tabulation")["status"] == "completed"


def start(project, *words) -> subprocess.Popen:
    return subprocess.Popen(
        project.command("run", "--pipeline=segmentation", RUNNER, *words),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(what, process: subprocess.Popen, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)


def window_units(project) -> set[Path]:
    runs = project.runs("segmentation")
    if not runs:
        return set()
    folder = runs[-1] / "log" / "units"
    return {path for path in folder.glob("*.json") if path.stem[-7] == "-"}


@pytest.mark.skipif(JOBS < 2, reason="windows need two CPUs")
def test_a_killed_driver_is_resumed_and_no_finished_window_runs_again(project):
    forget_results(project)
    options = "--runner-params=n_jobs=2,window_frames=1"
    process = start(project, options)
    wait_for(lambda: len(window_units(project)) >= 6, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(children, timeout=120)  # workers end with their driver
    assert not any(child.is_running() for child in children)

    before = {path: path.read_bytes() for path in window_units(project)}
    resumed = project.kedro(
        "run", "--pipeline=segmentation", RUNNER, options + ",resume=last"
    )
    assert resumed.returncode == 0, resumed.stderr
    assert len(project.runs("segmentation")) == 1
    assert project.metadata("segmentation")["status"] == "completed"
    again = [path for path, text in before.items() if path.read_bytes() != text]
    # The windows of one store may have been made again: of the one being published.
    assert again == []
    assert not list((project.folder / "data" / "02_intermediate").rglob(".*.partial"))


@pytest.mark.skipif(JOBS < 2, reason="windows need two CPUs")
def test_a_killed_worker_fails_its_movie_with_the_likely_reason(project):
    forget_results(project)
    process = start(project, "--runner-params=n_jobs=2,window_frames=1")
    wait_for(lambda: len(window_units(project)) >= 2, process)
    workers = psutil.Process(process.pid).children()
    os.kill(workers[0].pid, signal.SIGKILL)
    text = process.communicate()[0]
    assert process.returncode != 0
    assert "lack of memory" in text
    assert "1 of 2 movies failed" in text


@pytest.mark.skipif(JOBS < 2, reason="windows need two CPUs")
def test_ctrl_c_stops_the_workers_and_is_recorded(project):
    forget_results(project)
    process = start(project, "--runner-params=n_jobs=2,window_frames=1")
    wait_for(lambda: len(window_units(project)) >= 2, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.wait(120)
    assert not any(child.is_running() for child in children)
    assert project.metadata("segmentation")["status"] == "interrupted"


def test_two_drivers_on_one_run_are_refused(project):
    forget_results(project)
    process = start(project, f"--runner-params=n_jobs={JOBS}")
    wait_for(lambda: project.runs("segmentation"), process)
    wait_for(
        lambda: (project.runs("segmentation")[-1] / "log" / "run.json").exists(),
        process,
    )
    second = project.kedro(
        "run", "--pipeline=segmentation", RUNNER, "--runner-params=resume=last"
    )
    assert second.returncode != 0
    assert "Another run is using this folder" in second.stderr
    assert process.wait(120) == 0
