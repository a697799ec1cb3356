"""The sites of trials: worker processes of this machine, or SLURM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner

from cyto_kedro.core.parallel import granted_cpus
from cyto_kedro.runners.allocation import AllocationRunner
from cyto_kedro.runners.driver import wants_gpu
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.images import Images
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.launch import Launcher, Site
from cyto_kedro.runners.local import LocalBackend
from cyto_kedro.runners.scheduler import Backend
from cyto_kedro.runners.slurm.runner import SlurmRunner
from cyto_kedro.runners.slurm.site import SlurmSite
from cyto_kedro.runners.stages import Placement, Stage
from cyto_kedro.runners.units import Base, Unit


@dataclass(frozen=True)
class LocalSite:
    """N worker processes with one thread each."""

    context: RunContext
    images: Images | None = None
    gpus: int = 1
    kind: str = "local"

    def granted(self, gpu: bool) -> int | None:
        """GPUs for work that wants one, cores otherwise."""
        return self.gpus if gpu else granted_cpus()

    def open(
        self, base: Base, journal: Journal, nodes: Sequence[Node], n_jobs: int
    ) -> Backend:
        """Workers start with the first units."""
        if self.images is not None:
            stages = [self._stage([node]) for node in nodes]
            self.images.check(stages, under_slurm=False)
        wrap_of = self.images.wrap_of if self.images else lambda stage: None
        return LocalBackend(
            base, journal, n_jobs, threads=1, gpus=self.gpus, wrap_of=wrap_of
        )

    def submit(
        self, backend: Backend, nodes: Sequence[Node], units: list[Unit], n_jobs: int
    ) -> None:
        """Queue them: idle workers take the next."""
        for node_names in dict.fromkeys(unit.nodes for unit in units):
            part = [unit for unit in units if unit.nodes == node_names]
            chosen = [node for node in nodes if node.name in node_names]
            backend.submit(self._stage(chosen), part)

    def _stage(self, nodes: Sequence[Node]) -> Stage:
        catalog = self.context.catalog_for(self.context.movies()[0])
        gpu = any(wants_gpu(node, catalog) for node in nodes)
        container = self.images.container_of(nodes[0], gpu) if self.images else None
        placement = Placement(key=gpu, gpu=gpu, container=container)
        names = tuple(node.name for node in nodes)
        return Stage("+".join(names), names, placement, joint=False)


def launcher_of(context: RunContext, runner: AbstractRunner | None) -> Launcher:
    """The launcher that uses what the runner in force uses.

    Args:
        context: The run.
        runner: Any runner; SlurmRunner launches array tasks, others local processes.
    """
    site: Site
    if isinstance(runner, SlurmRunner):
        site = SlurmSite(context, runner)
    elif isinstance(runner, AllocationRunner):
        site = LocalSite(context, runner.images(), runner.gpus())
    else:
        site = LocalSite(context)
    return Launcher(context, site)
