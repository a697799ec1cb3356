"""What SlurmRunner costs: start-up, submit to start, seconds per unit, questions.

    python benchmarks/slurm_overhead.py --units 1000 --per-task 50

Needs a SLURM (its partitions in ``--partition``) and a Python that the nodes see. The
units are the ingest of one tiny movie under many names: next to no work of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.writers import write_movie

REPOSITORY = Path(__file__).resolve().parents[1]
RUNNER = "--runner=cyto_kedro.runners.SlurmRunner"
SITE = """
poll: {{first: 5, max: 30}}
submit_interval: 0
max_jobs: 10000
defaults:
  partition: {partition}
  cpus_per_task: 1
  mem: 1G
  fan_out: {{units_per_task: {per_task}}}
"""


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--per-task", type=int, default=50)
    parser.add_argument("--partition", default="short")
    parser.add_argument("--folder", type=Path, help="shared folder for the project")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cyto_overhead_", dir=options.folder))
    try:
        _project(folder, options)
        plain = _timed(folder, "run", "--pipeline=ingest", "--params=movies=m0000")
        wall = _timed(folder, "run", "--pipeline=ingest", RUNNER)
        _report(folder, options, plain, wall)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _project(folder: Path, options: argparse.Namespace) -> None:
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / "conf", folder / "conf")
    (folder / "src").mkdir()
    site = SITE.format(partition=options.partition, per_task=options.per_task)
    (folder / "conf" / "local" / "slurm.yml").write_text(site)
    raw = folder / "data" / "01_raw" / "example"
    small = SimulationParams(
        n_frames=2, height_px=64, width_px=64, n_effectors=1, n_targets=1
    )
    write_movie(simulate(small), raw / "one")
    names = [f"m{number:04d}" for number in range(options.units)]
    for name in names:
        (raw / name).symlink_to("one")
    pd.DataFrame({"movie": names}).to_csv(raw / "experiment.csv", index=False)


def _timed(folder: Path, *words: str) -> float:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "kedro", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def _report(
    folder: Path, options: argparse.Namespace, plain: float, wall: float
) -> None:
    first_run, run = sorted((folder / "data" / "08_reporting" / "ingest").glob("run_*"))
    alone = json.loads((first_run / "run_metadata.json").read_text())
    units = [json.loads(p.read_text()) for p in (run / "log" / "units").glob("*.json")]
    lines = (run / "log" / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    record = json.loads((run / "run_metadata.json").read_text())
    submitted = [e["time"] for e in events if e["event"] == "submitted"]
    called = [e["time"] for e in events if e["event"] == "submitting"]
    first = [u for u in units if u["startup_s"] is not None]
    queued = [u["started"] - u["startup_s"] - submitted[0] for u in first]
    work = [u["ended"] - u["started"] for u in units]
    took = [b - a for a, b in zip(called, submitted, strict=True)]
    rows = {
        "units, array tasks, submissions": f"{len(units)}, {len(first)}, {len(took)}",
        "plain kedro run: process start to first node (s)": (
            f"{alone['seconds']['startup']:.1f}"
        ),
        "driver: process start to first submission (s)": (
            f"{record['seconds']['startup']:.1f}"
        ),
        "plain kedro run of one movie, whole (s)": f"{plain:.1f}",
        "sbatch call (ms)": f"{1000 * statistics.median(took):.0f}",
        "submit to start of the first task (s)": f"{min(queued):.1f}",
        "start-up of a worker, median (s)": (
            f"{statistics.median(u['startup_s'] for u in first):.1f}"
        ),
        "a unit, median (s)": f"{statistics.median(work):.3f}",
        "whole run (s)": f"{wall:.0f}",
        "whole run per unit (s)": f"{wall / len(units):.3f}",
    }
    for key, value in rows.items():
        print(f"| {key} | {value} |")


if __name__ == "__main__":
    main()
