"""Nodes of the benchmark: measure a stage, collect, judge, show."""

from __future__ import annotations

import logging
from dataclasses import asdict
from math import ceil
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline

from cyto_kedro.core.scaling import TRIALS, UNITS
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.methods.scaling import (
    Rules,
    fit_scaling,
    judge,
    scaling_of,
    timed_trials,
)
from cyto_kedro.methods.scaling.times import rows_of
from cyto_kedro.pipelines.benchmark.figures import scaling_figures
from cyto_kedro.pipelines.benchmark.params import BenchmarkParams
from cyto_kedro.pipelines.benchmark.text import analysis_text
from cyto_kedro.runners.launch import Launcher
from cyto_kedro.runners.trials import Trial

logger = logging.getLogger(__name__)


def measure_stage(
    launcher: Launcher,
    options: BenchmarkParams,
    *earlier: pd.DataFrame,
    stage: str,
    nodes: Pipeline,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the production nodes of a stage at each N, and repeat.

    Args:
        launcher: Runs trials on what the runner in force uses.
        options: What is run.
        *earlier: Stages that must not compete with this one.
        stage: Name of the stage.
        nodes: Its production nodes.

    Returns:
        Tables UNITS and TRIALS.
    """
    units: list[dict[str, Any]] = []
    trials: list[dict[str, Any]] = []
    planned = planned_trials(launcher, options, stage=stage, nodes=nodes)
    for trial in planned:
        logger.info("%s: N = %d, replicate %d", stage, trial.n_jobs, trial.replicate)
        result = launcher.measure(trial, keep=options.keep_scratch)
        units += result.units
        trials.append(result.facts)
    frames = sum(launcher.n_frames(movie) for movie in planned[0].movies)
    launcher.note("job_counts", list(options.job_counts))
    launcher.note("total_frames", frames)
    return (
        UNITS.conform(pd.DataFrame(units)) if units else UNITS.empty(),
        TRIALS.conform(pd.DataFrame(trials)) if trials else TRIALS.empty(),
    )


def planned_trials(
    launcher: Launcher, options: BenchmarkParams, *, stage: str, nodes: Pipeline
) -> list[Trial]:
    """The trials of a stage in order: N after N, each as often as it is repeated."""
    by_frames = any(FRAME_WISE in node.tags for node in nodes.nodes)
    most = max(options.job_counts)
    movies = launcher.movies(options.total_frames, 1 if by_frames else most)
    frames = sum(launcher.n_frames(movie) for movie in movies)
    window = max(1, ceil(frames / most))
    granted = launcher.granted(nodes)
    trials = []
    for n_jobs in options.job_counts:
        enough = granted is None or granted >= n_jobs
        times = options.replicates if enough else options.replicates_unmeasurable
        trials += [
            Trial(stage, nodes, n_jobs, replicate, movies, window, options.warm_up)
            for replicate in range(1, times + 1)
        ]
    return trials


def collect(
    options: BenchmarkParams, *tables: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """All stages together.

    Args:
        options: Confidence of the fit.
        *tables: Tables UNITS and TRIALS of one stage after the other.

    Returns:
        Tables TIMED, SCALING and FITS.
    """
    units, trials = pd.concat(tables[0::2]), pd.concat(tables[1::2])
    timed = timed_trials(trials, units)
    scaling = scaling_of(timed)
    return timed, scaling, fit_scaling(timed, scaling, options.confidence)


def judge_run(
    options: BenchmarkParams,
    timed: pd.DataFrame,
    scaling: pd.DataFrame,
    references: dict[str, dict[str, Any]],
    run_metadata: dict[str, Any],
    *,
    stages: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The acceptance report, and this run as a reference for later ones.

    Args:
        options: What is demanded.
        timed: Table TIMED.
        scaling: Table SCALING.
        references: Reference runs by name.
        run_metadata: Of this run: its host.
        stages: Stages that must be there.
    """
    hardware = hardware_class(run_metadata)
    report = judge(timed, scaling, references, hardware, rules_of(options), stages)
    run_id = run_metadata["run_id"]
    report = {"run_id": run_id, "rules": asdict(rules_of(options))} | report
    return report, as_reference(run_id, hardware, timed, scaling)


def show(
    scaling: pd.DataFrame,
    fits: pd.DataFrame,
    timed: pd.DataFrame,
    report: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """Speedup and efficiency of each stage as figures, and all of it in words."""
    figures = scaling_figures(scaling, fits, timed)
    return figures, analysis_text(scaling, fits, timed, report)


def rules_of(options: BenchmarkParams) -> Rules:
    """What the parameters demand."""
    return Rules(
        cpu_tolerance=options.cpu_tolerance,
        gpu_tolerance=options.gpu_tolerance,
        confidence=options.confidence,
        expected_jobs=options.job_counts,
    )


def hardware_class(run_metadata: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for times to be compared.

    Under SLURM the driver's machine says little: the partitions count there, and the
    backend, which is compared per stage.
    """
    host = run_metadata["host"]
    return {"processor": host["processor"], "cpus": host["cpus"]}


def as_reference(
    run_id: str, hardware: dict[str, Any], timed: pd.DataFrame, scaling: pd.DataFrame
) -> dict[str, Any]:
    """The content of ``reference.json``: what a later run is compared with."""
    stages = {}
    for stage, rows in scaling.groupby("stage", sort=False):
        first = timed[timed["stage"] == stage].iloc[0]
        known = rows[rows["net_s"].notna()]
        stages[str(stage)] = {
            "method": first["method"],
            "backend": first["backend"],
            "device": first["device"] if isinstance(first["device"], str) else None,
            "total_frames": int(first["total_frames"]),
            "net_s": {
                str(int(row.n_jobs)): round(float(row.net_s), 4)
                for row in rows_of(known)
            },
        }
    return {"run_id": run_id, "hardware": hardware, "stages": stages}
