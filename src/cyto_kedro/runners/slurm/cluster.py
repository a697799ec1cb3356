"""SLURM's commands: submit, ask, cancel; each with a time limit."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cyto_kedro.core.errors import CytoError
from cyto_kedro.runners.resources import PartitionLimit
from cyto_kedro.runners.slurm.parsing import (
    SACCT_FORMAT,
    SINFO_FORMAT,
    SQUEUE_FORMAT,
    TaskState,
    config_value,
    partition_limits,
    sacct_states,
    scontrol_states,
    squeue_states,
)
from cyto_kedro.runners.slurm.submission import (
    UNANSWERED,
    SubmitLimit,
    SubmitRefused,
    SubmitTimeout,
    job_id,
    passes,
    sbatch_command,
)

__all__ = [
    "Cluster",
    "StatusUnavailable",
    "SubmitLimit",
    "SubmitRefused",
    "SubmitTimeout",
    "TaskState",
    "sbatch_command",
]

_GONE = ("Invalid job id", "Job/step already completing or completed")
_FAILED = "FAILED"
# How far back the accounting is asked for a name; by itself it looks at today only.
_SINCE = "now-30days"


class StatusUnavailable(CytoError):
    """The controller does not answer: nothing is known about any job."""


@dataclass
class Cluster:
    """The cluster that this machine belongs to.

    Args:
        timeout: Of one command (s); a controller that is down answers after 9 to 18 s.
    """

    timeout: float = 30.0
    queries: int = field(default=0, init=False)
    _verdicts: dict[tuple[str, float | None], TaskState] = field(
        default_factory=dict, init=False, repr=False
    )

    def available(self) -> bool:
        """Whether there is a SLURM that answers."""
        if shutil.which("sbatch") is None:
            return False
        try:
            return self._run("sinfo", "-h", "-o", "%P").returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def submit(self, script: Path, *, array: str | None, name: str) -> str:
        """Submit a script; return the job id.

        Raises:
            SubmitLimit: Hold it and try again later.
            SubmitTimeout: Look for it by its name.
            SubmitRefused: With the command and SLURM's message.
        """
        command = sbatch_command(script, array, name)
        try:
            done = self._run(*command)
        except subprocess.TimeoutExpired as exc:
            # While the queue is full, sbatch itself waits and tries again.
            said = (exc.stderr or b"").decode(errors="replace")
            if passes(said):
                raise SubmitLimit(said.strip().splitlines()[-1], where=name) from exc
            raise SubmitTimeout(
                f"sbatch did not answer within {self.timeout:g} s", where=name
            ) from exc
        if done.returncode == 0:
            return job_id(done.stdout, name)
        message = done.stderr.strip()
        if passes(message):
            raise SubmitLimit(message, where=name)
        if any(text in message for text in UNANSWERED):
            raise SubmitTimeout(message, where=name)
        raise SubmitRefused(
            message or f"sbatch ended with exit code {done.returncode}",
            where=shlex.join(command),
            fix="correct slurm.yml (partition, account, qos, gres), see "
            "--runner-params=dry_run=true",
        )

    def find(self, name: str) -> list[str]:
        """Ids of jobs with this unique name, newest first."""
        # %F: the array's own id; each of its tasks has one more.
        asked = self._ask("squeue", "-h", "-t", "all", "-n", name, "-o", "%F")
        found = set(asked.stdout.split())
        if not found and self.accounting:
            told = self._ask(
                "sacct", "-X", "-n", "-P", "-S", _SINCE, f"--name={name}", "-o", "JobID"
            )
            found = {line.split("_")[0] for line in told.stdout.split()}
        return sorted(found, key=_number, reverse=True)

    def states(self, ids: Iterable[str]) -> dict[str, TaskState]:
        """All tasks of these jobs by id, ``123_4``: one question for all.

        Tasks that failed since the last answer cost one more per job, once: the queue
        does not tell a task killed for memory from one that failed. Tasks that the
        queue has forgotten are asked of the accounting, where there is one.

        Args:
            ids: Jobs (``123``), or tasks (``123_4``) that are to be in the answer.

        Returns:
            By task. One of which nobody knows the end is missing.

        Raises:
            StatusUnavailable: Nothing is known, which is not the same.
        """
        named = set(ids)
        jobs = {name.split("_")[0] for name in named}
        if not jobs:
            return {}
        found = squeue_states(
            self._ask(
                *("squeue", "-h", "-r", "-t", "all"),
                *("-j", _listed(jobs), "-o", SQUEUE_FORMAT),
            ).stdout
        )
        self._judge(found)
        gone = named - found.keys() - {task.split("_")[0] for task in found}
        if gone and self.accounting:
            forgotten = _listed({name.split("_")[0] for name in gone})
            told = self._ask(
                *("sacct", "-X", "-n", "-P", "-j", forgotten, "-o", SACCT_FORMAT)
            ).stdout
            # What only the accounting believes to be alive, is not, or not yet noted.
            ended = {t: s for t, s in sacct_states(told).items() if not s.alive}
            found = ended | found
        return found

    def _judge(self, found: dict[str, TaskState]) -> None:
        """Replace what the queue says of failed tasks by what the controller knows."""
        new = {
            task
            for task, state in found.items()
            if state.state == _FAILED and (task, state.started) not in self._verdicts
        }
        for job in sorted({task.split("_")[0] for task in new}, key=_number):
            told = scontrol_states(
                self._ask("scontrol", "show", "job", "-o", job).stdout
            )
            for task in new & told.keys():
                self._verdicts[task, found[task].started] = told[task]
        for task, state in found.items():
            if state.state == _FAILED:
                found[task] = self._verdicts.get((task, state.started), state)

    def cancel(self, jobs: Iterable[str]) -> None:
        """Cancel jobs with one command; those that ended are no error.

        Raises:
            StatusUnavailable: It is not known whether they were cancelled.
        """
        wanted = sorted(set(jobs), key=_number)
        if not wanted:
            return
        try:
            self._ask("scancel", *wanted)
        except StatusUnavailable as exc:
            raise StatusUnavailable(
                f"Jobs may still be there: {exc.what}",
                fix=f"once the cluster answers: scancel {' '.join(wanted)}",
            ) from exc

    def partitions(self) -> dict[str, PartitionLimit]:
        """Limits by partition, hidden ones included: jobs may be sent there."""
        told = self._ask("sinfo", "-a", "-h", "-o", SINFO_FORMAT).stdout
        return partition_limits(told)

    def max_array_size(self) -> int:
        """Largest number of tasks of one array whose indices begin at 0."""
        value = config_value(self._config, "MaxArraySize")
        return max(1, int(value)) if value and value.isdigit() else 1000

    @property
    def accounting(self) -> bool:
        """Whether finished jobs can be asked for."""
        kind = config_value(self._config, "AccountingStorageType") or ""
        return "slurmdbd" in kind and shutil.which("sacct") is not None

    @functools.cached_property
    def _config(self) -> str:
        return self._ask("scontrol", "show", "config").stdout

    def _ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        self.queries += 1
        try:
            done = self._run(*command)
        except subprocess.TimeoutExpired as exc:
            raise StatusUnavailable(
                f"{command[0]} did not answer within {self.timeout:g} s"
            ) from exc
        if done.returncode != 0 and not any(text in done.stderr for text in _GONE):
            raise StatusUnavailable(done.stderr.strip() or f"{command[0]} failed")
        return done

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=self.timeout,
            check=False,
            env=clean_environment(),
        )


# Options of the commands, and what describes the surrounding job.
_SETTING = re.compile(r"^(SLURM|SBATCH|SQUEUE|SACCT|SINFO|SCANCEL|SCONTROL)_")


def clean_environment() -> dict[str, str]:
    """The environment without what a surrounding job would force upon its children."""
    return {
        key: value
        for key, value in os.environ.items()
        if key == "SLURM_CONF" or not _SETTING.match(key)
    }


def _number(job: str) -> int:
    match = re.match(r"\d+", job)
    return int(match[0]) if match else 0


def _listed(jobs: Iterable[str]) -> str:
    return ",".join(sorted(jobs, key=_number))
