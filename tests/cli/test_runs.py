"""Looking at a run from a shell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from cyto_kedro.cli import runs
from cyto_kedro.cli.status import as_text, status
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.locks import locked
from cyto_kedro.provenance.runs import DRIVER_LOCK
from cyto_kedro.runners.journal import Journal
from made_runs import MadeRun, layout_in

RUN = "20260315T111551Z"


@dataclass
class Benchmark:
    """A benchmark run of one stage with two trials, one unit failed."""

    made: MadeRun

    @property
    def run(self) -> runs.Run:
        return runs.find(self.made.layout, "latest")


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    made = MadeRun(layout_in(tmp_path), RUN, "benchmark/master").make()
    stage = made.layout.output_root / "benchmark" / "cellpose" / f"run_{RUN}"
    for number, trial in enumerate(("N1_r1", "N2_r1")):
        journal = Journal(stage / "log" / trial)
        journal.open()
        (journal.folder / "worker_1.log").write_text(f"from {trial}\n")
        result = {"unit": f"cellpose.m{number}", "status": "done", "error": None}
        if number:
            result |= {"status": "failed", "error": "no memory\nmore"}
        (journal.results / f"{result['unit']}.json").write_text(json.dumps(result))
        journal.add("submitted", job=str(100 + number))
    return Benchmark(made)


def test_a_benchmark_run_shows_the_units_of_its_trials(benchmark) -> None:
    facts = status(benchmark.run)
    assert facts["stages"]["cellpose"]["done"] == 1
    assert facts["failed"] == [{"unit": "cellpose.m1", "error": "no memory\nmore"}]
    assert "failed: cellpose.m1: no memory" in as_text(facts)


def test_its_logs_and_jobs_are_found(benchmark) -> None:
    listed = runs.ends_of_logs(benchmark.run, None, 5)
    assert [Path(entry["path"]).parent.name for entry in listed] == ["N1_r1", "N2_r1"]
    assert runs.ends_of_logs(benchmark.run, "N2_r1", 5)[0]["end"] == "from N2_r1"
    assert benchmark.run.jobs() == ["100", "101"]
    with pytest.raises(ConfigError, match="No log of run"):
        runs.logs(benchmark.run, "N9", 5)


def test_prune_takes_them_and_leaves_results(benchmark) -> None:
    before = {path for path in benchmark.made.folder.rglob("*") if path.is_file()}
    count, size = runs.prune(benchmark.run, benchmark.made.layout)
    assert (count, size > 0) == (4, True)
    assert runs.log_files(benchmark.run) == []
    left = {path for path in benchmark.made.folder.rglob("*") if path.is_file()}
    assert before <= left


def test_a_run_that_failed_says_why_and_one_at_work_is_alive(tmp_path) -> None:
    made = MadeRun(layout_in(tmp_path), RUN).make()
    made.set_metadata(status="failed", error="InputError: no such channel")
    run = runs.find(made.layout, RUN)
    told = as_text(status(run))
    assert "driver gone" in told
    assert "no such channel" in told
    (made.folder / "log").mkdir()
    made.set_metadata(status="running", error=None)
    assert "it was killed" in as_text(status(run))
    with locked(made.folder / DRIVER_LOCK):
        assert "it was killed" not in as_text(status(run))
        assert status(run)["driver"] == "alive"


def test_a_mistyped_run_is_met_with_the_nearest(tmp_path) -> None:
    made = MadeRun(layout_in(tmp_path), RUN).make()
    assert runs.find(made.layout, f"run_{RUN}").id == RUN
    with pytest.raises(ConfigError, match=f"did you mean '{RUN}'"):
        runs.find(made.layout, RUN.replace("51Z", "15Z"))
    with pytest.raises(ConfigError, match="There is no run yet"):
        runs.find(layout_in(tmp_path / "empty"), "last")
