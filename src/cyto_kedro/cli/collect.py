"""`kedro cyto collect`: the verdict on a finished benchmark run, once more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.context import KedroContext

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW, run_folder
from cyto_kedro.datasets.references import ReferencesDataset
from cyto_kedro.methods.scaling import Rules, judge, scaling_of, timed_trials
from cyto_kedro.provenance.manifest import ACCEPTANCE, add_verdict
from cyto_kedro.provenance.run_ids import find_run
from cyto_kedro.provenance.runs import METADATA
from cyto_kedro.provenance.seal import is_sealed

#: Exit codes of the command.
CODES = {"pass": 0, "fail": 1, "not_judged": 2}


def collect(layout: Layout, wanted: str, references: Path) -> dict[str, Any]:
    """Judge a finished run again, from what its units told.

    Args:
        layout: Where runs lie.
        wanted: A run id, or ``last``.
        references: Folder of reference runs, as they are now.

    Returns:
        The new report; the one in the run folder stays as it is.

    Raises:
        ConfigError: There is no such run.
        InputError: It did not come to its tables.
    """
    run_id = find_run(layout.output_root, BENCHMARK_WORKFLOW, wanted)
    folder = run_folder(layout.output_root, BENCHMARK_WORKFLOW, run_id)
    before = _json(folder / ACCEPTANCE)
    stages = tuple(before["stages"])
    tables = {name: _tables(layout.output_root, name, run_id) for name in stages}
    units = pd.concat([pair[0] for pair in tables.values()])
    trials = pd.concat([pair[1] for pair in tables.values()])
    timed = timed_trials(trials, units)
    rules = Rules(**before["rules"])
    rules = replace(rules, expected_jobs=tuple(rules.expected_jobs))
    known = ReferencesDataset(references).load()
    report = judge(timed, scaling_of(timed), known, before["hardware"], rules, stages)
    status = _json(folder / METADATA)["status"]
    return {"run_id": run_id, "status": status, "rules": before["rules"]} | report


def references_of(context: KedroContext) -> Path:
    """Folder of reference runs, by the catalog."""
    dataset = context.catalog["benchmark_references"]
    if not isinstance(dataset, ReferencesDataset):
        raise ConfigError(
            "'benchmark_references' must be a ReferencesDataset",
            where="conf/*/catalog_benchmark.yml",
        )
    return dataset.folder


def write_report(layout: Layout, report: dict[str, Any]) -> str | None:
    """Put the new verdict beside the run's own; None, not written: it is sealed."""
    folder = run_folder(layout.output_root, BENCHMARK_WORKFLOW, report["run_id"])
    if is_sealed(folder):
        return None
    path = folder / "acceptance_report.rejudged.json"
    write_text(path, json.dumps(report, indent=2) + "\n")
    add_verdict(path)
    return str(path)


def as_text(report: dict[str, Any]) -> str:
    """A few lines for people."""
    lines = [
        f"run {report['run_id']}: {report['banded']} (strictly: {report['strict']})"
    ]
    for stage, entry in report["stages"].items():
        lines.append(f"{stage}: {entry['banded']} (strictly: {entry['strict']})")
        lines += [
            f"  {name}: {check['banded']} (strictly: {check['strict']}): "
            f"{check['reason']}"
            for name, check in entry["checks"].items()
        ]
    return "\n".join(lines)


def _tables(root: Path, stage: str, run_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = run_folder(root, f"benchmark/{stage}", run_id) / "tables"
    paths = folder / "units.parquet", folder / "trials.parquet"
    for path in paths:
        if not path.exists():
            raise InputError("The benchmark did not measure this", where=str(path))
    return pd.read_parquet(paths[0]), pd.read_parquet(paths[1])


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as exc:
        raise InputError(
            "This run has not come to its verdict",
            where=str(path),
            fix="kedro cyto status says how far it is",
        ) from exc
