"""Does units of work in a process of its own: in a job, a container, or beside others.

``python -m cyto_kedro.runners.worker SPEC`` does the units of one array task (its index
from SLURM, or ``--index``); ``--serve`` reads units, one JSON line each, until end of
file. Each unit leaves a result file; the exit code is 1 if any unit failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner

from cyto_kedro.core.frames import compute_frame
from cyto_kedro.core.parallel import set_workers, workers
from cyto_kedro.core.tags import movie_tag
from cyto_kedro.core.window import Window
from cyto_kedro.runners.experiment import ExperimentRunner, RunContext
from cyto_kedro.runners.units import (
    DONE,
    FAILED,
    WARM_UP,
    Base,
    Spec,
    Unit,
    UnitResult,
    WarmUp,
    write_result,
)
from cyto_kedro.runners.usage import Meter
from cyto_kedro.runners.windowed import (
    WindowedOutput,
    publish_if_complete,
    shareable,
    staging_of,
)

logger = logging.getLogger(__name__)

TASK_INDEX = "SLURM_ARRAY_TASK_ID"


class WorkerRunner(ExperimentRunner):
    """Does units one after the other inside the driver's run.

    Args:
        base: The run to join.
        units: What to do; may be a stream.
        reply: Called with each result once its file is written.
    """

    def __init__(
        self,
        base: Base,
        units: Iterable[Unit | WarmUp],
        reply: Callable[[UnitResult], None] = lambda result: None,
    ) -> None:
        super().__init__()
        self.joins_run = base.run_id
        self._folder, self._units, self._reply = Path(base.results), units, reply
        self._cold = base.warm_up
        self.failed = False

    def run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: Any = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Do all units; a unit that fails does not keep the others from being done."""
        for unit in self._units:
            if self._cold or isinstance(unit, WarmUp):
                self._cold = False
                first = unit.unit if isinstance(unit, WarmUp) else unit
                warm_up(self.context, pipeline, first)
            if isinstance(unit, WarmUp):
                unit.done()
                continue
            result = run_unit(self.context, pipeline, unit, hook_manager)
            self.failed = self.failed or not result.ok
            write_result(self._folder, result)
            self._reply(result)
        return {}


def run_unit(
    context: RunContext, pipeline: Pipeline, unit: Unit, hook_manager: Any
) -> UnitResult:
    """Run the nodes of a unit; errors are part of the result.

    Args:
        context: The run.
        pipeline: A pipeline that holds the unit's nodes.
        unit: What to do.
        hook_manager: Kedro's hooks.
    """
    meter = Meter()
    context.record.collected()
    status, error, trace, marks = DONE, None, None, {}
    try:
        marks = _run(context, pipeline, unit, hook_manager)
    except Exception as exc:
        status, error, trace = FAILED, str(exc), traceback.format_exc()
        logger.error("Unit %s failed: %s", unit.id, exc)
    times = context.record.collected()
    node = times[-1]["node"] if error and times else None
    return UnitResult(
        unit=unit.id,
        status=status,
        error=error,
        trace=trace,
        node=node,
        fingerprints=marks,
        times=times,
        host=socket.gethostname(),
        job=os.environ.get("SLURM_JOB_ID"),
        threads=workers(),
        **meter.read(entry["peak_memory_mib"] for entry in times),
    )


def warm_up(context: RunContext, pipeline: Pipeline, unit: Unit) -> None:
    """Do a unit without keeping anything: of a window the first frame.

    What it loads (libraries, weights, compiled code) stays in this process. An error is
    left to the unit itself.
    """
    try:
        catalog, nodes = _nodes_of(context, pipeline, unit)
        made: dict[str, Any] = {}
        for node in nodes:
            given = {
                name: made[name] if name in made else catalog.load(name)
                for name in node.inputs
            }
            made |= node.run(given)
        if unit.window is not None:
            for name in nodes[-1].outputs:
                compute_frame(made[name], unit.window.frames[0])
    except Exception as exc:
        logger.warning("Unit %s failed in its warm-up: %s", unit.id, exc)


def _nodes_of(
    context: RunContext, pipeline: Pipeline, unit: Unit
) -> tuple[CatalogProtocol, list[Node]]:
    movie = next((m for m in context.movies() if m.id == unit.movie), None)
    catalog = context.catalog_for(movie)
    tags = movie_tag(movie.id) if movie else None
    chosen = [node for node in pipeline.nodes if node.name in unit.nodes]
    return catalog, Pipeline(chosen, tags=tags).nodes


def _run(
    context: RunContext, pipeline: Pipeline, unit: Unit, hook_manager: Any
) -> dict[str, str]:
    catalog, nodes = _nodes_of(context, pipeline, unit)
    if unit.window is None:
        SequentialRunner().run(Pipeline(nodes), catalog, hook_manager, context.run_id)
        return {}
    (node,) = nodes
    mark = _run_window(context, catalog, node, unit.window, hook_manager)
    return {node.name: mark}


def _run_window(
    context: RunContext,
    catalog: Any,
    node: Node,
    window: Window,
    hook_manager: Any,
) -> str:
    name, dataset = shareable(catalog, node)
    mark = context.outputs.fingerprint(node, catalog)
    stage = staging_of(dataset, context.run_id, mark)
    catalog[name] = WindowedOutput(dataset, window, stage)
    SequentialRunner().run(Pipeline([node]), catalog, hook_manager, context.run_id)
    catalog[name] = dataset
    publish_if_complete(context, catalog, node, stage)
    return mark


def work(
    base: Base,
    units: Iterable[Unit | WarmUp],
    reply: Callable[[UnitResult], None] = lambda result: None,
) -> bool:
    """Open a session that joins the run, and do the units in it.

    Returns:
        Whether all units are done.
    """
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    os.environ.update(base.environment)
    project = Path(base.project)
    bootstrap_project(project)
    runner = WorkerRunner(base, units, reply)
    with settings.SESSION_CLASS.create(
        project_path=project,
        env=base.env,
        conf_source=base.conf_source,
        runtime_params=base.runtime_params,
        save_on_close=False,
    ) as session:
        session.run(pipeline_names=base.pipeline_names, runner=runner)
    return not runner.failed


def main(arguments: list[str] | None = None) -> int:
    """The command line of a worker."""
    parser = argparse.ArgumentParser(prog="python -m cyto_kedro.runners.worker")
    parser.add_argument("spec", type=Path, help="what to do, written by the driver")
    parser.add_argument("--index", type=int, help=f"task, else {TASK_INDEX}, else 0")
    parser.add_argument("--threads", type=int, help="threads for frame-wise work")
    parser.add_argument(
        "--serve", action="store_true", help="do the units that come on standard input"
    )
    options = parser.parse_args(arguments)
    set_workers(options.threads)
    spec = Spec.read(options.spec)
    if options.serve:
        return _serve(spec.base)
    index = options.index
    if index is None:
        index = int(os.environ.get(TASK_INDEX, "0"))
    if not 0 <= index < len(spec.tasks):
        parser.error(f"{options.spec} has {len(spec.tasks)} tasks, there is no {index}")
    return 0 if work(spec.base, spec.tasks[index]) else 1


def _serve(base: Base) -> int:
    """Units come and results go over the original pipes; what prints goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(word: str) -> None:
        answers.write(word + "\n")
        answers.flush()

    def units() -> Iterator[Unit | WarmUp]:
        say("ready")
        for line in sys.stdin:
            values = json.loads(line)
            if WARM_UP in values:
                unit = Unit.from_json(values[WARM_UP])
                yield WarmUp(unit, lambda: say(WARM_UP))
            else:
                yield Unit.from_json(values)

    work(base, units(), lambda result: say(result.unit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
