"""Launches trials of the benchmark on what the runner in force uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from kedro.io import AbstractDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.core.window import windows
from cyto_kedro.runners.driver import base_of, frames_of, wants_gpu
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.scheduler import Backend
from cyto_kedro.runners.trials import (
    Places,
    Trial,
    TrialFailed,
    TrialResult,
    phases_of,
)
from cyto_kedro.runners.units import Base, Unit, UnitResult


class Site(Protocol):
    """Where trials run, as the runner in force decided."""

    @property
    def kind(self) -> str:
        """`local` or `slurm`."""

    def granted(self, gpu: bool) -> int | None:
        """Jobs that can run at a time; None: only the queue knows."""

    def open(
        self, base: Base, journal: Journal, nodes: Sequence[Node], n_jobs: int
    ) -> Backend:
        """A backend for one trial."""

    def submit(
        self, backend: Backend, nodes: Sequence[Node], units: list[Unit], n_jobs: int
    ) -> None:
        """Give the units to ``n_jobs`` jobs in nearly equal shares."""


@dataclass(frozen=True)
class Launcher:
    """Runs trials for the nodes of the benchmark.

    Args:
        context: The run.
        site: Where trials run.
    """

    context: RunContext
    site: Site

    def movies(self, total_frames: int, at_least: int) -> tuple[Movie, ...]:
        """The first movies of the sheet that reach a number of frames and of movies."""
        chosen: list[Movie] = []
        frames = 0
        for movie in self.context.movies():
            if frames >= total_frames and len(chosen) >= at_least:
                break
            chosen.append(movie)
            frames += self.n_frames(movie)
        return tuple(chosen)

    def n_frames(self, movie: Movie) -> int:
        """Analysed frames of a movie of this run."""
        return frames_of(self.context, movie)

    def granted(self, pipeline: Pipeline) -> int | None:
        """Jobs of these nodes that can run at a time; None: only the queue knows."""
        return self.site.granted(self.wants_gpu(pipeline))

    def wants_gpu(self, pipeline: Pipeline) -> bool:
        """Whether a method in force wants a GPU."""
        catalog = self.context.catalog_for(self.context.movies()[0])
        return any(wants_gpu(node, catalog) for node in pipeline.nodes)

    def method(self, pipeline: Pipeline) -> str:
        """Names of the methods in force, by role: `cancer: classical, ...`."""
        catalog: Any = self.context.catalog_for(self.context.movies()[0])
        found = {}
        for name in sorted(pipeline.inputs()):
            value = catalog.get(name).load() if name.startswith("params:") else None
            chosen = getattr(value, "method", None) or getattr(value, "rule", None)
            method = getattr(chosen, "name", None)
            if method:
                found[name.removeprefix("params:").rsplit(".", 1)[-1]] = method
        return ", ".join(f"{role}: {method}" for role, method in found.items()) or "-"

    def note(self, key: str, value: Any) -> None:
        """Put a fact into the run's metadata."""
        self.context.record.note(key, value)

    def phases(self, trial: Trial) -> list[tuple[list[Node], list[Unit]]]:
        """Nodes that wait for the ones before, each group with its units."""
        groups = phases_of(trial.pipeline)
        return [(nodes, self._units(trial, nodes)) for nodes in groups]

    def journal(self, trial: Trial) -> Journal:
        """Where a trial leaves its scripts, results and logs."""
        output = Path(self.context.config("globals")["output_root"]).absolute()
        run = output / "benchmark" / trial.stage / f"run_{self.context.run_id}"
        return Journal(run / "log" / trial.name)

    def measure(self, trial: Trial, keep: bool) -> TrialResult:
        """Run one trial.

        Args:
            trial: What to run.
            keep: Leave its scratch in place.

        Returns:
            Its units and facts; units that failed are among them.
        """
        places = Places.of_trial(self.context, trial)
        places.clear()
        places.link_inputs(self.context, trial)
        rows = self._run(trial, places)
        expected, found, content = places.outputs(self.context, trial)
        if not keep:
            places.clear()
        frames = sum(self.n_frames(movie) for movie in trial.movies)
        sizes = pd.Series([row["phase"] for row in rows]).value_counts()
        devices = {row["device"] for row in rows} - {None}
        facts = {
            "stage": trial.stage,
            "n_jobs": trial.n_jobs,
            "replicate": trial.replicate,
            "method": self.method(trial.pipeline),
            "backend": self.site.kind,
            "gpu": self.wants_gpu(trial.pipeline),
            "device": " and ".join(sorted(devices)) or None,
            "movies": len(trial.movies),
            "total_frames": frames,
            "widest_phase": int(sizes.max()),
            "granted": self.granted(trial.pipeline),
            "outputs_expected": expected,
            "outputs_found": found,
            "results_sha256": content,
        }
        return TrialResult(rows, facts)

    def _run(self, trial: Trial, places: Places) -> list[dict[str, Any]]:
        journal = self.journal(trial)
        journal.open()
        base = base_of(self.context, journal)
        base = replace(
            base,
            environment=base.environment | places.environment,
            warm_up=trial.warm_up,
        )
        backend = self.site.open(base, journal, trial.pipeline.nodes, trial.n_jobs)
        rows: list[dict[str, Any]] = []
        try:
            for number, (nodes, units) in enumerate(self.phases(trial)):
                submitted = time.time()
                self.site.submit(backend, nodes, units, trial.n_jobs)
                done = _results(backend, {unit.id for unit in units})
                rows += [
                    self._row(trial, number, unit, submitted, done[unit.id])
                    for unit in units
                ]
                if not all(result.ok for result in done.values()):
                    break  # what follows lacks its inputs
        finally:
            backend.cancel()
        return rows

    def _units(self, trial: Trial, nodes: Sequence[Node]) -> list[Unit]:
        """Windows of frame-wise nodes; the other nodes of a phase stay together."""
        whole = tuple(node.name for node in nodes if FRAME_WISE not in node.tags)
        units = []
        for movie in trial.movies:
            if whole:
                units.append(Unit(trial.stage, whole, movie.id))
            for node in nodes:
                if FRAME_WISE in node.tags:
                    units += [
                        Unit(f"{trial.stage}.{node.name}", (node.name,), movie.id, part)
                        for part in windows(self.n_frames(movie), trial.window)
                    ]
        return units

    def _row(
        self, trial: Trial, phase: int, unit: Unit, submitted: float, got: UnitResult
    ) -> dict[str, Any]:
        movie = next(m for m in trial.movies if m.id == unit.movie)
        frames = len(unit.window.frames) if unit.window else self.n_frames(movie)
        first = got.startup_s is not None and got.started is not None
        begun = (got.started or 0.0) - (got.startup_s or 0.0)
        sums = {
            key: sum(float(entry[key]) for entry in got.times)
            for key in ("load_s", "compute_s", "save_s")
        }
        return {
            "stage": trial.stage,
            "n_jobs": trial.n_jobs,
            "replicate": trial.replicate,
            "phase": phase,
            "unit": unit.id,
            "movie": unit.movie,
            "frames": frames,
            "status": got.status,
            "error": got.error,
            "host": got.host,
            "job": got.job,
            "device": next((e["device"] for e in got.times if e.get("device")), None),
            "threads": got.threads,
            "submitted_s": submitted,
            "started_s": got.started,
            "ended_s": got.ended,
            # A worker that served the phase before was started for that one.
            "queue_s": max(begun - submitted, 0.0) if first else None,
            "startup_s": got.startup_s,
            **sums,
            "cpu_s": got.cpu_s,
            "peak_memory_mib": got.peak_memory_mib,
            "read_bytes": got.read_bytes,
            "written_bytes": got.written_bytes,
        }


def _results(backend: Backend, wanted: set[str]) -> dict[str, UnitResult]:
    found: dict[str, UnitResult] = {}
    while wanted - found.keys():
        found |= {result.unit: result for result in backend.poll()}
    return found


class LauncherDataset(AbstractDataset[Any, Launcher]):
    """The launcher of the run in this process, as an input of nodes."""

    #: Makes the launcher; set by the session for the time of its run. Not the launcher
    #: itself: the configuration that it reads is loaded after the run has begun.
    current: Callable[[], Launcher] | None = None
    _EPHEMERAL = True

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata

    def load(self) -> Launcher:
        """The launcher.

        Raises:
            TrialFailed: There is no run, or this process is one of its workers.
        """
        if LauncherDataset.current is None:
            raise TrialFailed(
                "Only the driver of a run launches the trials of a benchmark",
                fix="kedro run --pipeline=benchmark",
            )
        return LauncherDataset.current()

    def save(self, data: Any) -> None:
        """Refused.

        Raises:
            TrialFailed: Always.
        """
        raise TrialFailed("The launcher is given by the session, not saved")

    def _exists(self) -> bool:
        return LauncherDataset.current is not None

    def _describe(self) -> dict[str, Any]:
        return {"pid": os.getpid()}
