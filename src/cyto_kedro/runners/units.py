"""Units of work: what a worker is told and tells back. Plain JSON, no pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.window import Window

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Unit:
    """Some nodes on one movie (None: experiment level), maybe only some frames."""

    stage: str
    nodes: tuple[str, ...]
    movie: str | None
    window: Window | None = None

    @property
    def id(self) -> str:
        """Name of the unit within its run: usable as a file name."""
        part = f"{self.window.start:06d}-{self.window.stop:06d}" if self.window else ""
        return ".".join(x for x in (self.stage, self.movie or "all", part) if x)

    def as_json(self) -> dict[str, Any]:
        """The unit as plain values."""
        window = [self.window.start, self.window.stop] if self.window else None
        return {
            "stage": self.stage,
            "nodes": list(self.nodes),
            "movie": self.movie,
            "window": window,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Unit:
        """The inverse of :meth:`as_json`."""
        window = values["window"]
        return cls(
            stage=values["stage"],
            nodes=tuple(values["nodes"]),
            movie=values["movie"],
            window=None if window is None else Window(*window),
        )


#: Asks a serving worker to warm up with a unit, and is its answer.
WARM_UP = "warm_up"


@dataclass(frozen=True)
class WarmUp:
    """A unit to be done without keeping anything; ``done`` is called afterwards."""

    unit: Unit
    done: Callable[[], None]


@dataclass(frozen=True)
class UnitResult:
    """How a unit ended. ``error`` is one line for people, ``trace`` the traceback.

    ``fingerprints`` maps the node of a window to what its output depends on: a result
    of other code, parameters or input is not taken for done. Times in seconds.
    """

    unit: str
    status: str
    error: str | None = None
    trace: str | None = None
    node: str | None = None
    fingerprints: dict[str, str] = field(default_factory=dict)
    times: list[dict[str, Any]] = field(default_factory=list)
    host: str | None = None
    job: str | None = None
    started: float | None = None
    ended: float | None = None
    startup_s: float | None = None
    cpu_s: float | None = None
    peak_memory_mib: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    threads: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the unit is done."""
        return self.status == DONE


@dataclass(frozen=True)
class Base:
    """What all units of a run share: enough to open the session that does them.

    ``warm_up``: a worker first does a part of a unit unmeasured, so that libraries,
    models and compiled code are loaded.
    """

    project: str
    conf_source: str
    env: str | None
    runtime_params: dict[str, Any]
    pipeline_names: list[str]
    workflow: str
    run_id: str
    results: str
    environment: dict[str, str] = field(default_factory=dict)
    warm_up: bool = False


@dataclass(frozen=True)
class Spec:
    """A batch: ``tasks[i]`` are the units of array task ``i``."""

    base: Base
    tasks: list[list[Unit]]

    def write(self, path: Path) -> None:
        """Write the batch for its workers."""
        tasks = [[unit.as_json() for unit in task] for task in self.tasks]
        text = json.dumps({"base": asdict(self.base), "tasks": tasks}, indent=1)
        write_text(path, text + "\n")

    @classmethod
    def read(cls, path: Path) -> Spec:
        """Read a batch."""
        values = json.loads(path.read_text("utf-8"))
        tasks = [[Unit.from_json(unit) for unit in task] for task in values["tasks"]]
        return cls(Base(**values["base"]), tasks)


def write_result(folder: Path, result: UnitResult) -> None:
    """Leave the result where the driver looks for it, whole or not at all."""
    text = json.dumps(asdict(result), indent=1, default=str)
    write_text(folder / f"{result.unit}.json", text + "\n")


def read_result(folder: Path, unit: str) -> UnitResult | None:
    """The result of a unit; None while there is none."""
    try:
        return UnitResult(**json.loads((folder / f"{unit}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def drop_results(folder: Path, units: Iterable[Unit]) -> None:
    """Forget earlier results of units that are about to run again."""
    for unit in units:
        (folder / f"{unit.id}.json").unlink(missing_ok=True)
