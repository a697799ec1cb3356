"""Which workflow, run and movie the catalog's path tokens stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN_ID = re.compile(r"^\d{8}T\d{6}Z$")
_TOKEN = re.compile(r"<(dataset|movie|workflow|run|benchmark_run)>")
NO_RUN = "run_none"
#: The benchmark's stages have folders of their own beside that of the whole.
BENCHMARK_WORKFLOW = "benchmark/master"
#: Folder of the scratch root where the benchmark's trials keep what they computed.
BENCHMARK_TRIALS = "benchmark_trials"


@dataclass(frozen=True)
class Scope:
    """Values of the tokens in catalog paths.

    They are ``<dataset> <movie> <workflow> <run> <benchmark_run>``.

    Args:
        benchmark_id: Run of the benchmark, where that is not ``run_id``: outside a
            run, catalogs show the latest of each. Empty: there is none.
    """

    workflow: str
    run_id: str | None = None
    dataset: str = "none"
    movie: str = "none"
    benchmark_id: str | None = None

    @property
    def run(self) -> str:
        """Folder name of the run."""
        return f"run_{self.run_id}" if self.run_id else NO_RUN

    @property
    def benchmark_run(self) -> str:
        """Folder name of the benchmark's run."""
        run_id = self.run_id if self.benchmark_id is None else self.benchmark_id
        return f"run_{run_id}" if run_id else NO_RUN

    def fill(self, value: Any) -> Any:
        """Replace tokens in every string of a nested configuration."""
        if isinstance(value, str):
            return _TOKEN.sub(lambda match: str(getattr(self, match[1])), value)
        if isinstance(value, Mapping):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return value


def run_folder(output_root: Path, workflow: str, run_id: str) -> Path:
    """``<output_root>/<workflow>/run_<id>``."""
    return Path(output_root) / workflow / f"run_{run_id}"


def latest_complete_run(output_root: Path, workflow: str) -> str | None:
    """Id of the newest run of a workflow that completed with all nodes and movies."""
    folder = Path(output_root) / workflow
    for run in sorted(folder.glob("run_*"), reverse=True):
        try:
            record = json.loads((run / "run_metadata.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue  # interrupted before it wrote anything readable
        whole = record.get("status") == "completed" and not record.get("partial")
        if whole and RUN_ID.match(run.name[4:]):
            return run.name[4:]
    return None
