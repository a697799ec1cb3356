"""`kedro cyto logs | cancel | resume | prune`: runs, from a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import is_locked, locked
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW
from cyto_kedro.lifecycle.prune import prune as prune_run
from cyto_kedro.provenance.run_ids import chosen_run, run_ids
from cyto_kedro.provenance.runs import METADATA
from cyto_kedro.provenance.seal import is_sealed, refuse_if_sealed
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.local import tail

LOG = "log"


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
        return Journal(self.folder / LOG)

    @property
    def journals(self) -> list[Journal]:
        """All its journals: of a benchmark also those of its trials."""
        found = [self.journal]
        if self.folder.parent.name == Path(BENCHMARK_WORKFLOW).name:
            stages = self.folder.parents[1]
            trials = sorted(stages.glob(f"*/{self.folder.name}/{LOG}/*"))
            found += [Journal(folder) for folder in trials if folder.is_dir()]
        return found

    def jobs(self) -> list[str]:
        """Ids of the SLURM jobs that it submitted."""
        return [job for journal in self.journals for job in journal.jobs()]

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
        ConfigError: There is no such run; names the nearest and the newest ones.
    """
    found = all_runs(layout)
    return Run(found[chosen_run(wanted, sorted(found), layout.output_root)])


def all_runs(layout: Layout) -> dict[str, Path]:
    """Run folders of all workflows by run id."""
    root = layout.output_root
    workflows = sorted(p for p in root.glob("*") if p.is_dir())
    workflows += [root / BENCHMARK_WORKFLOW]
    return {
        run: workflow / f"run_{run}"
        for workflow in workflows
        for run in run_ids(root, str(workflow.relative_to(root)))
    }


def logs(run: Run, wanted: str | None, lines: int) -> str:
    """Names of the logs of a run, or the end of those whose path holds ``wanted``."""
    found = ends_of_logs(run, wanted, lines)
    if wanted is None:
        return "\n".join(entry["path"] for entry in found) or "This run has no logs."
    return "\n".join(f"==> {entry['path']} <==\n{entry['end']}" for entry in found)


def ends_of_logs(run: Run, wanted: str | None, lines: int) -> list[dict[str, str]]:
    """Logs by path; with ``wanted`` only those whose path holds it, and their end.

    Raises:
        ConfigError: None does.
    """
    found = log_files(run)
    if wanted is None:
        return [{"path": str(path)} for path in found]
    root = run.folder.parents[1]
    chosen = [path for path in found if wanted in str(path.relative_to(root))]
    if not chosen:
        raise ConfigError(
            f"No log of run {run.id} has '{wanted}' in its name",
            where=str(run.journal.folder),
            fix=f"kedro cyto logs {run.id} lists them",
        )
    return [{"path": str(path), "end": tail(path, lines)} for path in chosen]


def log_files(run: Run) -> list[Path]:
    """Logs of the jobs and workers of a run."""
    return [
        path
        for journal in run.journals
        for path in sorted(journal.folder.glob("*.log"))
    ]


def cancel(run: Run) -> list[str]:
    """Cancel all jobs of a run; its driver, if alive, then ends by itself."""
    from cyto_kedro.runners.slurm.cluster import Cluster

    jobs = run.jobs()
    if jobs:
        Cluster().cancel(jobs)
        run.journal.folder.mkdir(parents=True, exist_ok=True)
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
    if not any(journal.folder.is_dir() for journal in run.journals):
        return 0, 0
    run.journal.folder.mkdir(parents=True, exist_ok=True)
    with locked(run.journal.lock):
        folders = [journal.folder for journal in run.journals]
        inner = (run.journal.results.name, run.journal.specs.name)
        return prune_run(layout, run.id, folders, inner)
