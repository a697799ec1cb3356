"""Shows every submission of a run without making one; needs no SLURM."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kedro.pipeline import Pipeline

from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.window import windows
from cyto_kedro.runners.driver import journal_of, nodes_to_run
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.resources import NodePlan, totals
from cyto_kedro.runners.slurm.batches import Batch, batches_of
from cyto_kedro.runners.slurm.cluster import sbatch_command
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import Unit

# SLURM's own default, where there is no SLURM to ask.
_MAX_ARRAY = 1001


@dataclass(frozen=True)
class DryRun:
    """What a run would submit, printed to standard output.

    Args:
        context: The run.
        render: Text of the script of a batch.
        max_array: Largest job array.
        write: Where the text goes.
    """

    context: RunContext
    render: Callable[[Batch], str]
    max_array: int = _MAX_ARRAY
    write: Callable[[str], Any] = print

    def show(self, stages: list[Stage], pipeline: Pipeline, only_stale: bool) -> None:
        """Print each command with its script, then the totals."""
        journal = journal_of(self.context)
        todo = nodes_to_run(self.context, pipeline, only_stale, resumed=False)
        counted: list[tuple[NodePlan, int]] = []
        number = 0
        for stage in stages:
            units = self._units(stage, todo)
            plan: NodePlan = stage.placement.detail
            if not units:
                continue
            if stage.placement.where == "driver":
                self.write(f"# {stage.name}: {len(units)} units in the driver itself\n")
                continue
            found = batches_of(stage.name, plan, plan.resources, units, self.max_array)
            for batch in found:
                number += 1
                batch.name = f"cyto.{stage.name}.{self.context.run_id}.{number:03d}"
                script = journal.specs / f"{batch.name}.sh"
                command = sbatch_command(script, batch.array, batch.name)
                self.write(self._heading(stage, units))
                self.write("$ " + shlex.join(command))
                self.write(self.render(batch))
                counted.append((plan, len(batch.tasks)))
        self.write(self._totals(counted))

    def _units(self, stage: Stage, todo: dict[str | None, set[str]]) -> list[Unit]:
        if stage.joint:
            nodes = tuple(n for n in stage.nodes if n in todo[None])
            return [Unit(stage.name, nodes, None)] if nodes else []
        units = []
        for movie in self.context.movies():
            nodes = tuple(n for n in stage.nodes if n in todo[movie.id])
            if not nodes:
                continue
            if stage.placement.frames is None:
                units.append(Unit(stage.name, nodes, movie.id))
                continue
            frames = windows(self._frames(movie), stage.placement.frames)
            units += [Unit(stage.name, nodes, movie.id, window) for window in frames]
        return units

    def _frames(self, movie: Movie) -> int:
        """Frames to analyse: from an earlier ingest, else all of the raw movie."""
        catalog: Any = self.context.catalog_for(movie)
        if catalog.exists("calibration"):
            return int(catalog.load("calibration").n_frames)
        raw = catalog.load(f"{next(iter(movie.paths))}.raw")
        return int(raw.data.shape[0])

    def _heading(self, stage: Stage, units: list[Unit]) -> str:
        movies = {unit.movie for unit in units}
        where = "once" if stage.joint else f"{len(movies)} movies"
        rule = stage.placement.detail.rule
        text = f"# {stage.name}: {len(units)} units, {where}; resources by '{rule}'"
        more = stage.nodes[1:]
        return text + (f"\n#   with {', '.join(more)}" if more else "")

    def _totals(self, counted: list[tuple[NodePlan, int]]) -> str:
        total = totals(counted)
        return (
            f"# In all: {total.jobs} submissions, {total.tasks} tasks; at most "
            f"{total.cpu_hours:.1f} CPU-hours and {total.gpu_hours:.1f} GPU-hours "
            "requested (tasks x time limit). Nothing was submitted."
        )
