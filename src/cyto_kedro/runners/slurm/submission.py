"""One ``sbatch``: its words, and what its answer means."""

from __future__ import annotations

import re
from pathlib import Path

from cyto_kedro.core.errors import CytoError

# The queue is full: that passes.
_FULL = (
    "Resource temporarily unavailable",
    "Slurm temporarily unable to accept job",
    "job count limit",
    "MaxJobCount",
)
# One message for limits on how much may be queued, which pass, and on what one job may
# be, which do not. A line before it names the limit: AssocMaxSubmitJobLimit,
# QOSGrpSubmitJobsLimit, QOSMaxWallDurationPerJobLimit (seen on 22.05).
_POLICY = "Job violates accounting/QOS policy"
_POLICY_NAME = re.compile(r"\b(?:Assoc|QOS)\w*Limit\b")
#: It may have landed or not.
UNANSWERED = (
    "Unable to contact",
    "Socket timed out",
    "Zero Bytes were transmitted",
    "Transport endpoint is not connected",
    "controller in standby mode",
)
_JOB = re.compile(r"^(\d+)(?:;\S+)?$")


class SubmitLimit(CytoError):
    """The cluster takes no more jobs for now."""


class SubmitTimeout(CytoError):
    """``sbatch`` did not answer: the job may be there or not."""


class SubmitRefused(CytoError):
    """``sbatch`` refused the job for good."""


def sbatch_command(script: Path, array: str | None, name: str) -> list[str]:
    """The submission as typed."""
    command = ["sbatch", "--parsable", f"--job-name={name}"]
    if array is not None:
        command.append(f"--array={array}")
    return [*command, str(script)]


def job_id(told: str, name: str) -> str:
    """The id that ``sbatch --parsable`` printed last, after what a site's wrapper says.

    Raises:
        SubmitTimeout: There is none.
    """
    match = _JOB.match(told.strip().splitlines()[-1].strip()) if told.strip() else None
    if match is None:
        raise SubmitTimeout(f"sbatch told no job id, but: {told.strip()!r}", where=name)
    return match[1]


def passes(message: str) -> bool:
    """Whether a refusal will pass when jobs end."""
    if _POLICY in message:
        limits = _POLICY_NAME.findall(message)
        return not limits or any("SubmitJob" in limit for limit in limits)
    return any(text in message for text in _FULL)
