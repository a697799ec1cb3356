"""Runs stages over movies on a backend: order, resume, publication, bookkeeping.

A *task* is a stage on one movie (or once, for experiment-level stages). It starts when
the stages that it needs are done on that movie, becomes one unit, or one per window of
frames, and is done when all of its units are. A movie whose task failed goes no
further; the others do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.errors import CytoError, MoviesFailed
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.tags import movie_tag
from cyto_kedro.core.window import windows
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import Unit, UnitResult, drop_results, read_result
from cyto_kedro.runners.windowed import publish_if_complete, shareable, staging_of

logger = logging.getLogger(__name__)

#: A stage on a movie; None: once.
TaskKey = tuple[str, str | None]


class Backend(Protocol):
    """Where units are done."""

    def submit(self, stage: Stage, units: list[Unit]) -> None:
        """Take units of one stage; returns at once."""

    def poll(self) -> list[UnitResult]:
        """Units that ended since the last call, after waiting a while for some."""

    def cancel(self) -> None:
        """Stop everything that was submitted and has not ended."""

    def holds(self) -> set[str]:
        """Ids of units that an earlier driver of this run submitted and that live."""


class WorkFailed(CytoError):
    """A unit failed; the traceback of the worker follows the message."""


@dataclass
class _Task:
    stage: Stage
    movie: Movie | None
    nodes: tuple[str, ...]
    waiting: set[TaskKey]
    open: dict[str, Unit] = field(default_factory=dict)
    submitted: bool = False
    failed: bool = False

    @property
    def key(self) -> TaskKey:
        return self.stage.name, self.movie.id if self.movie else None


class Scheduler:
    """Drives one run.

    Args:
        stages: In an order that respects their dependencies.
        pipeline: The graph of the stages.
        context: The run.
        backend: Where units are done.
        journal: Where results lie.
        local: Runs a unit in this process (stages placed on the driver).
        stop_on_failure: Cancel the other movies when one fails.
        watch: Told about every change, for progress.
    """

    def __init__(
        self,
        stages: list[Stage],
        pipeline: Pipeline,
        context: RunContext,
        backend: Backend,
        journal: Journal,
        local: Callable[[Unit], UnitResult],
        stop_on_failure: bool = False,
        watch: Callable[[Scheduler], None] = lambda scheduler: None,
    ) -> None:
        self.stages, self._pipeline, self._context = stages, pipeline, context
        self._backend, self._journal, self._local = backend, journal, local
        self._stop_on_failure, self._watch = stop_on_failure, watch
        self._nodes = {node.name: node for node in pipeline.nodes}
        self._movies: dict[str, Movie] = {}
        self._tasks: dict[TaskKey, _Task] = {}
        self._of_unit: dict[str, _Task] = {}
        self.total_units: dict[str, int] = {}
        self.done_units: dict[str, int] = {}
        self.failed: dict[str, str] = {}

    def run(self, todo: dict[str | None, set[str]], resumed: bool) -> None:
        """Run the nodes named per movie (key None: experiment level).

        Raises:
            MoviesFailed: Some movies failed; names each with its cause.
            WorkFailed: An experiment-level node failed.
        """
        self._plan(todo)
        adopted = self._backend.holds() if resumed else set()
        try:
            while self._tasks:
                self._submit_ready(adopted, resumed)
                self._watch(self)
                if not self._tasks:
                    break
                for result in self._backend.poll():
                    self._take(result)
        except BaseException as exc:
            if not getattr(exc, "leaves_jobs", False):
                self._backend.cancel()
            raise
        self._backend.cancel()  # windows of failed movies may still be at work
        if self.failed:
            listing = "\n".join(f"  - {name}: {w}" for name, w in self.failed.items())
            raise MoviesFailed(
                f"{len(self.failed)} of {len(self._movies)} movies failed:\n{listing}",
                fix="mend the cause and run again with --only-missing-outputs: what "
                "is complete is not computed again",
            )

    def waiting_stages(self) -> int:
        """Number of stages of which nothing was submitted yet."""
        names = {task.stage.name for task in self._tasks.values()}
        return len(names - set(self.total_units))

    def _plan(self, todo: dict[str | None, set[str]]) -> None:
        movies = self._context.movies()
        self._movies = {movie.id: movie for movie in movies if todo.get(movie.id)}
        for stage in self.stages:
            places: Iterable[Movie | None] = (
                [None] if stage.joint else self._movies.values()
            )
            for movie in places:
                due = todo.get(movie.id if movie else None, set())
                nodes = tuple(name for name in stage.nodes if name in due)
                if nodes:
                    task = _Task(stage, movie, nodes, self._parents(stage, movie))
                    self._tasks[task.key] = task
        for movie in self._movies.values():
            self._context.record.begin_movie(movie.id)

    def _parents(self, stage: Stage, movie: Movie | None) -> set[TaskKey]:
        # Stages come in order, so that all possible parents are planned already.
        if stage.joint:
            return set(self._tasks)
        mine = movie.id if movie else None
        above, todo = set(), list(stage.parents)
        by_name = {s.name: s for s in self.stages}
        while todo:
            name = todo.pop()
            if (name, mine) in self._tasks:
                above.add((name, mine))
            else:  # nothing to do there: look further up
                todo += by_name[name].parents
        return above

    def _submit_ready(self, adopted: set[str], resumed: bool) -> None:
        """Submit all tasks whose parents are done, one batch per stage."""
        again = True
        while again:
            again = False
            batches: dict[str, list[Unit]] = {}
            for task in [t for t in self._tasks.values() if _is_ready(t)]:
                task.submitted = True
                units = self._units_of(task)
                task.open = {unit.id: unit for unit in units}
                self._count(task.stage.name, len(units))
                done = self._finished_before(task, units) if resumed else []
                for result in done:
                    self._of_unit[result.unit] = task
                new = [u for u in units if u.id not in {r.unit for r in done}]
                drop_results(self._journal.results, new)
                self._of_unit |= {unit.id: task for unit in new}
                if task.stage.placement.where == "driver":
                    done += [self._local(unit) for unit in new]
                else:
                    fresh = [unit for unit in new if unit.id not in adopted]
                    batches.setdefault(task.stage.name, []).extend(fresh)
                for result in done:
                    again = True
                    self._take(result)
            stages = {stage.name: stage for stage in self.stages}
            for name, batch in batches.items():
                if batch:
                    self._backend.submit(stages[name], batch)

    def _units_of(self, task: _Task) -> list[Unit]:
        movie = task.movie.id if task.movie else None
        frames = task.stage.placement.frames
        if frames is None:
            return [Unit(task.stage.name, task.nodes, movie)]
        catalog = self._context.catalog_for(task.movie)
        n_frames = int(catalog.load("calibration").n_frames)
        return [
            Unit(task.stage.name, task.nodes, movie, window)
            for window in windows(n_frames, frames)
        ]

    def _finished_before(self, task: _Task, units: list[Unit]) -> list[UnitResult]:
        """Windows that an interrupted driver of this run saw done, still valid."""
        if task.stage.placement.frames is None:
            return []  # whole nodes were judged by their fingerprints already
        node, catalog = self._bound(task)
        mark = self._context.outputs.fingerprint(node, catalog)
        _, dataset = shareable(catalog, node)
        stage = staging_of(dataset, self._context.run_id, mark)
        if not dataset.is_begun(stage):
            return []
        found = [read_result(self._journal.results, unit.id) for unit in units]
        valid, other = [], 0
        for result in found:
            if result is None or not result.ok:
                continue
            if result.fingerprints.get(node.name) == mark:
                valid.append(result)
            else:
                other += 1
        if other:
            logger.warning(
                "%s of movie %s: %d windows were made with other code, parameters or "
                "inputs and are made again",
                node.name,
                task.key[1],
                other,
            )
        return valid

    def _bound(self, task: _Task) -> tuple[Node, Any]:
        movie = task.movie
        catalog: CatalogProtocol = self._context.catalog_for(movie)
        node = self._nodes[task.nodes[0]]
        tags = movie_tag(movie.id) if movie else None
        return Pipeline([node], tags=tags).nodes[0], catalog

    def _take(self, result: UnitResult) -> None:
        """One unit ended."""
        task = self._of_unit.pop(result.unit, None)
        if task is None or task.key not in self._tasks:
            return  # of a task that failed meanwhile, or told twice
        self._context.record.merge(result.times)
        task.open.pop(result.unit)
        self.done_units[task.stage.name] = self.done_units.get(task.stage.name, 0) + 1
        if not result.ok:
            self._fail(task, result)
        elif not task.open:
            self._publish(task)
            self._finish(task)

    def _publish(self, task: _Task) -> None:
        """The last window publishes; where it died, or saw too little, do it here."""
        if task.stage.placement.frames is None:
            return
        node, catalog = self._bound(task)
        if self._context.outputs.is_current(node, catalog):
            return
        _, dataset = shareable(catalog, node)
        mark = self._context.outputs.fingerprint(node, catalog)
        stage = staging_of(dataset, self._context.run_id, mark)
        if not publish_if_complete(self._context, catalog, node, stage, recover=True):
            raise WorkFailed(
                f"All windows of '{node.name}' were reported done, but frames are "
                "missing",
                where=str(stage),
                fix="resume the run; if it happens again, look at the file system",
            )

    def _finish(self, task: _Task) -> None:
        del self._tasks[task.key]
        for other in self._tasks.values():
            other.waiting.discard(task.key)
        movie = task.key[1]
        if movie is not None and not any(key[1] == movie for key in self._tasks):
            self._context.record.end_movie(movie, None)

    def _fail(self, task: _Task, result: UnitResult) -> None:
        if result.trace:
            logger.error("Unit %s on %s:\n%s", result.unit, result.host, result.trace)
        why = f"in node {result.node or task.stage.name}: {result.error}"
        movie = task.key[1]
        if movie is None:
            self._tasks.clear()
            self._backend.cancel()
            raise WorkFailed(str(result.error), where=f"node {result.node}")
        self.failed[movie] = why
        self._context.record.end_movie(movie, WorkFailed(why))
        logger.error("Movie %s failed %s", movie, why)
        gone = [key for key in self._tasks if key[1] == movie]
        for key in gone:
            del self._tasks[key]
        for other in self._tasks.values():
            other.waiting.difference_update(gone)
        survivors = set(self._movies) - set(self.failed)
        if self._stop_on_failure or not survivors:
            self._tasks.clear()
            self._backend.cancel()

    def _count(self, stage: str, units: int) -> None:
        self.total_units[stage] = self.total_units.get(stage, 0) + units
        self.done_units.setdefault(stage, 0)


def _is_ready(task: _Task) -> bool:
    return not task.submitted and not task.waiting
