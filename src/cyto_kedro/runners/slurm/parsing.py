"""What SLURM's commands print, as values. Fixed text formats only.

``--json`` is avoided: its shape changed in 23.02, 23.11 and 24.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cyto_kedro.runners.resources import PartitionLimit, parse_mem, parse_time

SQUEUE_FORMAT = "%i|%T|%r|%N|%V|%S"
SACCT_FORMAT = "JobID,State,ExitCode,NodeList,Submit,Start,End,Reason"
SINFO_FORMAT = "%P|%a|%l|%D|%G|%m|%c"

_KILLED = frozenset({137, 9})
_ENDLESS = frozenset({"infinite", "n/a", "UNLIMITED"})
_ARRAY = re.compile(r"^(\d+)_\[([^\]%]+)(?:%\d+)?\]$")
# What one state is called here: suffixes (CANCELLED by 0) and flavours are dropped.
_SAME = {
    "BOOT_FAIL": "NODE_FAIL",
    "CONFIGURING": "PENDING",
    "DEADLINE": "TIMEOUT",
    "EXPEDITING": "PENDING",
    "LAUNCH_FAILED": "NODE_FAIL",
    "POWER_UP_NODE": "PENDING",
    "RECONFIG_FAIL": "NODE_FAIL",
    "REQUEUE_FED": "PENDING",
    "REQUEUE_HOLD": "PENDING",
    "RESIZING": "RUNNING",
    "RESV_DEL_HOLD": "PENDING",
    "REVOKED": "CANCELLED",
    "SIGNALING": "RUNNING",
    "SPECIAL_EXIT": "PENDING",
    "STAGE_OUT": "COMPLETING",
    "STOPPED": "SUSPENDED",
}
_LIVE = frozenset(
    {"PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED", "PREEMPTED"}
)


@dataclass(frozen=True)
class TaskState:
    """State of one task as SLURM last told it; times in seconds since the epoch."""

    state: str
    reason: str | None = None
    node: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None

    @property
    def alive(self) -> bool:
        """Whether SLURM will go on with it by itself, under the same id."""
        return self.state in _LIVE


def squeue_states(text: str) -> dict[str, TaskState]:
    """Tasks of ``squeue -h -r -t all -o`` :data:`SQUEUE_FORMAT`, by id ``123_4``."""
    found = {}
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 6:
            continue
        name, state, reason, node, submitted, started = parts
        for task in task_ids(name):
            found[task] = TaskState(
                state=_state(state),
                reason=_text(reason),
                node=_text(node),
                submitted=_time(submitted),
                started=_time(started),
            )
    return found


def sacct_states(text: str) -> dict[str, TaskState]:
    """Tasks of ``sacct -X -n -P -o`` :data:`SACCT_FORMAT`, by id ``123_4``."""
    found = {}
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 8:
            continue
        name, state, code, node, submitted, started, ended, reason = parts
        number, _, signal = code.partition(":")
        told = _state(state)
        killed = (int(signal or 0), int(number or 0))
        if told == "FAILED" and (killed[0] in _KILLED or killed[1] in _KILLED):
            # Without cgroups a task above its memory fails by signal 9.
            told = "OUT_OF_MEMORY"
        for task in task_ids(name):
            found[task] = TaskState(
                state=told,
                # Once it ran, this is still why it waited before.
                reason=None if _time(started) else _text(reason),
                node=_text(node),
                exit_code=int(number) if number.isdigit() else None,
                signal=int(signal) if signal.isdigit() else None,
                submitted=_time(submitted),
                started=_time(started),
                ended=_time(ended),
            )
    return found


def scontrol_states(text: str) -> dict[str, TaskState]:
    """Tasks of ``scontrol show job -o``: exit codes without accounting."""
    found = {}
    for line in text.splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if "JobState" not in fields:
            continue
        array, index = fields.get("ArrayJobId"), fields.get("ArrayTaskId")
        name = f"{array}_{index}" if array and index else fields["JobId"]
        code = fields.get("ExitCode", "0:0").split(":")
        number, signal = int(code[0]), int(code[-1])
        told = _state(fields["JobState"])
        if told == "FAILED" and (signal in _KILLED or number in _KILLED):
            told = "OUT_OF_MEMORY"
        found[name] = TaskState(
            state=told,
            reason=_text(fields.get("Reason", "")),
            node=_text(fields.get("BatchHost", "") or fields.get("NodeList", "")),
            exit_code=number,
            signal=signal,
            submitted=_time(fields.get("SubmitTime", "")),
            started=_time(fields.get("StartTime", "")),
            ended=_time(fields.get("EndTime", "")),
        )
    return found


def partition_limits(text: str) -> dict[str, PartitionLimit]:
    """Partitions of ``sinfo -h -o`` :data:`SINFO_FORMAT`; several lines are joined."""
    found: dict[str, PartitionLimit] = {}
    for line in text.splitlines():
        parts = line.split("|")
        if len(parts) != 7:
            continue
        name, up, limit, count, gres, mem, cpus = parts
        name = name.rstrip("*")
        before = found.get(name, PartitionLimit(nodes_up=0))
        models = frozenset(re.findall(r"gpu:([A-Za-z][^:,()]*)", gres))
        gpu = "gpu" in gres or before.kind == "gpu"
        found[name] = PartitionLimit(
            max_time_s=None if limit in _ENDLESS else parse_time(limit),
            kind="gpu" if gpu else "cpu",
            gres_models=models | before.gres_models,
            max_mem_mib=max(parse_mem(mem.rstrip("+")), before.max_mem_mib or 0),
            max_cpus=max(int(cpus.rstrip("+")), before.max_cpus or 0),
            nodes_up=(int(count) if up == "up" else 0) + (before.nodes_up or 0),
        )
    return found


def task_ids(name: str) -> Iterator[str]:
    """``123_[4-6,9%2]`` as ``123_4``, ``123_5``, ``123_6``, ``123_9``."""
    match = _ARRAY.match(name)
    if match is None:
        yield name
        return
    for part in match[2].split(","):
        bounds, _, step = part.partition(":")
        first, _, last = bounds.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            return  # squeue shortens long lists with '...': not asked for by -r
        stop = int(last or first) + 1
        for index in range(int(first), stop, int(step or 1)):
            yield f"{match[1]}_{index}"


def config_value(text: str, key: str) -> str | None:
    """A value of ``scontrol show config``."""
    match = re.search(rf"^{key}\s*=\s*(\S+)", text, re.MULTILINE | re.IGNORECASE)
    return match[1] if match else None


def _state(text: str) -> str:
    name = text.split()[0].rstrip("+") if text.split() else "UNKNOWN"
    return _SAME.get(name, name)


def _text(value: str) -> str | None:
    return None if value in ("", "None", "(null)", "N/A", "None assigned") else value


def _time(value: str) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None
