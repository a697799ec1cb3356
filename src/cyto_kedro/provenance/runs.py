"""The record of a run: its id, and `run_metadata.json` in its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import MoviesFailed, StorageError
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.process import process_start
from cyto_kedro.core.scope import run_folder
from cyto_kedro.provenance import environment
from cyto_kedro.provenance.seal import refuse_if_sealed

METADATA = "run_metadata.json"
#: Held by the one driver of a run with jobs; below the run's folder.
DRIVER_LOCK = "log/.driver.lock"
LOCK = ".lock"


def now() -> str:
    """UTC time in ISO format with seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reserve_run(output_root: Path, workflow: str) -> str:
    """Issue a run id ``YYYYMMDDTHHMMSSZ`` by creating its folder; wait on a clash.

    Raises:
        StorageError: The output root cannot be written.
    """
    while True:
        run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = run_folder(output_root, workflow, run_id)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            time.sleep(0.2)  # another run took this second
        except OSError as exc:
            raise StorageError(
                f"Cannot create the folder of this run: {exc.strerror}",
                where=str(folder),
                fix="set output_root in conf/local/globals.yml to a folder that you "
                "may write",
            ) from exc
        else:
            return run_id


def read_metadata(folder: Path) -> dict[str, Any]:
    """`run_metadata.json` of a run folder; empty if absent or unreadable."""
    try:
        found = json.loads((folder / METADATA).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass
class NodeTimes:
    """Where the seconds of one node on one movie went, and what it computed on."""

    movie: str | None
    node: str
    load_s: float = 0.0
    compute_s: float = 0.0
    save_s: float = 0.0
    peak_memory_mib: float | None = None
    completed: bool = False
    device: str | None = None
    libraries: dict[str, str] = field(default_factory=dict)

    def plus(self, other: NodeTimes) -> NodeTimes:
        """Both together: seconds add up, of the peaks the higher counts."""
        peaks = [p for p in (self.peak_memory_mib, other.peak_memory_mib) if p]
        return NodeTimes(
            movie=self.movie,
            node=self.node,
            load_s=self.load_s + other.load_s,
            compute_s=self.compute_s + other.compute_s,
            save_s=self.save_s + other.save_s,
            peak_memory_mib=max(peaks, default=None),
            completed=self.completed and other.completed,
            device=_both(self.device, other.device),
            libraries={
                name: _both(self.libraries.get(name), other.libraries.get(name)) or ""
                for name in self.libraries | other.libraries
            },
        )

    @property
    def total_s(self) -> float:
        """Load, compute and save together."""
        return self.load_s + self.compute_s + self.save_s


@dataclass
class RunRecord:
    """What `run_metadata.json` says; written at start, after each movie and at the end.

    ``status`` is running, completed, failed or interrupted; ``partial`` says that only
    some nodes or movies were asked for. ``frames`` maps movies to their analysed number
    of frames. ``shared`` says that several processes work on the run, ``silent`` that
    this one writes no metadata (worker, dry run); ``facts`` is what the runner adds.
    """

    layout: Layout
    workflow: str
    run_id: str
    project: Path
    status: str = "running"
    error: str | None = None
    started_at: str = field(default_factory=now)
    completed_at: str | None = None
    env: str | None = None
    partial: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    movies: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    nodes: dict[tuple[str | None, str], NodeTimes] = field(default_factory=dict)
    current: NodeTimes | None = None
    startup_s: float | None = None
    shared: bool = False
    silent: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    _clock: float = field(default_factory=time.perf_counter)

    @property
    def folder(self) -> Path:
        """The run's folder below the output root."""
        return run_folder(self.layout.output_root, self.workflow, self.run_id)

    def begin_pipeline(self) -> None:
        """Start-up and imports end here; the seconds of the run begin."""
        self.startup_s = time.time() - process_start()
        self._clock = time.perf_counter()
        self.write()

    def scratch_folder(self, movie: Movie) -> Path:
        """Scratch folder of one movie for this workflow."""
        return self.layout.scratch_root / movie.dataset / movie.id / self.workflow

    def scratch_lock(self, movie: Movie) -> Path:
        """Lock file that protects the scratch folder of one movie."""
        return self.scratch_folder(movie) / LOCK

    def begin_movie(self, movie: str) -> None:
        """The nodes of a movie start."""
        self.current = None
        self.movies[movie] = {"status": "running", "started_at": now()}

    def skipped(self, movie: str, nodes: Iterable[str]) -> None:
        """These nodes were up to date."""
        self.movies[movie]["up_to_date"] = sorted(nodes)

    def end_movie(self, movie: str, error: Exception | None) -> str:
        """Close a movie; return where it failed and why, in one line or a few."""
        entry = self.movies[movie]
        entry["status"] = "failed" if error else "completed"
        entry["completed_at"] = now()
        why = ""
        if error is not None:
            node = self.current.node if self.current else None
            entry["node"] = node
            why = f"in node {node}: {error}" if node else str(error)
            entry["error"] = why
        self.write()
        return why

    def times(self, movie: str | None, node: str) -> NodeTimes:
        """The entry of a node, which becomes the current one."""
        self.current = self.nodes.setdefault((movie, node), NodeTimes(movie, node))
        return self.current

    def note(self, key: str, value: Any) -> None:
        """Add a fact about how the run was executed, such as its jobs."""
        self.facts[key] = value

    def collected(self) -> list[dict[str, Any]]:
        """What was measured since the last call, for :meth:`merge` elsewhere."""
        entries = [
            asdict(times) | {"frames": self.frames.get(times.movie or "")}
            for times in self.nodes.values()
        ]
        self.nodes.clear()
        self.current = None
        return entries

    def merge(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add what workers measured; windows of one node are summed up."""
        for entry in entries:
            values = dict(entry)
            frames = values.pop("frames")
            if frames is not None and values["movie"]:
                self.frames[values["movie"]] = frames
            new = NodeTimes(**values)
            key = (new.movie, new.node)
            old = self.nodes.get(key)
            self.nodes[key] = new if old is None else old.plus(new)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Write the final status also where Kedro calls no hook.

        Those are wrong parameters, a refusal before the first node, and Ctrl-C.
        """
        refuse_if_sealed(self.folder)
        self.write()
        try:
            yield
        except BaseException as exc:
            if self.status == "running":  # no hook saw the end
                by_user = isinstance(exc, KeyboardInterrupt | SystemExit)
                status = "interrupted" if by_user else "failed"
                self.close(getattr(exc, "status", status), exc)
            raise

    def close(self, status: str, error: BaseException | None = None) -> None:
        """Set the final status."""
        self.status, self.completed_at = status, now()
        if error is not None:
            self.error = f"{type(error).__name__}: {error}"
            if not isinstance(error, MoviesFailed) and self.current:
                self.error += f" (last node: {self.current.node})"
        for entry in self.movies.values():
            if entry["status"] == "running":
                entry["status"] = status
        self.write()

    def write(self) -> None:
        """Write `run_metadata.json` atomically."""
        if self.silent:
            return
        text = json.dumps(self.as_dict(), indent=2, default=str)
        write_text(self.folder / METADATA, text + "\n")

    def as_dict(self) -> dict[str, Any]:
        """The content of `run_metadata.json`; secrets are blanked."""
        sha, dirty = environment.git_state(self.project)
        return {
            "run_id": self.run_id,
            "pipeline": self.workflow,
            "dataset": self.layout.dataset,
            "movies": [{"movie": k} | v for k, v in self.movies.items()],
            "total_frames": sum(self.frames.values()),
            "status": self.status,
            "partial": self.partial,
            "error": environment.without_secrets(self.error),
            "started_at": self.started_at,
            "completed_at": self.completed_at,
            "git_sha": sha,
            "git_dirty": dirty,
            "env": self.env,
            "command": environment.command_line(),
            "host": environment.host_facts(),
            "packages": environment.package_versions(),
            **self.facts,
            "seconds": self._seconds(),
            "nodes": [_rounded(times) for times in self.nodes.values()],
            "globals": environment.without_secrets(self.layout.model_dump(mode="json")),
            "parameters": environment.without_secrets(self.parameters),
        }

    def _seconds(self) -> dict[str, float | None]:
        wall = time.perf_counter() - self._clock
        in_nodes = sum(times.total_s for times in self.nodes.values())
        return {
            "startup": None if self.startup_s is None else round(self.startup_s, 3),
            "wall": round(wall, 3),
            "nodes": round(in_nodes, 3),
            # Side by side, nodes take more seconds than the clock shows.
            "framework": None if self.shared else round(max(wall - in_nodes, 0.0), 3),
        }


def _rounded(times: NodeTimes) -> dict[str, Any]:
    values: dict[str, Any] = {"movie": times.movie, "node": times.node}
    values["completed"] = times.completed
    for name in ("load_s", "compute_s", "save_s", "peak_memory_mib"):
        value = getattr(times, name)
        values[name] = None if value is None else round(value, 4)
    if times.libraries:  # of learned methods only
        values |= {"device": times.device, "libraries": times.libraries}
    return values


def _both(first: str | None, second: str | None) -> str | None:
    """What two workers had; both where they differ."""
    told = {part for text in (first, second) if text for part in text.split(" and ")}
    return " and ".join(sorted(told)) or None
