"""The largest resident memory of this process, since a moment of one's choice."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path


def reset_peak_memory() -> None:
    """Forget the peak so far; on Linux only."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_mib() -> float | None:
    """Largest resident memory (MiB) since the last reset; None where it is unknown.

    Not `getrusage`, where Linux tells: its figure of a new process begins with that of
    the process which started it.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    with suppress(ImportError):  # not on Windows
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    return None
