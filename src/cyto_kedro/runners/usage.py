"""What a unit of work used: wall and CPU time, memory, bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cyto_kedro.core.process import (
    peak_memory_mib,
    process_start,
    reset_peak_memory,
)


class Meter:
    """Measures from its creation to :meth:`read`.

    CPU time includes that of ended children; memory and bytes are of this process.
    """

    _first = True

    def __init__(self) -> None:
        reset_peak_memory()
        self._started, self._cpu, self._bytes = time.time(), _cpu_seconds(), _io_bytes()

    def read(self, peaks: Iterable[float | None] = ()) -> dict[str, Any]:
        """Values for a ``UnitResult``; the first unit also tells the start-up.

        Args:
            peaks: Peaks (MiB) read on the way by whoever reset them there.
        """
        startup = self._started - process_start() if Meter._first else None
        Meter._first = False
        read, written = (
            None if now is None or before is None else now - before
            for now, before in zip(_io_bytes(), self._bytes, strict=True)
        )
        known = [peak for peak in (peak_memory_mib(), *peaks) if peak is not None]
        return {
            "started": self._started,
            "ended": time.time(),
            "startup_s": startup,
            "cpu_s": round(_cpu_seconds() - self._cpu, 3),
            "peak_memory_mib": max(known, default=None),
            "read_bytes": read,
            "written_bytes": written,
        }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _io_bytes() -> tuple[int | None, int | None]:
    """Bytes passed through read and write calls of this process; Linux only."""
    with suppress(OSError):
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
        values = dict(line.split(": ") for line in lines)
        return int(values["rchar"]), int(values["wchar"])
    return None, None
