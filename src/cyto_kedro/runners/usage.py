"""What a unit of work used: wall and CPU time, memory, bytes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


class Meter:
    """Measures from its creation to :meth:`read`, for this process and its children."""

    _first = True

    def __init__(self) -> None:
        self._started, self._cpu, self._bytes = time.time(), _cpu_seconds(), _io_bytes()

    def read(self) -> dict[str, Any]:
        """Values for a ``UnitResult``; the first unit also tells the start-up."""
        startup = self._started - _process_start() if Meter._first else None
        Meter._first = False
        read, written = (
            None if now is None or before is None else now - before
            for now, before in zip(_io_bytes(), self._bytes, strict=True)
        )
        return {
            "started": self._started,
            "ended": time.time(),
            "startup_s": startup,
            "cpu_s": round(_cpu_seconds() - self._cpu, 3),
            "peak_memory_mib": _peak_memory_mib(),
            "read_bytes": read,
            "written_bytes": written,
        }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _process_start() -> float:
    import psutil

    return float(psutil.Process().create_time())


def _peak_memory_mib() -> float | None:
    # Not on Windows.
    with suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return None


def _io_bytes() -> tuple[int | None, int | None]:
    """Bytes passed through read and write calls of this process; Linux only."""
    with suppress(OSError):
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
        values = dict(line.split(": ") for line in lines)
        return int(values["rchar"]), int(values["wchar"])
    return None, None
