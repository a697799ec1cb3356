"""What every driver of a run does around its scheduler."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.atomic import remove_leftovers
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.locks import locked
from cyto_kedro.core.params import Params
from cyto_kedro.core.tags import movie_tag
from cyto_kedro.runners.experiment import RunContext, split_by_level
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import Base

logger = logging.getLogger(__name__)


def journal_of(context: RunContext) -> Journal:
    """The journal of a run."""
    return Journal(context.record.folder / "log")


def base_of(context: RunContext, journal: Journal) -> Base:
    """What workers need to join the run."""
    return Base(
        project=str(context.project),
        conf_source=str(context.conf_source),
        env=context.env,
        runtime_params=context.runtime_params,
        pipeline_names=list(context.pipeline_names),
        workflow=context.workflow,
        run_id=context.run_id,
        results=str(journal.results),
        environment=context.environment,
    )


@contextmanager
def driving(context: RunContext, journal: Journal) -> Iterator[None]:
    """Be the one driver of the run, and the one run in the movies' scratch folders.

    Raises:
        StorageError: Another driver or run is at work there.
    """
    with ExitStack() as stack:
        journal.open()
        stack.enter_context(locked(journal.lock))
        for movie in context.movies():
            lock = context.record.scratch_lock(movie)
            stack.enter_context(locked(lock))
            # What this run staged before it was interrupted is still of use.
            remove_leftovers(lock.parent, keep=context.run_id)
        yield
        for movie in context.movies():
            remove_leftovers(context.record.scratch_lock(movie).parent)


def nodes_to_run(
    context: RunContext, pipeline: Pipeline, only_stale: bool, resumed: bool
) -> dict[str | None, set[str]]:
    """Names of the nodes to run for each movie; key None: for the experiment."""
    per_movie, joint = split_by_level(pipeline)
    every = {node.name for node in per_movie.nodes}
    todo: dict[str | None, set[str]] = {None: {node.name for node in joint.nodes}}
    for movie in context.movies():
        if not only_stale and not resumed:
            todo[movie.id] = set(every)
            continue
        catalog = context.catalog_for(movie)
        trusted = context.run_id if resumed else None
        due = context.stale(per_movie, catalog, trusted)
        todo[movie.id] = due
        logger.info(
            "Movie %s: %d of %d nodes are up to date",
            movie.id,
            len(every) - len(due),
            len(every),
        )
        context.record.begin_movie(movie.id)
        context.record.skipped(movie.id, every - due)
        if not due:
            context.record.end_movie(movie.id, None)
    return todo


def account_for(context: RunContext, pipeline: Pipeline) -> None:
    """Enter what the workers read and wrote into the manifest of the run."""
    per_movie, joint = split_by_level(pipeline)
    for movie in context.movies():
        nodes = Pipeline(per_movie.nodes, tags=movie_tag(movie.id))
        context.outputs.account_for(nodes, context.catalog_for(movie))
    if joint.nodes:
        context.outputs.account_for(joint, context.catalog_for(None))


def check_persisted(stages: list[Stage], pipeline: Pipeline, catalog: Any) -> None:
    """What one stage makes and another needs must lie in a file.

    Raises:
        ConfigError: Names each dataset, who makes it, who needs it, and an entry to
            paste into the catalog.
    """
    stage_of = {node: stage.name for stage in stages for node in stage.nodes}
    makers = {name: node for node in pipeline.nodes for name in node.outputs}
    lines = []
    for name, maker in makers.items():
        users = [n for n in pipeline.nodes if name in n.inputs]
        apart = [n.name for n in users if stage_of[n.name] != stage_of[maker.name]]
        dataset = catalog.get(name, fallback_to_runtime_pattern=True)
        if apart and getattr(dataset, "_EPHEMERAL", False):
            lines.append(
                f"  - {name}: made by {maker.name}, needed by {', '.join(apart)}. "
                "For the catalog:\n"
                f'      "{name}":\n'
                "        type: pickle.PickleDataset\n"
                "        filepath: ${globals:scratch_root}/<dataset>/<movie>/"
                f"<workflow>/{name}.pkl"
            )
    if lines:
        raise ConfigError(
            "These datasets live in memory, which jobs do not share:\n"
            + "\n".join(lines),
            where="conf/*/catalog*.yml",
            fix="give them a file",
        )


def frames_of(context: RunContext, movie: Movie) -> int:
    """Frames to analyse: from an earlier ingest, else all of the raw movie."""
    catalog: Any = context.catalog_for(movie)
    # Straight from the dataset: loading through the catalog would log each time.
    calibration = catalog.get("calibration")
    if calibration.exists():
        return int(calibration.load().n_frames)
    return int(catalog.get(f"{next(iter(movie.paths))}.raw").load().data.shape[0])


def wants_gpu(node: Node, catalog: Any) -> bool:
    """Whether the method that the parameters choose for a node wants a GPU."""
    for name in node.inputs:
        if name.startswith("params:"):
            value = catalog.get(name).load()
            if isinstance(value, Params) and value.uses_gpu:
                return True
    return False


def header_of(
    context: RunContext, runner: str, options: dict[str, Any]
) -> dict[str, Any]:
    """How the run was started, for its journal: enough to start it again."""
    return {
        "run_id": context.run_id,
        "workflow": context.workflow,
        "pipelines": list(context.pipeline_names),
        "env": context.env,
        "runtime_params": context.runtime_params,
        "conf_source": str(context.conf_source),
        "runner": runner,
        "options": options,
    }
