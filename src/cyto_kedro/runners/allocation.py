"""Uses what this machine, or this SLURM allocation, grants; never submits a job."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import Field, ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.parallel import granted_cpus, set_workers
from cyto_kedro.core.params import Params
from cyto_kedro.core.tags import DRIVER, FRAME_WISE
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
from cyto_kedro.runners.local import LocalBackend
from cyto_kedro.runners.progress import progress
from cyto_kedro.runners.scheduler import Backend, Scheduler
from cyto_kedro.runners.stages import Placement, stages_of
from cyto_kedro.runners.worker import run_unit

logger = logging.getLogger(__name__)


class DaskOptions(Params):
    """A Dask cluster of processes on this machine."""

    n_workers: int | None = Field(
        default=None, ge=1, description="processes; null = n_jobs"
    )
    threads_per_worker: int | None = Field(
        default=None, ge=1, description="threads of each; null = an equal share"
    )
    memory_limit: str | float = Field(
        default="auto", description="of each process, such as 8GB; it is killed above"
    )


class AllocationOptions(Params):
    """Content of ``allocation.yml``, and of ``--runner-params``."""

    n_jobs: int = Field(
        default=1,
        ge=-1,
        description="worker processes; -1 = as many as CPUs are granted",
    )
    window_frames: int = Field(
        default=10, ge=1, description="frames that a worker takes at a time (frames)"
    )
    gpus: int = Field(default=1, ge=1, description="GPU nodes that run at a time")
    local_cluster: DaskOptions | None = Field(
        default=None, description="run the workers as a Dask cluster, with dashboard"
    )
    track_changes: bool = Field(
        default=True,
        description="keep intermediates in scratch_root; false: on the job's own disk, "
        "deleted at the end",
    )

    def granted(self, cpus: int) -> int:
        """The number of worker processes.

        Raises:
            ConfigError: More than the CPUs granted, or zero.
        """
        wanted = self.n_jobs
        if self.local_cluster is not None and self.local_cluster.n_workers:
            wanted = self.local_cluster.n_workers
        if wanted == -1:
            return cpus
        if wanted == 0 or wanted > cpus:
            raise ConfigError(
                f"n_jobs is {wanted}, {cpus} CPUs are granted to this process",
                where="--runner-params or conf/*/allocation.yml",
                fix="ask for fewer, for -1 (all that is granted), or for a larger "
                "allocation (sbatch --cpus-per-task)",
            )
        return wanted


class AllocationRunner(ExperimentRunner):
    """Movies and windows of frames side by side, in worker processes of this machine.

    Args:
        resume: ``last`` or a run id to go on with.
        profile: Execution profile of ``execution.yml``; the default one otherwise.
        is_async: Given by Kedro; nodes load and save in their workers anyway.
        options: Keys of :class:`AllocationOptions`; they win over ``allocation.yml``.
    """

    def __init__(
        self,
        resume: str | None = None,
        profile: str | None = None,
        is_async: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(is_async=False)
        self.resume, self._profile = resume, profile
        self._given = options
        options_from({}, options)  # wrong keys are told before anything starts

    def wants_private_scratch(self, config: Mapping[str, Any]) -> bool:
        """Whether intermediates are to stay out of shared storage."""
        return not options_from(config["allocation"], self._given).track_changes

    def images(self) -> Images:
        """The execution profile of the run."""
        return Images.of(self.context, self._profile)

    def gpus(self) -> int:
        """GPU nodes that run at a time."""
        return options_from(self.context.config("allocation"), self._given).gpus

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
            MoviesFailed: Some movies failed; the message names each with its cause.
        """
        context = self.context
        options = options_from(context.config("allocation"), self._given)
        cpus = granted_cpus()
        n_jobs = options.granted(cpus)
        first = context.movies()[0]
        any_catalog = context.catalog_for(first)
        images = Images.of(context, self._profile)
        stages = stages_of(
            pipeline,
            lambda node: self._placement(node, any_catalog, options, n_jobs, images),
            group=False,
        )
        check_persisted(stages, pipeline, any_catalog)
        images.check(stages, under_slurm=False)
        journal = journal_of(context)
        with driving(context, journal):
            resumed = self.resume is not None
            journal.write_header(header_of(context, _NAME, self._given))
            todo = nodes_to_run(context, pipeline, only_missing_outputs, resumed)
            base = base_of(context, journal)
            dask = options.local_cluster
            threads = max(1, cpus // n_jobs)
            if dask is None:
                backend: Backend = LocalBackend(
                    base,
                    journal,
                    n_jobs,
                    threads,
                    gpus=options.gpus,
                    wrap_of=images.wrap_of,
                )
            else:
                from cyto_kedro.runners.dask_cluster import DaskBackend

                threads = dask.threads_per_worker or threads
                backend = DaskBackend.start(
                    base, journal, n_jobs, threads, dask.memory_limit
                )
            logger.info("%d workers with %d threads each", n_jobs, threads)
            set_workers(threads)
            try:
                with progress() as watch:
                    Scheduler(
                        stages,
                        pipeline,
                        context,
                        backend,
                        journal,
                        local=lambda unit: run_unit(
                            context, pipeline, unit, hook_manager
                        ),
                        watch=watch,
                    ).run(todo, resumed)
            finally:
                set_workers(None)
                account_for(context, pipeline)
        return {}

    def _placement(
        self,
        node: Node,
        catalog: Any,
        options: AllocationOptions,
        n_jobs: int,
        images: Images,
    ) -> Placement:
        gpu = wants_gpu(node, catalog)
        windows = FRAME_WISE in node.tags and n_jobs > 1
        return Placement(
            key=gpu,
            frames=options.window_frames if windows else None,
            where="driver" if DRIVER in node.tags else "worker",
            gpu=gpu,
            container=images.container_of(node, gpu),
        )


_NAME = "cyto_kedro.runners.AllocationRunner"


def options_from(
    config: Mapping[str, Any], given: Mapping[str, Any]
) -> AllocationOptions:
    """Options from ``allocation.yml`` and the command line, which wins.

    Raises:
        ConfigError: Unknown or wrong keys.
    """
    values = dict(config.get("allocation", config)) | dict(given)
    try:
        return AllocationOptions.model_validate(values)
    except ValidationError as exc:
        known = ", ".join(AllocationOptions.model_fields)
        found = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()
        )
        raise ConfigError(
            f"AllocationRunner: {found}",
            where="--runner-params or conf/*/allocation.yml",
            fix=f"known keys: {known}",
        ) from exc
