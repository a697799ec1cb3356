"""Shows every submission of a run without making one; needs no SLURM."""

from __future__ import annotations

import itertools
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kedro.pipeline import Pipeline

from cyto_kedro.core.window import windows
from cyto_kedro.runners.driver import frames_of, journal_of, nodes_to_run
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.launch import Launcher
from cyto_kedro.runners.resources import NodePlan, totals
from cyto_kedro.runners.slurm.batches import Batch, batches_of
from cyto_kedro.runners.slurm.cluster import sbatch_command
from cyto_kedro.runners.slurm.site import SlurmSite
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.trials import Trial
from cyto_kedro.runners.units import Unit

# SLURM's own default, where there is no SLURM to ask.
_MAX_ARRAY = 1001


@dataclass(frozen=True)
class DryRun:
    """What a run would submit, printed to standard output.

    Args:
        context: The run.
        render: Text of the script of a batch.
        launcher: Knows the trials of a benchmark.
        site: Knows how trials are submitted.
        max_array: Largest job array.
        write: Where the text goes.
    """

    context: RunContext
    render: Callable[[Batch], str]
    launcher: Launcher
    site: SlurmSite
    max_array: int = _MAX_ARRAY
    write: Callable[[str], Any] = print

    def show(self, stages: list[Stage], pipeline: Pipeline, only_stale: bool) -> None:
        """Print each command with its script, then the totals."""
        journal = journal_of(self.context)
        todo = nodes_to_run(self.context, pipeline, only_stale, resumed=False)
        counted: list[tuple[NodePlan, int]] = []
        number = itertools.count(1)
        for stage in stages:
            units = self._units(stage, todo)
            if not units:
                continue
            if stage.placement.where == "driver":
                self.write(f"# {stage.name}: {len(units)} units in the driver itself\n")
                for name in stage.nodes:
                    counted += self._trials(pipeline, name)
                continue
            self.write(self._heading(stage, units))
            counted += self._submissions(stage, units, journal, self.render, number)
        self.write(self._totals(counted))

    def _submissions(
        self,
        stage: Stage,
        units: list[Unit],
        journal: Journal,
        render: Callable[[Batch], str],
        number: Iterator[int],
    ) -> list[tuple[NodePlan, int]]:
        plan: NodePlan = stage.placement.detail
        counted = []
        for batch in batches_of(
            stage.name, plan, plan.resources, units, self.max_array
        ):
            batch.name = f"cyto.{stage.name}.{self.context.run_id}.{next(number):03d}"
            script = journal.specs / f"{batch.name}.sh"
            command = sbatch_command(script, batch.array, batch.name)
            self.write("$ " + shlex.join(command))
            self.write(render(batch))
            counted.append((plan, len(batch.tasks)))
        return counted

    def _trials(self, pipeline: Pipeline, name: str) -> list[tuple[NodePlan, int]]:
        """What a node of the benchmark launches; replicates are counted, not shown."""
        node = next(node for node in pipeline.nodes if node.name == name)
        planned = getattr(node.func, "planned_trials", None)
        if planned is None:
            return []
        catalog: Any = self.context.catalog_for(None)
        trials: list[Trial] = planned(
            self.launcher, catalog.get("params:benchmark").load()
        )
        times = Counter(trial.n_jobs for trial in trials)
        counted: list[tuple[NodePlan, int]] = []
        for trial in trials:
            if trial.replicate > 1:
                continue
            number, journal = itertools.count(1), self.launcher.journal(trial)
            render = self.site.render(journal, trial.pipeline.nodes)
            repeated = times[trial.n_jobs]
            for nodes, units in self.launcher.phases(trial):
                self.write(
                    f"# {trial.stage}, N = {trial.n_jobs}: {len(units)} units of "
                    f"{', '.join(node.name for node in nodes)}; {repeated} times, each "
                    "after the one before"
                )
                for stage, part in self.site.submissions(nodes, units, trial.n_jobs):
                    shown = self._submissions(stage, part, journal, render, number)
                    counted += shown * repeated
        return counted

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
            frames = windows(frames_of(self.context, movie), stage.placement.frames)
            units += [Unit(stage.name, nodes, movie.id, window) for window in frames]
        return units

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
