"""Runs a command that may be a container, and says how it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO

#: Engines whose containers are children of a daemon or monitor, not of the command.
DETACHED = frozenset({"docker", "podman"})
# Exit codes by which an engine says that it could not start the command: refused by
# the engine, command not executable, command not found, Apptainer's only code.
_LAUNCHER = frozenset({125, 126, 127, 255})
_LAST_SIGNAL = 64
_LOOK = 0.1


@dataclass(frozen=True)
class ExitStatus:
    """How a command ended.

    Args:
        code: The task's own exit code, or that of the launcher; None after a signal.
        signal: The signal that ended the task.
        launcher: The container did not start: trying again does not help.
    """

    code: int | None = None
    signal: int | None = None
    launcher: bool = False

    @property
    def ok(self) -> bool:
        """Whether the task ended well."""
        return self.code == 0

    def describe(self) -> str:
        """One line for people."""
        if self.signal is not None:
            name = signal.strsignal(self.signal) or "unknown"
            memory = ", most likely for lack of memory" if self.signal == 9 else ""
            return f"ended by signal {self.signal} ({name}){memory}"
        if self.launcher:
            return f"the container did not start (exit code {self.code})"
        return f"exit code {self.code}"


def exit_status(returncode: int, engine: str) -> ExitStatus:
    """What a return code means, the same for every engine.

    Python reports a signalled child as ``-n``; shells, Docker and Podman give
    ``128 + n``; Apptainer really dies by its task's signal. A code that an engine also
    uses for its own failures (125, 126, 127, 255) is taken for the engine's.

    Args:
        returncode: As :class:`subprocess.Popen` gives it.
        engine: Engine of the container, or ``bare``.
    """
    if returncode < 0:
        return ExitStatus(signal=-returncode)
    if engine != "bare" and returncode in _LAUNCHER:
        return ExitStatus(code=returncode, launcher=True)
    if 128 < returncode <= 128 + _LAST_SIGNAL:
        return ExitStatus(signal=returncode - 128)
    return ExitStatus(code=returncode)


def container_name(name: str) -> str:
    """A name that engines accept: letters, digits and ``_.-``."""
    return re.sub(r"[^a-zA-Z0-9_.-]", "-", name).lstrip("_.-") or "cyto"


def run(
    command: list[str],
    *,
    engine: str = "bare",
    name: str = "",
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    timeout: float | None = None,
    grace: float = 10.0,
) -> ExitStatus:
    """Run a command to its end and leave nothing behind, however it ends.

    SIGTERM and SIGINT are passed on; once the container is gone this process gets the
    signal as if it had not been caught here (Ctrl-C raises ``KeyboardInterrupt``).

    Args:
        command: As :func:`cyto_kedro.runners.containers.command` makes it.
        engine: Engine of the container, or ``bare``.
        name: Name of the container.
        stdout: For :class:`subprocess.Popen`.
        stderr: For :class:`subprocess.Popen`.
        timeout: Stop the command after this time (s).
        grace: Time between the request to end and the kill (s).

    Raises:
        subprocess.TimeoutExpired: The command was stopped after ``timeout``.
    """
    with _caught() as caught:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # one signal reaches all that it starts
        )
        try:
            _wait(process, caught, timeout)
        finally:
            if process.poll() is None:
                end(process, caught[0] if caught else signal.SIGTERM, grace)
                stop(engine, name)
    if caught:
        signal.raise_signal(caught[0])
    return exit_status(process.returncode, engine)


def end(process: subprocess.Popen, number: int, grace: float) -> None:
    """Ask a process group to end, and kill it where it does not.

    Args:
        process: Leader of its group.
        number: Signal to ask with.
        grace: Time that it has (s).
    """
    _signal(process, number)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def stop(engine: str, name: str) -> None:
    """Kill a container whose client is gone; nothing happens if it is gone too.

    Only engines that run containers under a daemon or a monitor need it.
    """
    if engine in DETACHED and name:
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [engine, "kill", container_name(name)],
                capture_output=True,
                check=False,
                timeout=30,
            )


def _wait(process: subprocess.Popen, caught: list[int], timeout: float | None) -> None:
    waited = 0.0
    while not caught:
        try:
            process.wait(_LOOK)
            return
        except subprocess.TimeoutExpired:
            waited += _LOOK
            if timeout is not None and waited >= timeout:
                raise subprocess.TimeoutExpired(process.args, timeout) from None


@contextmanager
def _caught() -> Iterator[list[int]]:
    """Signals that arrived meanwhile; only the main thread may catch them."""
    arrived: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield arrived
        return

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    before = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal(process: subprocess.Popen, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
