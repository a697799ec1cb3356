"""SLURM's commands: submit, ask, cancel; each with a time limit."""

from __future__ import annotations

import functools
import os
import re
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

__all__ = [
    "Cluster",
    "StatusUnavailable",
    "SubmitLimit",
    "SubmitRefused",
    "SubmitTimeout",
    "TaskState",
    "sbatch_command",
]

# A limit on how much may be queued: it passes, other refusals do not.
_LIMITS = (
    "AssocMaxSubmitJobLimit",
    "QOSMaxSubmitJobPerUserLimit",
    "MaxSubmitJobs",
    "Job violates accounting/QOS policy (job submit limit",
    "Resource temporarily unavailable",
    "Slurm temporarily unable to accept job",
    "job count limit",
    "MaxJobCount",
)
_GONE = "Invalid job id"
_ENDED = frozenset({"FAILED", "COMPLETED"})


class SubmitLimit(CytoError):
    """The cluster takes no more jobs for now."""


class SubmitTimeout(CytoError):
    """``sbatch`` did not answer: the job may be there or not."""


class SubmitRefused(CytoError):
    """``sbatch`` refused the job for good."""


class StatusUnavailable(CytoError):
    """The controller does not answer: nothing is known about any job."""


def sbatch_command(script: Path, array: str | None, name: str) -> list[str]:
    """The submission as typed."""
    command = ["sbatch", "--parsable", f"--job-name={name}"]
    if array is not None:
        command.append(f"--array={array}")
    return [*command, str(script)]


@dataclass
class Cluster:
    """The cluster that this machine belongs to.

    Args:
        timeout: Of one command (s); a controller that is down answers after 9 to 18 s.
    """

    timeout: float = 30.0
    queries: int = field(default=0, init=False)

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
            if any(text in said for text in _LIMITS):
                raise SubmitLimit(said.strip().splitlines()[-1], where=name) from exc
            raise SubmitTimeout(
                f"sbatch did not answer within {self.timeout:g} s", where=name
            ) from exc
        if done.returncode == 0:
            return done.stdout.strip().split(";")[0]
        message = done.stderr.strip()
        if any(text in message for text in _LIMITS):
            raise SubmitLimit(message, where=name)
        if "Unable to contact" in message or "Socket timed out" in message:
            raise SubmitTimeout(message, where=name)
        raise SubmitRefused(
            message or f"sbatch ended with exit code {done.returncode}",
            where=" ".join(command),
            fix="correct slurm.yml (partition, account, qos, gres), see "
            "--runner-params=dry_run=true",
        )

    def find(self, name: str) -> list[str]:
        """Ids of jobs with this unique name, newest first."""
        asked = self._ask("squeue", "-h", "-t", "all", "-n", name, "-o", "%A")
        found = set(asked.stdout.split())
        if not found and self.accounting:
            since = self._ask(
                "sacct", "-X", "-n", "-P", f"--name={name}", "-o", "JobID"
            )
            found = {line.split("_")[0] for line in since.stdout.split()}
        return sorted(found, key=_number, reverse=True)

    def states(self, jobs: Iterable[str]) -> dict[str, TaskState]:
        """All tasks of these jobs by id, ``123_4``: one question for all.

        What the queue has forgotten is asked of the accounting, where there is one. A
        task of which nobody knows is missing from the answer.

        Raises:
            StatusUnavailable: Nothing is known, which is not the same.
        """
        wanted = sorted(set(jobs), key=_number)
        if not wanted:
            return {}
        listed = ",".join(wanted)
        found = squeue_states(
            self._ask(
                "squeue", "-h", "-r", "-t", "all", "-j", listed, "-o", SQUEUE_FORMAT
            ).stdout
        )
        ended = [task for task, state in found.items() if state.state in _ENDED]
        known = {task.split("_")[0] for task in found}
        if self.accounting:
            if ended or known != set(wanted):
                told = self._ask(
                    "sacct", "-X", "-n", "-P", "-j", listed, "-o", SACCT_FORMAT
                ).stdout
                found = sacct_states(told) | {
                    task: state
                    for task, state in found.items()
                    if state.state not in _ENDED
                }
        elif any(found[task].state == "FAILED" for task in ended):
            # The queue does not tell a task killed for memory from one that failed.
            jobs_failed = {t.split("_")[0] for t in ended if found[t].state == "FAILED"}
            for job in sorted(jobs_failed, key=_number):
                found |= {
                    task: state
                    for task, state in scontrol_states(
                        self._ask("scontrol", "show", "job", "-o", job).stdout
                    ).items()
                    if task in found and found[task].state == "FAILED"
                }
        return found

    def cancel(self, jobs: Iterable[str]) -> None:
        """Cancel jobs with one command; those that ended are no error."""
        wanted = sorted(set(jobs), key=_number)
        if wanted:
            self._run("scancel", *wanted)

    def partitions(self) -> dict[str, PartitionLimit]:
        """Limits by partition."""
        return partition_limits(self._ask("sinfo", "-h", "-o", SINFO_FORMAT).stdout)

    def max_array_size(self) -> int:
        """Largest number of tasks of one array."""
        value = config_value(self._config, "MaxArraySize")
        return max(1, int(value) - 1) if value and value.isdigit() else 1000

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
        if done.returncode != 0 and _GONE not in done.stderr:
            raise StatusUnavailable(done.stderr.strip() or f"{command[0]} failed")
        return done

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=self.timeout,
            check=False,
            env=clean_environment(),
        )


def clean_environment() -> dict[str, str]:
    """The environment without what a surrounding job would force upon its children."""
    return {
        key: value
        for key, value in os.environ.items()
        if key == "SLURM_CONF" or not re.match(r"^(SLURM|SBATCH|SQUEUE|SACCT)_", key)
    }


def _number(job: str) -> int:
    match = re.match(r"\d+", job)
    return int(match[0]) if match else 0
