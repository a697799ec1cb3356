"""Trials as SLURM array tasks on the partitions of the stage's nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from kedro.pipeline.node import Node

from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import FanOut, NodePlan
from cyto_kedro.runners.scheduler import Backend
from cyto_kedro.runners.slurm.backend import SlurmBackend
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import Base, Unit

if TYPE_CHECKING:
    from cyto_kedro.runners.slurm.runner import SlurmRunner
    from cyto_kedro.runners.slurm.script import Renderer


@dataclass(frozen=True)
class SlurmSite:
    """N array tasks; where they run is up to ``slurm.yml``."""

    context: RunContext
    runner: SlurmRunner
    kind: str = "slurm"

    def granted(self, gpu: bool) -> int | None:
        """Only the queue knows."""
        return None

    def open(
        self, base: Base, journal: Journal, nodes: Sequence[Node], n_jobs: int
    ) -> Backend:
        """A backend that submits under the run's id."""
        return self.runner.backend(base, journal, self._stages(nodes))

    def submit(
        self, backend: Backend, nodes: Sequence[Node], units: list[Unit], n_jobs: int
    ) -> None:
        """As :meth:`submissions` says."""
        slurm = cast("SlurmBackend", backend)
        for stage, part in self.submissions(nodes, units, n_jobs):
            slurm.submit(stage, part)

    def submissions(
        self, nodes: Sequence[Node], units: list[Unit], n_jobs: int
    ) -> Iterator[tuple[Stage, list[Unit]]]:
        """Shares differ by one unit at most: an array task holds a share."""
        stage = self._stages(nodes)[0]
        for part, size in shares(units, n_jobs):
            plan: NodePlan = stage.placement.detail
            plan = replace(plan, fan_out=FanOut(units_per_task=size))
            yield replace(stage, placement=replace(stage.placement, detail=plan)), part

    def render(self, journal: Journal, nodes: Sequence[Node]) -> Renderer:
        """Writes the scripts of these nodes."""
        return self.runner.renderer(journal, self._stages(nodes))

    def _stages(self, nodes: Sequence[Node]) -> list[Stage]:
        catalog = self.context.catalog_for(self.context.movies()[0])
        stages = []
        for node in nodes:
            placement = self.runner.placement(node, catalog)
            stages.append(Stage(node.name, (node.name,), placement, joint=False))
        return stages


def shares(units: list[Unit], n_jobs: int) -> list[tuple[list[Unit], int]]:
    """The units of the larger shares with their size, then those of the smaller."""
    size, larger = divmod(len(units), n_jobs)
    cut = larger * (size + 1)
    parts = [(units[:cut], size + 1), (units[cut:], size)]
    return [(part, each) for part, each in parts if part]
