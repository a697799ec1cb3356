"""The real command line on a real SLURM, with tiny movies."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import cyto_kedro
from project import REPOSITORY
from small_experiment import FRAMES, small_project

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

RUNNER = "--runner=cyto_kedro.runners.SlurmRunner"
SITE = """
poll: {first: 0.5, max: 2}
submit_interval: 0
latency_wait: 5
defaults: {mem: 1500M, cpus_per_task: 1}
classes:
  images: {cpus_per_task: 1, mem: 1500M, time: "00:30:00"}
  gpu_a100: {mem: 1500M, cpus_per_task: 1}
nodes:
  "tag:frame_wise":
    {use: images, fan_out: {frames: %d, units_per_task: 2, max_parallel: 2}}
"""


@pytest.fixture(scope="module")
def project():
    # Jobs of another user may have to enter it: not below pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="cyto_kedro_jobs_"))
    folder.chmod(0o755)
    try:
        made = small_project(folder / "a project")
        made.configure("slurm.yml", SITE % 5)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean(project, slurm):
    """No results of the test before, and nothing in the queue."""
    subprocess.run(["scancel", "-u", "root"], check=False)
    for name in ("02_intermediate", "08_reporting"):
        shutil.rmtree(project.folder / "data" / name, ignore_errors=True)
    project.configure("slurm.yml", SITE % 5)


def contents(project) -> dict[tuple[str | None, str], str]:
    found = {}
    for path in (project.folder / "data").rglob("*.sidecar.json"):
        sidecar = json.loads(path.read_text("utf-8"))
        if sidecar["dataset"] != "report":  # names its run
            found[sidecar["movie"], sidecar["dataset"]] = sidecar["sha256"]
    return found


def start(project, *words) -> subprocess.Popen:
    return subprocess.Popen(
        project.command("run", "--pipeline=preprocessing", RUNNER, *words),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait(what: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def finished(project) -> dict[Path, bytes]:
    """Result files of units so far, of windows only."""
    runs = project.runs("preprocessing")
    if not runs:
        return {}
    files = (runs[-1] / "log" / "units").glob("*.preprocess.*.json")
    return {path: path.read_bytes() for path in files}


def queue() -> list[str]:
    done = subprocess.run(
        ["squeue", "-h", "-r", "-o", "%i %T"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_whole_chain_is_the_same_alone_and_in_jobs(project):
    one = project.kedro("run")
    assert one.returncode == 0, one.stderr
    alone = contents(project)
    for name in ("02_intermediate", "08_reporting"):
        shutil.rmtree(project.folder / "data" / name)
    project.configure("slurm.yml", SITE % 3)  # four windows of each movie
    many = project.kedro("run", RUNNER)
    assert many.returncode == 0, many.stdout + many.stderr
    assert contents(project) == alone
    assert len(alone) > 60

    record, folder = project.metadata(), project.runs()[-1]
    assert record["status"] == "completed"
    assert record["total_frames"] == 2 * FRAMES
    assert len(record["slurm_jobs"]) >= 7
    assert not queue()
    logs = [path.name for path in (folder / "log").glob("*.log")]
    assert any(
        name.startswith(f"cyto.tcell.segment.{record['run_id']}") for name in logs
    )
    usage = (folder / "log" / "usage.csv").read_text("utf-8")
    assert "cancer.segment,short,8," in usage
    assert not list((project.folder / "data" / "02_intermediate").rglob(".*.partial"))


def test_a_dry_run_shows_all_and_does_nothing(project, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin/nowhere:" + str(Path(sys.executable).parent))
    done = project.kedro("run", RUNNER, "--runner-params=dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "$ sbatch --parsable --job-name=cyto.cancer.segment." in done.stdout
    assert "--array=0-2%2" in done.stdout  # two movies of three windows, by twos
    assert "#SBATCH --partition=short" in done.stdout
    assert (
        "GPU-hours requested" in done.stdout and "Nothing was submitted" in done.stdout
    )
    assert not list(
        (project.folder / "data" / "08_reporting").rglob("run_metadata.json")
    )


def test_a_dry_run_of_the_benchmark_shows_the_trials(project, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin/nowhere:" + str(Path(sys.executable).parent))
    done = project.kedro(
        "run", "--pipeline=benchmark", RUNNER, "--runner-params=dry_run=true"
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    trials = re.findall(r"# (\w+), N = (\d+): \d+ units of .*; 2 times", text)
    stages = ["register_denoise", "cellpose", "trackmate", "contact"]
    assert list(dict.fromkeys(stage for stage, _ in trials)) == stages
    assert {n for _, n in trials} == {"1", "2", "4", "8"}
    # Sixteen windows in eight shares; the trial's own folder.
    part = text.partition("# cellpose, N = 8:")[2].partition("\n# ")[0]
    assert "--array=0-7 " in part
    assert "/benchmark/cellpose/" in part and "/log/N8_r1/" in part
    assert not list((project.folder / "data" / "08_reporting").rglob("benchmark"))


def test_no_slurm_is_told_before_anything_starts(project, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin/nowhere:" + str(Path(sys.executable).parent))
    done = project.kedro("run", RUNNER)
    assert done.returncode != 0
    assert "There is no SLURM here" in done.stderr
    assert "AllocationRunner" in done.stderr


def test_a_job_does_not_submit_jobs(project, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    done = project.kedro("run", RUNNER)
    assert done.returncode != 0
    assert "This is already job 77" in done.stderr and "nested: allow" in done.stderr


def test_what_cannot_start_is_refused_with_the_fix(project):
    project.configure("slurm.yml", 'nodes: {"*.segment": {time: "2-00:00:00"}}')
    done = project.kedro("run", RUNNER)
    assert "is more than partition 'short' admits" in done.stderr
    assert "use 'long'" in done.stderr
    project.configure("slurm.yml", 'nodes: {"*.segment": {gres: "gpu:1"}}')
    done = project.kedro("run", RUNNER)
    assert "partition 'short' has no GPUs" in done.stderr
    assert "gpu_long, gpu_short" in done.stderr
    project.configure("slurm.yml", "max_job: 3")
    done = project.kedro("run", RUNNER)
    assert "max_job: there is no such key; did you mean 'max_jobs'?" in done.stderr
    assert not queue()


def test_the_traceback_of_a_failing_node_reaches_the_user(project):
    raw = project.folder / "data" / "01_raw" / "example" / "control_B1" / "cancer"
    victim = sorted(raw.glob("*.tif"))[7]
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 2])
    try:
        done = project.kedro("run", "--pipeline=preprocessing", RUNNER)
    finally:
        victim.write_bytes(content)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "1 of 2 movies failed" in text
    assert "Traceback (most recent call last)" in text and victim.name in text
    states = project.metadata("preprocessing")["movies"]
    assert {m["movie"]: m["status"] for m in states} == {
        "killing_A1": "completed",
        "control_B1": "failed",
    }


def test_a_killed_driver_is_resumed_without_doing_anything_twice(project):
    project.configure("slurm.yml", SITE % 4)
    process = start(project)
    wait(lambda: len(finished(project)) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    status = project.kedro("cyto", "status", "--json")
    assert json.loads(status.stdout[status.stdout.index("{") :])["driver"] == "gone"

    resumed = project.kedro("cyto", "resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    (folder,) = project.runs("preprocessing")
    assert project.metadata("preprocessing")["status"] == "completed"
    starts: dict[str, int] = {}
    for path in (folder / "log" / "batches").glob("*.json"):
        for task in json.loads(path.read_text("utf-8"))["tasks"]:
            for unit in task:
                key = json.dumps(unit, sort_keys=True)
                starts[key] = starts.get(key, 0) + 1
    windows = {key: n for key, n in starts.items() if '"window": [' in key}
    assert len(windows) == 2 * 3 * 3  # movies x channels x windows
    assert set(windows.values()) == {1}


def test_ctrl_c_cancels_all_jobs(project):
    process = start(project)
    wait(lambda: bool(queue()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    wait(lambda: not queue(), 20)
    assert project.metadata("preprocessing")["status"] == "interrupted"


def test_a_hang_up_leaves_the_jobs_alone(project):
    # Below nohup the driver would rightly ignore it.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        process = start(project)
    finally:
        signal.signal(signal.SIGHUP, before)
    wait(lambda: any("RUNNING" in line for line in queue()))
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert queue()
    assert project.metadata("preprocessing")["status"] == "detached"
    resumed = project.kedro("cyto", "resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert project.metadata("preprocessing")["status"] == "completed"


def test_cancel_and_prune_from_the_shell(project):
    process = start(project)
    wait(lambda: bool(queue()))
    told = project.kedro("cyto", "cancel")
    assert "cancelled: " in told.stdout
    process.communicate(timeout=60)
    assert process.returncode != 0
    pruned = project.kedro("cyto", "prune")
    assert "files deleted" in pruned.stdout
    (folder,) = project.runs("preprocessing")
    assert not list((folder / "log").glob("*.log"))
    assert (folder / "run_metadata.json").exists()


def interpreter_of_all() -> tuple[str, str]:
    """A Python that every user may start, and the path of this one's packages."""
    paths = [p for p in sys.path if p.endswith(("site-packages", "/src"))]
    source = str(Path(cyto_kedro.__file__).parents[1])
    path = os.pathsep.join([source, *paths])
    for python in (sys.executable, "/usr/bin/python3.11"):
        asked = subprocess.run(
            [
                "runuser",
                "-u",
                "nobody",
                "--",
                "env",
                f"PYTHONPATH={path}",
                python,
                "-c",
                "import cyto_kedro.session",
            ],
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return python, path
    pytest.skip("no Python 3.11 here that another user may start with these packages")


def test_an_ordinary_user_runs_it(project):
    """Nobody: another user than the one who started SLURM."""
    python, path = interpreter_of_all()
    nobody = 65534
    for root, folders, files in os.walk(project.folder):
        for name in (*folders, *files, "."):
            os.chown(Path(root) / name, nobody, nobody)
    command = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
    command += [python, *project.command("run", "--pipeline=preprocessing", RUNNER)[1:]]
    home = project.folder / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, nobody, nobody)
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=project.environment()
        | {"HOME": str(home), "NUMBA_CACHE_DIR": str(home), "MPLCONFIGDIR": str(home)}
        | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (project.folder / "data").rglob("*.sidecar.json"):
        assert path.stat().st_uid == nobody


def test_the_wrapper_runs_everything_in_one_allocation(project):
    wrapper = REPOSITORY / "examples" / "slurm" / "cyto_kedro.sbatch"
    done = subprocess.run(
        [
            "sbatch",
            "--wait",
            "--cpus-per-task=2",
            "--mem=2G",
            "--partition=short",
            str(wrapper),
            "--pipeline=preprocessing",
        ],
        cwd=project.folder,
        env=os.environ | {"CYTO_KEDRO_VENV": str(Path(sys.prefix))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    log = next(project.folder.glob("cyto_kedro_*.log")).read_text("utf-8")
    assert done.returncode == 0, log
    assert f"{min(2, len(os.sched_getaffinity(0)))} workers" in log
    assert project.metadata("preprocessing")["status"] == "completed"
    assert not (project.folder / "data" / "02_intermediate").exists()
    assert not queue()


def test_the_driver_needs_no_gpu_stack(project):
    script = (
        "import sys\n"
        "from kedro.framework.cli.cli import main\n"
        f"sys.argv = ['kedro', 'run', '{RUNNER}', '--runner-params=dry_run=true']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'cellpose', 'stardist', 'tensorflow', 'ants'}\n"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "Nothing was submitted" in done.stdout
