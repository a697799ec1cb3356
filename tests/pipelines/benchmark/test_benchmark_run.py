"""`kedro run --pipeline=benchmark` on tiny movies, and the verdict on it again."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cyto_kedro.config import CytoConfigLoader
from project import Project
from small_experiment import small_project

pytestmark = pytest.mark.slow

_STAGES = {"register_denoise", "cellpose", "trackmate", "contact"}


def _benchmark(project: Project, *words: str, keep: bool = False) -> Path:
    project.configure(
        "parameters_benchmark.yml",
        "benchmark: {job_counts: [1, 2], total_frames: 6, replicates: 1, "
        f"keep_scratch: {str(keep).lower()}}}\n",
    )
    done = project.kedro("run", "--pipeline=benchmark", *words)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return project.runs("benchmark/master")[-1]


def _previews(api: Path) -> dict[str, str | None]:
    """How Kedro-Viz previews each dataset of the benchmark."""
    nodes = _json(api / "pipelines" / "benchmark")["nodes"]
    return {
        node["name"]: _json(api / "nodes" / node["id"]).get("preview_type")
        for node in nodes
        if node["type"] == "data"
    }


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def _check_results(project: Project, run: Path, backend: str) -> None:
    report = _json(run / "acceptance_report.json")
    assert set(report["stages"]) == _STAGES
    for entry in report["stages"].values():
        assert entry["checks"]["outputs_complete"]["strict"] == "pass"
        assert entry["checks"]["results_equal"]["strict"] == "pass"
    trials = pd.read_parquet(run / "trials.parquet")
    assert set(trials["backend"]) == {backend}
    assert len(trials) == 2 * len(_STAGES)
    metadata = _json(run / "run_metadata.json")
    assert (metadata["job_counts"], metadata["status"]) == ([1, 2], "completed")


def test_it_measures_judges_and_is_judged_again(tmp_path: Path) -> None:
    project = small_project(tmp_path / "a project", frames=6)
    run = _benchmark(project, keep=True)
    _check_results(project, run, "local")
    _check_costs(project, run)
    for stage in _STAGES:
        folder = run.parents[1] / stage / run.name
        assert (folder / "tables" / "units.csv").exists()
        assert (folder / "log" / "N2_r1").is_dir()
        assert (run / "figures" / f"speedup_{stage}.png").exists()
    assert "Verdict" in (run / "scaling_analysis.md").read_text("utf-8")

    # What viz and notebooks open, without a run of the main workflow.
    conf = CytoConfigLoader(
        str(project.folder / "conf"), base_env="base", default_run_env="local"
    )
    assert conf["catalog"]["acceptance_report"]["filepath"] == str(
        run / "acceptance_report.json"
    )

    built = project.kedro("viz", "build", "--include-previews", timeout=200)
    assert built.returncode == 0, built.stdout + built.stderr
    shown = _previews(project.folder / "build" / "api")
    assert shown["benchmark_figures"] == "ImagePreview"
    assert shown["acceptance_report"] == "JSONPreview"
    for name in ("benchmark_trials", "benchmark_scaling", "benchmark_fits"):
        assert shown[name] == "TablePreview"

    again = project.kedro("cyto", "collect", "--validate")
    assert again.returncode == 2, again.stdout + again.stderr  # no reference
    assert "no reference run" in again.stdout

    verdicts = _json(run / "provenance_manifest.json")["verdicts"]
    assert [entry["report"] for entry in verdicts] == [
        "acceptance_report.json",
        "acceptance_report.rejudged.json",
    ]
    report = (run / "acceptance_report.json").read_bytes()
    assert verdicts[0]["sha256"] == hashlib.sha256(report).hexdigest()
    assert set(verdicts[0]["stages"]) == _STAGES

    units = run.parents[1] / "contact" / run.name / "tables" / "trials.parquet"
    table = pd.read_parquet(units)
    table.loc[0, "results_sha256"] = "other"
    table.to_parquet(units)
    assert project.kedro("cyto", "collect", "--validate").returncode == 1


def _check_costs(project: Project, run: Path) -> None:
    """What a trial is said to have used is what it used."""
    trials = pd.read_parquet(run / "trials.parquet")
    kept = (
        project.folder / "data" / "02_intermediate" / "benchmark_trials" / run.name[4:]
    )
    for trial in trials.itertuples():
        made = kept / str(trial.stage) / f"N{trial.n_jobs}_r{trial.replicate}"
        # Images and labels are compressed once and written once; the rest is small.
        stores = [path for path in made.rglob("*") if "/c/" in str(path)]
        size = sum(
            p.stat().st_size for p in stores if p.is_file() and not p.is_symlink()
        )
        assert size <= trial.written_bytes < 1.2 * size + 600_000
        parts = trial.load_s + trial.compute_s + trial.save_s
        assert 0 < parts <= trial.n_jobs * trial.net_s
        assert 0 < trial.cpu_s <= 1.2 * trial.n_jobs * trial.net_s + 0.5
        if trial.n_jobs == 1:  # of several jobs one may start while another works
            assert trial.wall_s >= trial.net_s + trial.startup_s - 0.1
        assert trial.startup_s > 0.5  # Python and the libraries
        assert 100 < trial.peak_memory_mib < 1500
        assert trial.read_bytes > 0


_SITE = """
poll: {first: 0.5, max: 2}
submit_interval: 0
latency_wait: 5
defaults: {mem: 1500M, cpus_per_task: 1}
classes:
  images: {cpus_per_task: 1, mem: 1500M, time: "00:30:00"}
  gpu_a100: {mem: 1500M, cpus_per_task: 1}
"""


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_under_slurm_its_jobs_are_array_tasks() -> None:
    # Jobs of another user may have to enter it: not below pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="cyto_kedro_jobs_"))
    folder.chmod(0o755)
    try:
        project = small_project(folder / "a project", n_movies=2, frames=6)
        project.configure("slurm.yml", _SITE)
        run = _benchmark(project, "--runner=cyto_kedro.runners.SlurmRunner")
        _check_results(project, run, "slurm")
        tables = run.parents[1] / "contact" / run.name / "tables"
        units = pd.read_parquet(tables / "units.parquet")
        # The trials left nothing behind.
        scratch = project.folder / "data" / "02_intermediate"
        assert not list(scratch.rglob("N1_r1"))
        by_trial = units.groupby("n_jobs")["job"].nunique()
        assert by_trial.to_dict() == {1: 1, 2: 2}
        assert units["queue_s"].notna().any()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
