"""The journal of a run's jobs; it survives the driver, purged jobs, no accounting."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text


@dataclass(frozen=True)
class Journal:
    """Folder ``<run>/log``: one line per event, one file per finished unit.

    A line is written before a batch is submitted and another after it, so that a driver
    that died in between is noticed and its jobs are found by name.
    """

    folder: Path

    @property
    def results(self) -> Path:
        """One JSON file per finished unit."""
        return self.folder / "units"

    @property
    def specs(self) -> Path:
        """What the workers of each batch were told."""
        return self.folder / "batches"

    @property
    def lock(self) -> Path:
        """Held by the one driver of the run."""
        return self.folder / ".driver.lock"

    @property
    def header(self) -> Path:
        """How the run was started: enough to resume it."""
        return self.folder / "run.json"

    def open(self) -> None:
        """Create the folders."""
        for folder in (self.folder, self.results, self.specs):
            folder.mkdir(parents=True, exist_ok=True)

    def write_header(self, values: dict[str, Any]) -> None:
        """Note how the run was started."""
        write_text(self.header, json.dumps(values, indent=1, default=str) + "\n")

    def read_header(self) -> dict[str, Any]:
        """How the run was started; empty if it had no jobs."""
        try:
            return dict(json.loads(self.header.read_text("utf-8")))
        except (OSError, ValueError):
            return {}

    def add(self, event: str, **facts: Any) -> None:
        """Append one event, on disk before this returns."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts})
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as out:
            out.write(line + "\n")
            out.flush()
            os.fsync(out.fileno())

    def events(self) -> list[dict[str, Any]]:
        """All events; the line that a killed driver left unfinished is dropped."""
        try:
            text = (self.folder / "journal.jsonl").read_text("utf-8")
        except OSError:
            return []
        found = []
        for line in text.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def jobs(self) -> list[str]:
        """Ids of all jobs that this run submitted."""
        return [e["job"] for e in self.events() if e["event"] == "submitted"]
