"""Does units in worker processes on this machine."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.processes import exit_status, stop
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import (
    FAILED,
    WARM_UP,
    Base,
    Spec,
    Unit,
    UnitResult,
    read_result,
)

_READY = "ready"
_STOP_SECONDS = 10.0

#: Command of a worker for a stage: from the worker's own command to the one to start,
#: and a name to know it by; None: this interpreter, without a container.
Wrap = Callable[[list[str], str], list[str]]


@dataclass
class _Job:
    unit: Unit
    gpu: bool
    wrap: Wrap | None


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[str]
    job: _Job | None = None
    container: str = ""

    @property
    def engine(self) -> str:
        """What was started: the name of a container engine, or of a Python."""
        return Path(self.process.args[0]).name  # type: ignore[arg-type, index]

    def end(self) -> None:
        """Kill what is left of it."""
        if self.process.poll() is None:
            _signal(self.process, signal.SIGKILL)
            self.process.wait()
        stop(self.engine, self.container)  # no child of its client
        self.hang_up()

    def hang_up(self) -> None:
        """Close the pipe to it."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()


@dataclass
class LocalBackend:
    """Up to ``n_jobs`` worker processes, each with ``threads`` threads.

    Workers stay: libraries, models and compiled kernels are loaded once in each. A unit
    that runs in a container gets a process of its own. Units of GPU nodes take turns:
    at most ``gpus`` of them at a time.
    """

    base: Base
    journal: Journal
    n_jobs: int
    threads: int
    gpus: int = 1
    wrap_of: Callable[[Stage], Wrap | None] = lambda stage: None
    python: str = sys.executable
    _waiting: deque[_Job] = field(default_factory=deque)
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _events: queue.Queue[tuple[int, str | None]] = field(default_factory=queue.Queue)
    _started: int = 0

    def holds(self) -> set[str]:
        """Nothing: workers end with their driver."""
        return set()

    def submit(self, stage: Stage, units: list[Unit]) -> None:
        """Queue the units."""
        wrap = self.wrap_of(stage)
        gpu = stage.placement.gpu
        self._waiting.extend(_Job(unit, gpu, wrap) for unit in units)
        if self.base.warm_up and wrap is None:
            self._start_together(self.gpus if gpu else self.n_jobs)
        self._hand_out()

    def poll(self) -> list[UnitResult]:
        """Wait until a unit ends."""
        while True:
            number, line = self._events.get()
            worker = self._workers.get(number)
            if worker is None or line == _READY:
                continue
            if line is not None:
                result = self._result(worker, line)
            else:
                result = self._ended(worker)
            self._hand_out()
            if result is not None:
                return [result]

    def cancel(self) -> None:
        """Stop all workers and what they started."""
        self._waiting.clear()
        for worker in self._workers.values():
            _signal(worker.process, signal.SIGTERM)
        for worker in self._workers.values():
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(_STOP_SECONDS)
            worker.end()
        self._workers.clear()

    def _start_together(self, most: int) -> None:
        """Start and warm up all workers that there is work for, and wait for them.

        Else the first would work alone while the others start.
        """
        wanted = min(most, self.n_jobs, len(self._waiting)) - len(self._workers)
        jobs = [job for job, _ in zip(self._waiting, range(wanted), strict=False)]
        cold = set()
        for job in jobs:
            worker = self._start_serving()
            _tell(worker, {WARM_UP: job.unit.as_json()})
            cold.add(worker.number)
        others = []
        while cold:
            number, line = self._events.get()
            if number not in cold:
                others.append((number, line))  # of a worker that is at work
            elif line in (WARM_UP, None):
                cold.discard(number)
                if line is None:  # it died: another takes its place when work begins
                    self._ended(self._workers[number])
        for event in others:
            self._events.put(event)

    def _hand_out(self) -> None:
        """Give waiting units to idle workers, or start workers for them."""
        for job in list(self._waiting):
            busy = [w for w in self._workers.values() if w.job is not None]
            if len(busy) >= self.n_jobs:
                return
            if job.gpu and sum(bool(w.job and w.job.gpu) for w in busy) >= self.gpus:
                continue
            self._waiting.remove(job)
            if job.wrap is not None:
                self._start_contained(job)
                continue
            idle = [w for w in self._workers.values() if w.job is None]
            worker = idle[0] if idle else self._start_serving()
            worker.job = job
            _tell(worker, job.unit.as_json())

    def _start_serving(self) -> _Worker:
        spec = self.journal.specs / "local.json"
        if not spec.exists():
            Spec(self.base, []).write(spec)
        command = [self.python, "-m", "cyto_kedro.runners.worker", str(spec)]
        command += ["--serve", "--threads", str(self.threads)]
        worker = self._launch(command, stdin=subprocess.PIPE)
        return worker

    def _start_contained(self, job: _Job) -> None:
        spec = self.journal.specs / f"{job.unit.id}.json"
        # It ends with its unit: there is nothing to warm up for.
        Spec(replace(self.base, warm_up=False), [[job.unit]]).write(spec)
        command = ["python", "-m", "cyto_kedro.runners.worker", str(spec)]
        command += ["--threads", str(self.threads)]
        name = f"cyto-{self.base.run_id}-{self._started + 1}".lower()
        wrapped = job.wrap(command, name) if job.wrap else command
        worker = self._launch(wrapped, stdin=subprocess.DEVNULL)
        worker.job, worker.container = job, name

    def _launch(self, command: list[str], stdin: int) -> _Worker:
        self._started += 1
        number = self._started
        log = self.journal.folder / f"worker_{number}.log"
        threads = str(1)  # frames are what runs side by side, not the BLAS below them
        env = os.environ | dict.fromkeys(_THREAD_POOLS, threads)
        with log.open("ab") as errors:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=env,
                start_new_session=True,  # Ctrl-C reaches the driver, which stops them
            )
        worker = _Worker(number, process)
        self._workers[number] = worker
        if process.stdout is not None:
            listener = threading.Thread(
                target=self._listen, args=(number, process.stdout), daemon=True
            )
            listener.start()
        return worker

    def _listen(self, number: int, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._events.put((number, line.strip()))
        self._events.put((number, None))

    def _result(self, worker: _Worker, line: str) -> UnitResult | None:
        if worker.job is None or worker.container or line != worker.job.unit.id:
            return None  # something that a library printed
        worker.job = None
        return read_result(self.journal.results, line)

    def _ended(self, worker: _Worker) -> UnitResult | None:
        """A worker ended: as it should (one unit in a container), or it died."""
        code = worker.process.wait()
        worker.hang_up()
        del self._workers[worker.number]
        if worker.job is None:
            return None
        unit = worker.job.unit.id
        found = read_result(self.journal.results, unit)
        if found is not None:
            return found
        log = self.journal.folder / f"worker_{worker.number}.log"
        told = exit_status(code, worker.engine).describe()
        error = f"its worker: {told}; the end of {log}:\n{tail(log)}"
        return UnitResult(unit, FAILED, error=error, job=str(worker.number))


def _tell(worker: _Worker, what: dict[str, Any]) -> None:
    stdin = worker.process.stdin
    # The end of a worker is an event of its own.
    with suppress(BrokenPipeError, ValueError):
        if stdin is not None:
            stdin.write(json.dumps(what) + "\n")
            stdin.flush()


_THREAD_POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        text = log.read_text("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(deque(text.splitlines(), maxlen=lines))


def _signal(process: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
