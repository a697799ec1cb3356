"""`kedro cyto status`: how far a run is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from cyto_kedro.cli.runs import Run
from cyto_kedro.runners.units import Spec


def status(run: Run) -> dict[str, Any]:
    """How far a run is: its record, its units by stage, its jobs in the queue."""
    record = run.metadata()
    total: Counter[str] = Counter()
    stage_of: dict[str, str] = {}
    for path in _files(run, "specs"):
        for task in Spec.read(path).tasks:
            for unit in task:
                if unit.id not in stage_of:
                    total[unit.stage] += 1
                stage_of[unit.id] = unit.stage
    done: Counter[str] = Counter()
    failed: list[dict[str, str]] = []
    for path in _files(run, "results"):
        result = json.loads(path.read_text("utf-8"))
        stage = stage_of.get(result["unit"], result["unit"].split(".")[0])
        done[stage] += result["status"] == "done"
        if result["status"] != "done":
            failed.append({"unit": result["unit"], "error": str(result["error"])})
    return {
        "run_id": run.id,
        "pipeline": record.get("pipeline"),
        "status": record.get("status"),
        "error": record.get("error"),
        "driver": "alive" if run.is_driven() else "gone",
        "folder": str(run.folder),
        "movies": {m["movie"]: m["status"] for m in record.get("movies", [])},
        "stages": {
            name: {"done": done[name], "of": max(count, done[name])}
            for name, count in (total or done).items()
        },
        "failed": failed,
        "jobs": _queue(run.jobs()),
    }


def _files(run: Run, kind: str) -> list[Path]:
    folders: list[Path] = [getattr(journal, kind) for journal in run.journals]
    return [path for folder in folders for path in sorted(folder.glob("*.json"))]


def _queue(jobs: list[str]) -> dict[str, int]:
    """Tasks of the run in SLURM by state; empty where there is nothing to ask."""
    from cyto_kedro.runners.slurm.cluster import Cluster

    cluster = Cluster()
    if not jobs or not cluster.available():
        return {}
    return dict(Counter(state.state for state in cluster.states(jobs).values()))


def as_text(facts: dict[str, Any]) -> str:
    """The status for a terminal."""
    lines = [
        f"run {facts['run_id']} of '{facts['pipeline']}': {facts['status']}, "
        f"driver {facts['driver']}",
        f"  {facts['folder']}",
    ]
    if (facts["status"], facts["driver"]) == ("running", "gone"):
        lines.append("  it was killed before it could say so")
    movies = Counter(facts["movies"].values())
    if movies:
        counted = ", ".join(f"{n} {name}" for name, n in sorted(movies.items()))
        lines.append(f"  movies: {counted}")
    for name, count in facts["stages"].items():
        lines.append(f"  {name:<40} {count['done']:>5} of {count['of']}")
    if facts["jobs"]:
        states = ", ".join(f"{n} {s.lower()}" for s, n in sorted(facts["jobs"].items()))
        lines.append(f"  SLURM tasks: {states}")
    if facts["error"] and not facts["failed"]:
        lines += [f"  {line}" for line in facts["error"].splitlines()]
    for item in facts["failed"]:
        lines.append(f"  failed: {item['unit']}: {item['error'].splitlines()[0]}")
    return "\n".join(lines)
