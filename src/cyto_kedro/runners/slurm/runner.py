"""``kedro run --runner=cyto_kedro.runners.SlurmRunner``."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.tags import DRIVER
from cyto_kedro.runners.driver import (
    account_for,
    base_of,
    check_persisted,
    driving,
    header_of,
    journal_of,
    nodes_to_run,
    wants_gpu,
)
from cyto_kedro.runners.experiment import ExperimentRunner
from cyto_kedro.runners.images import Images
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.launch import Launcher
from cyto_kedro.runners.progress import progress
from cyto_kedro.runners.resources import (
    NodePlan,
    SlurmConfig,
    check_plan,
    limits_of,
    resolve,
)
from cyto_kedro.runners.scheduler import Scheduler
from cyto_kedro.runners.slurm.backend import SlurmBackend
from cyto_kedro.runners.slurm.cluster import Cluster
from cyto_kedro.runners.slurm.dry_run import DryRun
from cyto_kedro.runners.slurm.refusals import NAME, check_can_submit, check_same_run
from cyto_kedro.runners.slurm.script import Renderer
from cyto_kedro.runners.slurm.site import SlurmSite
from cyto_kedro.runners.stages import Placement, Stage, stages_of
from cyto_kedro.runners.units import Base
from cyto_kedro.runners.worker import run_unit

logger = logging.getLogger(__name__)

_DRIVER = "driver"


class Detached(SystemExit):
    """The terminal went away: the driver ends, its jobs go on."""

    leaves_jobs = True
    status = "detached"


class SlurmRunner(ExperimentRunner):
    """Dispatches nodes to SLURM by the resources that ``slurm.yml`` declares.

    Args:
        dry_run: Print every submission with its script and the totals; submit nothing.
            Works without SLURM.
        resume: ``last`` or a run id: adopt its live jobs and do what is left.
        profile: Execution profile of ``execution.yml``; bare metal by default.
        max_jobs: Overrides ``max_jobs`` of ``slurm.yml``.
        on_failure: Overrides ``on_failure``: ``drain`` or ``cancel``.
        is_async: Given by Kedro; jobs load and save in their own processes anyway.
    """

    def __init__(
        self,
        dry_run: bool = False,
        resume: str | None = None,
        profile: str | None = None,
        max_jobs: int | None = None,
        on_failure: str | None = None,
        is_async: bool = False,
    ) -> None:
        super().__init__(is_async=False)
        self.dry_run, self.resume, self._profile = dry_run, resume, profile
        given = {"max_jobs": max_jobs, "on_failure": on_failure}
        self._given = {key: value for key, value in given.items() if value is not None}

    def run(
        self,
        pipeline: Pipeline,
        catalog: Any,
        hook_manager: Any = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Run the pipeline over all movies.

        Raises:
            ConfigError: What was asked for cannot work; nothing was submitted.
            MoviesFailed: Some movies failed; the message names each with its cause.
        """
        context = self.context
        config, cluster, *_ = self._surroundings
        if not self.dry_run:
            check_can_submit(cluster, config)
        any_catalog = context.catalog_for(context.movies()[0])
        stages = stages_of(
            pipeline,
            lambda node: self.placement(node, any_catalog),
            group=config.group,
        )
        check_persisted(stages, pipeline, any_catalog)
        journal = journal_of(context)
        render_batch = self.renderer(journal, stages)
        if self.dry_run:
            site = SlurmSite(context, self)
            dry = DryRun(context, render_batch, Launcher(context, site), site)
            largest = cluster.max_array_size() if cluster.available() else dry.max_array
            dry = replace(dry, max_array=min(largest, config.max_jobs))
            dry.show(stages, pipeline, only_missing_outputs)
            return {}
        with driving(context, journal), _hang_up_detaches():
            resumed = self.resume is not None
            check_same_run(journal, context) if resumed else None
            options = self._given | {"profile": self._profile}
            journal.write_header(header_of(context, NAME, options))
            todo = nodes_to_run(context, pipeline, only_missing_outputs, resumed)
            backend = self.backend(base_of(context, journal), journal, stages)
            try:
                with progress(backend.summary) as watch:
                    Scheduler(
                        stages,
                        pipeline,
                        context,
                        backend,
                        journal,
                        local=lambda unit: run_unit(
                            context, pipeline, unit, hook_manager
                        ),
                        stop_on_failure=config.on_failure == "cancel",
                        watch=watch,
                    ).run(todo, resumed)
            finally:
                context.record.note("slurm_jobs", journal.jobs())
                account_for(context, pipeline)
                backend.usage.write(journal)
        return {}

    def backend(
        self, base: Base, journal: Journal, stages: list[Stage]
    ) -> SlurmBackend:
        """A backend beside the run's own, for work that the driver launches."""
        config, cluster, limits, _ = self._surroundings
        return SlurmBackend(
            base=base,
            journal=journal,
            config=config,
            cluster=cluster,
            limits=limits,
            render=self.renderer(journal, stages),
            plans={stage.name: stage.placement.detail for stage in stages},
        )

    def renderer(self, journal: Journal, stages: list[Stage]) -> Renderer:
        """Writes the scripts of these stages.

        Raises:
            ConfigError: An image is missing or cannot run the worker.
        """
        *_, images = self._surroundings
        own = replace(images)
        own.check(stages, under_slurm=True)
        return Renderer(self.context, journal, own)

    def placement(self, node: Node, catalog: Any) -> Placement:
        """Where ``slurm.yml`` puts a node."""
        config, _, limits, images = self._surroundings
        return _placement(node, catalog, config, images, limits)

    @cached_property
    def _surroundings(self) -> tuple[SlurmConfig, Cluster, Any, Images]:
        context, cluster = self.context, Cluster()
        config = read_config(context.config("slurm"), self._given)
        seen = cluster.partitions() if cluster.available() else None
        return (
            config,
            cluster,
            limits_of(config, seen),
            Images.of(context, self._profile),
        )


def read_config(values: dict[str, Any], given: dict[str, Any]) -> SlurmConfig:
    """The checked content of ``slurm.yml``, the command line on top."""
    return SlurmConfig.read(values | given)


def plan_of(node: Node, gpu: bool, config: SlurmConfig) -> NodePlan:
    """What a node asks for by ``slurm.yml``.

    Args:
        node: The node.
        gpu: Whether its chosen method wants a GPU.
        config: Content of ``slurm.yml``.
    """
    # A node that wants a GPU is looked up by that before anything else it is.
    tags = {"gpu"} if gpu and "tag:gpu" in config.nodes else node.tags
    return resolve(config, node.name, tags, node.namespace)


def _placement(
    node: Node,
    catalog: Any,
    config: SlurmConfig,
    images: Images,
    limits: Any,
) -> Placement:
    gpu = wants_gpu(node, catalog)
    plan = plan_of(node, gpu, config)
    driven = plan.where == _DRIVER or DRIVER in node.tags
    if not driven:
        check_plan(config, plan, limits)
    container = images.container_of(node, gpu)
    fan_out = plan.fan_out
    return Placement(
        key=(repr(plan.resources), repr(container)),
        frames=fan_out.frames if fan_out is not None else None,
        where=_DRIVER if driven else "worker",
        gpu=gpu,
        detail=plan,
        container=container,
    )


@contextmanager
def _hang_up_detaches() -> Iterator[None]:
    """SIGHUP leaves the jobs alone, unless it is ignored (nohup)."""
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return

    def detach(signum: int, frame: Any) -> None:
        raise Detached("detached: the jobs go on; resume with resume=last")

    before = signal.signal(signal.SIGHUP, detach)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
