"""A batch: units that go to SLURM as one job array."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import NodePlan, Resources
from cyto_kedro.runners.slurm.cluster import Cluster, TaskState
from cyto_kedro.runners.units import Base, Spec, Unit, read_result

logger = logging.getLogger(__name__)

_LOST_POLLS = 3


@dataclass
class Batch:
    """One submission: ``tasks[i]`` are the units of array task ``i``.

    ``ended`` maps a task to the state in which it was first seen not alive, and when.
    """

    stage: str
    plan: NodePlan
    resources: Resources
    tasks: list[list[Unit]]
    name: str = ""
    attempt: int = 0
    unanswered: int = 0
    job: str | None = None
    submitted: float | None = None
    ended: dict[int, tuple[TaskState, float]] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)
    _unknown: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._open = {u.id: i for i, task in enumerate(self.tasks) for u in task}

    @property
    def array(self) -> str:
        """What ``sbatch --array`` gets."""
        fan_out = self.plan.fan_out
        limit = fan_out.max_parallel if fan_out is not None else None
        return f"0-{len(self.tasks) - 1}" + (f"%{limit}" if limit else "")

    def spec(self, journal: Journal) -> Path:
        """The file that tells the workers what to do."""
        return journal.specs / f"{self.name}.json"

    def log_pattern(self, journal: Journal) -> Path:
        """Where the tasks log to, in SLURM's notation."""
        return journal.folder / f"{self.name}_%A_%a.log"

    def log(self, journal: Journal, index: int) -> Path:
        """Log of one task."""
        return journal.folder / f"{self.name}_{self.job}_{index}.log"

    def write_spec(self, base: Base, journal: Journal) -> None:
        """Write what the workers are to do."""
        Spec(base, self.tasks).write(self.spec(journal))

    def open_units(self) -> set[str]:
        """Ids of units without result."""
        return set(self._open)

    def open_tasks(self) -> set[int]:
        """Tasks with units without result."""
        return set(self._open.values())

    def task_id(self, index: int) -> str:
        """SLURM's name of a task."""
        return f"{self.job}_{index}"

    def close(self, unit: str) -> None:
        """A unit has its result."""
        self._open.pop(unit, None)

    def take(self, index: int) -> list[Unit]:
        """Units of a task that have no result; the batch forgets them."""
        units = [unit for unit in self.tasks[index] if unit.id in self._open]
        for unit in units:
            del self._open[unit.id]
        return units

    def see(self, states: Mapping[str, TaskState], now: float) -> None:
        """Note which tasks are not alive any more."""
        for index in self.open_tasks():
            state = states.get(self.task_id(index))
            if state is not None and state.alive:
                self.ended.pop(index, None)
                self._unknown.pop(index, None)
                continue
            if state is None or state.state == "UNKNOWN":
                # A job that just came or went may be missing from one answer.
                seen = self._unknown[index] = self._unknown.get(index, 0) + 1
                if seen < _LOST_POLLS:
                    continue
                state = state or TaskState(state="UNKNOWN")
            self.ended.setdefault(index, (state, now))


def batches_of(
    stage: str,
    plan: NodePlan,
    resources: Resources,
    units: Iterable[Unit],
    max_array: int,
) -> list[Batch]:
    """Pack units into array tasks, and tasks into arrays of the size allowed."""
    per_task = plan.fan_out.units_per_task if plan.fan_out is not None else 1
    todo = list(units)
    tasks = [todo[i : i + per_task] for i in range(0, len(todo), per_task)]
    return [
        Batch(stage, plan, resources, tasks[i : i + max_array])
        for i in range(0, len(tasks), max_array)
    ]


def live_batches(
    journal: Journal, cluster: Cluster, plans: Mapping[str, NodePlan]
) -> list[Batch]:
    """Batches of an earlier driver of the run with tasks that are still alive.

    Args:
        journal: The journal of the run.
        cluster: Asked once for all jobs.
        plans: Plan of each stage, for retries.
    """
    jobs: dict[str, str | None] = {}
    for event in journal.events():
        if event["event"] == "submitting":
            jobs[event["batch"]] = None
        elif event["event"] == "submitted":
            jobs[event["batch"]] = event["job"]
        elif event["event"] == "cancelled":
            gone = set(event["jobs"])
            jobs = {name: job for name, job in jobs.items() if job not in gone}
    for name, job in jobs.items():
        if job is None:  # the driver died while it submitted
            found = cluster.find(name)
            jobs[name] = found[0] if found else None
    known = {name: job for name, job in jobs.items() if job}
    states = cluster.states(list(known.values())) if known else {}
    live = []
    for name, job in known.items():
        batch = _read(name, job, journal, plans)
        if batch is None:
            # The stages were cut otherwise then: what it does is of no use now.
            cluster.cancel([job])
            continue
        for index in list(batch.open_tasks()):
            state = states.get(batch.task_id(index))
            if state is None or not state.alive:
                batch.take(index)
        for unit in list(batch.open_units()):
            if read_result(journal.results, unit) is not None:
                batch.close(unit)
        if batch.open_tasks():
            live.append(batch)
    return live


def _read(
    name: str, job: str, journal: Journal, plans: Mapping[str, NodePlan]
) -> Batch | None:
    try:
        tasks = Spec.read(journal.specs / f"{name}.json").tasks
    except (OSError, ValueError):
        return None
    stage = tasks[0][0].stage
    plan = plans.get(stage)
    if plan is None:
        return None
    return Batch(stage, plan, plan.resources, tasks, name=name, job=job)
