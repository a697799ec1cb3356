"""`kedro cyto status | logs | cancel | resume | prune`: runs, from a shell."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import is_locked, locked
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW
from cyto_kedro.provenance.runs import METADATA, run_ids
from cyto_kedro.provenance.seal import is_sealed, refuse_if_sealed
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.local import tail
from cyto_kedro.runners.units import Spec

LAST = "last"


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path

    @property
    def id(self) -> str:
        """Its run id."""
        return self.folder.name.removeprefix("run_")

    @property
    def journal(self) -> Journal:
        """The journal of its jobs."""
        return Journal(self.folder / "log")

    def metadata(self) -> dict[str, Any]:
        """`run_metadata.json`; empty if there is none."""
        try:
            return dict(json.loads((self.folder / METADATA).read_text("utf-8")))
        except (OSError, ValueError):
            return {}

    def is_driven(self) -> bool:
        """Whether a driver of the run is alive."""
        return not is_sealed(self.folder) and is_locked(self.journal.lock)


def find(layout: Layout, wanted: str) -> Run:
    """A run of any workflow by its id, or the newest one.

    Raises:
        ConfigError: There is no such run; names the newest ones.
    """
    root = layout.output_root
    workflows = sorted(p for p in root.glob("*") if p.is_dir())
    workflows += [root / BENCHMARK_WORKFLOW]
    found = {
        run: workflow / f"run_{run}"
        for workflow in workflows
        for run in run_ids(root, str(workflow.relative_to(root)))
    }
    chosen = max(found, default=None) if wanted == LAST else wanted
    if chosen is None or chosen not in found:
        newest = ", ".join(sorted(found)[-5:]) or "none"
        raise ConfigError(
            f"There is no run '{wanted}'",
            where=str(layout.output_root),
            fix=f"the newest runs: {newest}",
        )
    return Run(found[chosen])


def status(run: Run) -> dict[str, Any]:
    """How far a run is: its record, its units by stage, its jobs in the queue."""
    record, journal = run.metadata(), run.journal
    total: Counter[str] = Counter()
    stage_of: dict[str, str] = {}
    for path in sorted(journal.specs.glob("*.json")):
        for task in Spec.read(path).tasks:
            for unit in task:
                if unit.id not in stage_of:
                    total[unit.stage] += 1
                stage_of[unit.id] = unit.stage
    done: Counter[str] = Counter()
    failed: list[dict[str, str]] = []
    for path in sorted(journal.results.glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        stage = stage_of.get(result["unit"], result["unit"].split(".")[0])
        done[stage] += result["status"] == "done"
        if result["status"] != "done":
            failed.append({"unit": result["unit"], "error": str(result["error"])})
    return {
        "run_id": run.id,
        "pipeline": record.get("pipeline"),
        "status": record.get("status"),
        "driver": "alive" if run.is_driven() else "gone",
        "folder": str(run.folder),
        "movies": {m["movie"]: m["status"] for m in record.get("movies", [])},
        "stages": {
            name: {"done": done[name], "of": max(count, done[name])}
            for name, count in (total or done).items()
        },
        "failed": failed,
        "jobs": _queue(journal),
    }


def _queue(journal: Journal) -> dict[str, int]:
    """Tasks of the run in SLURM by state; empty where there is nothing to ask."""
    from cyto_kedro.runners.slurm.cluster import Cluster

    jobs, cluster = journal.jobs(), Cluster()
    if not jobs or not cluster.available():
        return {}
    return dict(Counter(state.state for state in cluster.states(jobs).values()))


def as_text(facts: dict[str, Any]) -> str:
    """The status for a terminal."""
    lines = [
        f"run {facts['run_id']} of '{facts['pipeline']}': {facts['status']}, "
        f"driver {facts['driver']}",
        f"  {facts['folder']}",
    ]
    movies = Counter(facts["movies"].values())
    if movies:
        counted = ", ".join(f"{n} {name}" for name, n in sorted(movies.items()))
        lines.append(f"  movies: {counted}")
    for name, count in facts["stages"].items():
        lines.append(f"  {name:<40} {count['done']:>5} of {count['of']}")
    if facts["jobs"]:
        states = ", ".join(f"{n} {s.lower()}" for s, n in sorted(facts["jobs"].items()))
        lines.append(f"  SLURM tasks: {states}")
    for item in facts["failed"]:
        lines.append(f"  failed: {item['unit']}: {item['error'].splitlines()[0]}")
    return "\n".join(lines)


def logs(run: Run, wanted: str | None, lines: int) -> str:
    """Names of the logs of a run, or the end of those whose name holds ``wanted``."""
    found = sorted(run.journal.folder.glob("*.log"))
    if wanted is None:
        return "\n".join(str(path) for path in found) or "This run has no logs."
    chosen = [path for path in found if wanted in path.name]
    if not chosen:
        raise ConfigError(
            f"No log of run {run.id} has '{wanted}' in its name",
            where=str(run.journal.folder),
            fix=f"kedro cyto logs {run.id} lists them",
        )
    return "\n".join(f"==> {path} <==\n{tail(path, lines)}" for path in chosen)


def cancel(run: Run) -> list[str]:
    """Cancel all jobs of a run; its driver, if alive, then ends by itself."""
    from cyto_kedro.runners.slurm.cluster import Cluster

    jobs = run.journal.jobs()
    if jobs:
        Cluster().cancel(jobs)
        run.journal.add("cancelled", jobs=jobs)
    return jobs


def resume_command(run: Run) -> list[str]:
    """The ``kedro run`` that goes on with a run as it was started.

    Raises:
        ConfigError: The run has no jobs to go on with, or it is complete.
    """
    header = run.journal.read_header()
    if not header:
        raise ConfigError(
            f"Run {run.id} was not started by a runner that can resume",
            where=str(run.folder),
            fix="kedro run --only-missing-outputs computes only what is missing",
        )
    if run.metadata().get("status") == "completed":
        raise ConfigError(f"Run {run.id} is complete", where=str(run.folder))
    options = {k: v for k, v in header["options"].items() if v is not None}
    options |= {"resume": run.id}
    command = [sys.executable, "-m", "kedro", "run", f"--runner={header['runner']}"]
    command.append(
        "--runner-params="
        + ",".join(f"{key}={value}" for key, value in options.items())
    )
    if header["pipelines"]:
        command.append("--pipelines=" + ",".join(header["pipelines"]))
    if header["env"]:
        command.append(f"--env={header['env']}")
    if header["runtime_params"]:
        pairs = (f"{key}={value}" for key, value in _flat(header["runtime_params"]))
        command.append("--params=" + ",".join(pairs))
    command.append(f"--conf-source={header['conf_source']}")
    return command


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            pairs += _flat(value, f"{name}.")
        else:
            pairs.append((name, value))
    return pairs


def resume(run: Run, project: Path) -> int:
    """Go on with a run; returns the exit code of ``kedro run``."""
    return subprocess.run(resume_command(run), cwd=project, check=False).returncode


def prune(run: Run, layout: Layout) -> tuple[int, int]:
    """Delete what only resuming and looking for errors needs.

    Logs, batches and unit results go, and what the run left staged in scratch; results,
    metadata, the usage table and the journal stay.

    Returns:
        Number of files, and their bytes.

    Raises:
        StorageError: A driver of the run is alive, or the run is sealed.
    """
    refuse_if_sealed(run.folder)
    journal = run.journal
    if not journal.folder.is_dir():
        return 0, 0
    with locked(journal.lock):
        gone = [*journal.folder.glob("*.log")]
        for folder in (journal.results, journal.specs):
            gone += [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in gone)
        for path in gone:
            path.unlink()
        for folder in (journal.results, journal.specs):
            shutil.rmtree(folder, ignore_errors=True)
        scratch = layout.scratch_root.glob(f"*/*/{run.folder.parent.name}")
        for folder in scratch:
            for path in list(folder.rglob(f".*.{run.id}.*")):
                shutil.rmtree(path, ignore_errors=True)
    return len(gone), size
