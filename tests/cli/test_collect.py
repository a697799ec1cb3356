"""`kedro cyto collect`: a finished benchmark run, judged again."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cyto_kedro.cli import collect as judging
from cyto_kedro.cli import project
from cyto_kedro.cli.run_commands import collect
from cyto_kedro.core.scaling import TRIALS, UNITS
from cyto_kedro.provenance.seal import seal
from made_runs import MadeRun, layout_in

RUN = "20260315T111551Z"
HARDWARE = {"processor": "X", "cpus": 8}
#: Net seconds of the one stage by N; two repetitions, one 2 % slower.
SECONDS = {1: 10.0, 2: 5.5}
REPORT = "acceptance_report.json"
AGAIN = "acceptance_report.rejudged.json"


def write_tables(folder: Path) -> None:
    """What the units of a stage told."""
    units, trials = [], []
    for n_jobs, seconds in SECONDS.items():
        for replicate in (1, 2):
            key = {"stage": "contact", "n_jobs": n_jobs, "replicate": replicate}
            took = seconds * (1 + 0.02 * (replicate - 1))
            for number in range(n_jobs):
                times = {"submitted_s": 0.0, "started_s": 3.0, "ended_s": 3.0 + took}
                about = {"phase": 0, "unit": f"contact.m{number}", "status": "done"}
                units.append({**key, **about, "frames": 40, **times})
            trials.append(
                {
                    **key,
                    "method": "contacts: edge",
                    "backend": "local",
                    "gpu": False,
                    "movies": 2,
                    "total_frames": 80,
                    "widest_phase": 2,
                    "granted": 8,
                    "outputs_expected": 4,
                    "outputs_found": 4,
                    "results_sha256": "same",
                }
            )
    folder.mkdir(parents=True)
    for spec, rows, name in ((UNITS, units, "units"), (TRIALS, trials, "trials")):
        table = pd.DataFrame(rows).reindex(columns=list(spec.columns))
        spec.conform(table).to_parquet(folder / f"{name}.parquet")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeRun:
    """A finished benchmark run of one stage, and a command line that finds it."""
    made = MadeRun(layout_in(tmp_path), RUN, "benchmark/master").make()
    stage = made.layout.output_root / "benchmark" / "contact" / f"run_{RUN}"
    write_tables(stage / "tables")
    rules = {"cpu_tolerance": 0.2, "gpu_tolerance": 0.3, "confidence": 0.95}
    rules["expected_jobs"] = list(SECONDS)
    report = {"rules": rules, "hardware": HARDWARE, "stages": {"contact": {}}}
    (made.folder / REPORT).write_text(json.dumps(report))
    (tmp_path / "references").mkdir()
    opened = SimpleNamespace(), SimpleNamespace(layout=made.layout)
    monkeypatch.setattr(project, "open_context", lambda metadata, env: opened)
    return made


def refer(run: MadeRun, factor: float) -> None:
    """A reference run that took ``factor`` times as long."""
    stage: dict[str, Any] = {
        "method": "contacts: edge",
        "backend": "local",
        "device": None,
        "total_frames": 80,
        "net_s": {str(n): factor * seconds for n, seconds in SECONDS.items()},
    }
    path = run.layout.data_root.parent / "references" / "quiet_day.json"
    content = {"run_id": RUN, "hardware": HARDWARE, "stages": {"contact": stage}}
    path.write_text(json.dumps(content))


def call(run: MadeRun, *words: str) -> Result:
    folder = str(run.layout.data_root.parent / "references")
    return CliRunner().invoke(
        collect, ["--references", folder, *words], catch_exceptions=False
    )


@pytest.mark.parametrize(
    ("factor", "code", "verdict"),
    [(1.0, 0, "pass"), (2.0, 1, "fail"), (0.5, 1, "fail"), (None, 2, "not_judged")],
)
def test_the_exit_code_tells_pass_fail_and_not_judged_apart(
    run, factor, code, verdict
) -> None:
    if factor is not None:
        refer(run, factor)
    done = call(run, "--validate", "--json")
    assert done.exit_code == code
    report = json.loads(done.stdout)
    assert report["verdict"] == verdict
    check = report["stages"]["contact"]["checks"]["wall_time"]
    assert check["banded"] == verdict
    assert call(run, "--json").exit_code == 0  # only --validate judges by exit code


def test_the_new_verdict_lies_beside_the_old_one(run) -> None:
    before = (run.folder / REPORT).read_bytes()
    refer(run, 1.0)
    done = call(run, "--run-id", RUN)
    assert "contact: pass" in done.output
    assert "against reference 'quiet_day', within 20%" in done.output
    assert (run.folder / REPORT).read_bytes() == before
    assert json.loads((run.folder / AGAIN).read_text())["verdict"] == "pass"
    manifest = json.loads((run.folder / "provenance_manifest.json").read_text())
    last = manifest["verdicts"][-1]
    assert (last["report"], last["verdict"]) == (AGAIN, "pass")
    assert last["references"] == ["quiet_day"]
    call(run)
    manifest = json.loads((run.folder / "provenance_manifest.json").read_text())
    assert [v["report"] for v in manifest["verdicts"]].count(AGAIN) == 1


def test_of_a_sealed_run_nothing_is_changed(run) -> None:
    seal(run.folder, RUN, "2026-01-01T00:00:00Z")
    before = {path: path.read_bytes() for path in run.folder.rglob("*.json")}
    done = call(run)
    assert "not written: run" in done.output
    assert {path: path.read_bytes() for path in run.folder.rglob("*.json")} == before
    assert json.loads(call(run, "--json").stdout)["written"] is None


def test_a_run_without_a_verdict_is_told_so(run) -> None:
    (run.folder / REPORT).unlink()
    with pytest.raises(judging.InputError, match="has not come to its verdict"):
        call(run)
