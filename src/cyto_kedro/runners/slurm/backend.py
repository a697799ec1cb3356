"""Does units in SLURM jobs: submits, watches, retries, cancels."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.local import tail
from cyto_kedro.runners.resources import (
    NodePlan,
    PartitionLimit,
    Resources,
    SlurmConfig,
    escalate,
)
from cyto_kedro.runners.slurm.batches import Batch, batches_of, live_batches
from cyto_kedro.runners.slurm.cluster import (
    Cluster,
    StatusUnavailable,
    SubmitLimit,
    SubmitTimeout,
    TaskState,
)
from cyto_kedro.runners.slurm.usage import UsageLog
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import (
    FAILED,
    Base,
    Unit,
    UnitResult,
    read_result,
)

logger = logging.getLogger(__name__)

#: Looking for result files costs a directory listing (s).
_LOOK = 1.0
# A finished job may be seen before its files are: give failures a moment too (s).
_GRACE = 3.0
_SUBMIT_TRIES = 10


class _Unanswered(SubmitLimit):
    """It may yet turn out to be there: the same batch is looked for by its name."""


@dataclass
class SlurmBackend:
    """The SLURM side of a run.

    Args:
        base: What workers need to join the run.
        journal: Where batches, events and results lie.
        config: Resources and limits.
        cluster: The commands of the cluster.
        limits: Limits of the partitions, by ``sinfo`` or by the configuration.
        render: Text of the script of a batch.
        plans: Resources of each stage.
        clock: Seconds; tests pass their own.
        sleep: Waits.
    """

    base: Base
    journal: Journal
    config: SlurmConfig
    cluster: Cluster
    limits: dict[str, PartitionLimit]
    render: Callable[[Batch], str]
    plans: dict[str, NodePlan]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    batches: list[Batch] = field(default_factory=list)
    held: deque[Batch] = field(default_factory=deque)
    states: dict[str, TaskState] = field(default_factory=dict)
    usage: UsageLog = field(default_factory=UsageLog)
    _count: int = 0
    _interval: float = 0.0
    _asked: float = float("-inf")
    _not_before: float = 0.0
    _pause: float = 0.0
    _max_array: int | None = None

    def holds(self) -> set[str]:
        """Adopt the jobs that an earlier driver of this run left alive."""
        self._count = len(list(self.journal.specs.glob("*.json")))
        self.batches = live_batches(self.journal, self.cluster, self.plans)
        units = {unit for batch in self.batches for unit in batch.open_units()}
        if self.batches:
            jobs = ", ".join(batch.job or "?" for batch in self.batches)
            logger.info("Jobs of this run that are still there: %s", jobs)
        return units

    def submit(self, stage: Stage, units: list[Unit]) -> None:
        """Queue the units as job arrays and submit what the limits admit."""
        plan: NodePlan = stage.placement.detail
        self._enqueue(stage.name, plan, plan.resources, units, attempt=0)
        self._submit_held()

    def poll(self) -> list[UnitResult]:
        """Wait until units end, one way or the other."""
        while True:
            found = self._results()
            if found and self._pause:
                # Tasks ended: there may be room sooner than thought.
                first = self._not_before - self._pause + self.config.poll.first
                self._not_before = min(self._not_before, first)
            if not found:
                self._ask_when_due()
                found = self._lost()
            self._submit_held()
            if found:
                self._interval = self.config.poll.first
                return found
            self.sleep(_LOOK)

    def cancel(self) -> None:
        """One ``scancel`` for all jobs of the run that may still be there."""
        self.held.clear()
        jobs = sorted({batch.job for batch in self.batches if batch.job})
        self.batches.clear()
        if not jobs:
            return
        try:
            self.cluster.cancel(jobs)
        except StatusUnavailable as exc:
            # Why the run ends is what the user is to see, this beside it.
            logger.error("%s", exc)
        else:
            self.journal.add("cancelled", jobs=jobs)

    def summary(self) -> str:
        """One line on the jobs, by the last answer of the cluster."""
        if not self.batches and not self.held:
            return ""
        alive = [
            self.states[batch.task_id(index)].state
            for batch in self.batches
            for index in batch.open_tasks()
            if batch.task_id(index) in self.states
        ]
        parts = [f"{n} {name.lower()}" for name, n in sorted(Counter(alive).items())]
        held = sum(len(batch.tasks) for batch in self.held)
        if held:
            parts.append(f"{held} held back")
        return "SLURM tasks: " + (", ".join(parts) or "just submitted")

    def _enqueue(
        self,
        stage: str,
        plan: NodePlan,
        resources: Resources,
        units: list[Unit],
        attempt: int,
    ) -> None:
        if self._max_array is None:
            self._max_array = min(self.cluster.max_array_size(), self.config.max_jobs)
        for batch in batches_of(stage, plan, resources, units, self._max_array):
            self._count += 1
            batch.attempt = attempt
            batch.name = f"cyto.{stage}.{self.base.run_id}.{self._count:03d}"
            batch.write_spec(self.base, self.journal)
            self.held.append(batch)

    def _submit_held(self) -> None:
        while self.held and self.clock() >= self._not_before:
            running = sum(len(batch.open_tasks()) for batch in self.batches)
            size = len(self.held[0].tasks)
            if running and running + size > self.config.max_jobs:
                return  # until tasks end
            batch = self.held.popleft()
            try:
                self._submit(batch)
            except SubmitLimit as exc:
                logger.warning("The submit limit is reached, waiting: %s", exc.what)
                self._hold(batch, exc)
                # The longer it is full, the rarer it is tried.
                self._pause = min(
                    max(2 * self._pause, self.config.poll.first), self.config.poll.max
                )
                self._not_before = self.clock() + self._pause
                return
            self._pause = 0.0
            self._not_before = self.clock() + self.config.submit_interval

    def _hold(self, batch: Batch, why: SubmitLimit) -> None:
        """Back to the front; in halves if it is more than would ever be admitted."""
        alone = not self.batches and not isinstance(why, _Unanswered)
        if not alone or len(batch.tasks) == 1:
            self.held.appendleft(batch)
            return
        self._max_array = -(-len(batch.tasks) // 2)
        units = [unit for task in batch.tasks for unit in task]
        self._enqueue(batch.stage, batch.plan, batch.resources, units, batch.attempt)

    def _submit(self, batch: Batch) -> None:
        script = self.journal.specs / f"{batch.name}.sh"
        script.write_text(self.render(batch), encoding="utf-8")
        units = sorted(batch.open_units())
        self.journal.add("submitting", batch=batch.name, units=units)
        try:
            job = self.cluster.submit(script, array=batch.array, name=batch.name)
        except SubmitTimeout as exc:
            job = self._landed(batch, exc)
        batch.job, batch.submitted = job, time.time()
        self.batches.append(batch)
        self.journal.add("submitted", batch=batch.name, job=job)
        self._interval = self.config.poll.first
        self._asked = self.clock()
        logger.info("Job %s: %s, %d tasks", job, batch.name, len(batch.tasks))

    def _landed(self, batch: Batch, timeout: SubmitTimeout) -> str:
        """Id of a job whose submission was not answered.

        Raises:
            _Unanswered: It is not there: to be submitted again later.
            SubmitTimeout: For the last time.
        """
        try:
            found = self.cluster.find(batch.name)
        except StatusUnavailable as exc:
            raise _Unanswered(timeout.what) from exc
        if found:
            return found[0]
        batch.unanswered += 1
        if batch.unanswered >= _SUBMIT_TRIES:
            raise timeout
        raise _Unanswered(timeout.what)

    def _results(self) -> list[UnitResult]:
        """Results that lie there by now."""
        try:
            there = {path.stem for path in self.journal.results.iterdir()}
        except OSError:
            return []
        found = []
        for batch in self.batches:
            for unit in batch.open_units() & there:
                result = read_result(self.journal.results, unit)
                if result is not None:
                    batch.close(unit)
                    self.usage.add(batch, result)
                    found.append(result)
        self.batches = [batch for batch in self.batches if batch.open_tasks()]
        return found

    def _ask_when_due(self) -> None:
        """One query for all jobs; the less happens, the rarer."""
        if not self.batches or self.clock() - self._asked < self._interval:
            return
        tasks = [
            batch.task_id(index)
            for batch in self.batches
            for index in batch.open_tasks()
        ]
        self._asked = self.clock()
        try:
            new = self.cluster.states(tasks)
        except StatusUnavailable as exc:
            # Nothing is known: that is no news about any job.
            logger.warning("The cluster does not answer, waiting: %s", exc.what)
            self._interval = min(2 * self._interval, self.config.poll.max)
            return
        changed = new != self.states
        self.states = new
        grown = min(1.5 * self._interval, self.config.poll.max)
        self._interval = self.config.poll.first if changed else grown
        for batch in self.batches:
            batch.see(new, self.clock())

    def _lost(self) -> list[UnitResult]:
        """Tasks that ended and left units without result: retried, or failed."""
        failed = []
        for batch in list(self.batches):
            for index in batch.open_tasks():
                ended = batch.ended.get(index)
                if ended is None:
                    continue
                state, since = ended
                patience = _GRACE
                if state.state in ("COMPLETED", "UNKNOWN"):
                    patience = self.config.latency_wait
                if self.clock() - since >= patience:
                    failed += self._retry(batch, index, state)
        self.batches = [batch for batch in self.batches if batch.open_tasks()]
        return failed

    def _retry(self, batch: Batch, index: int, state: TaskState) -> list[UnitResult]:
        units = batch.take(index)
        task = batch.task_id(index)
        log = batch.log(self.journal, index)
        decision = escalate(
            self.config, batch.resources, state, batch.attempt + 1, self.limits
        )
        if isinstance(decision, Resources):
            logger.warning(
                "Job %s (%s) ended %s on %s: %d units again with %s",
                task,
                batch.name,
                state.state,
                state.node or "?",
                len(units),
                decision.describe(),
            )
            self.journal.add("retry", batch=batch.name, task=task, state=state.state)
            self._enqueue(batch.stage, batch.plan, decision, units, batch.attempt + 1)
            return []
        why = f"job {task} ended {state.state}"
        if state.reason:
            why += f" ({state.reason})"
        advice = decision.text
        error = f"{why}. {advice}\nThe end of {log}:\n{tail(log)}".strip()
        self.journal.add("failed", batch=batch.name, task=task, state=state.state)
        return [
            UnitResult(unit.id, FAILED, error=error, job=task, host=state.node)
            for unit in units
        ]
