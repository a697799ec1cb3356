"""When this process began, and the largest memory that it has held."""

from __future__ import annotations

import os
import sys
import time
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


def process_start() -> float:
    """When this process began, since the epoch; to hundredths of a second on Linux."""
    with suppress(OSError, AttributeError):
        # psutil adds whole seconds of the boot time, up to one second off.
        fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
        begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - begun)
    import psutil

    return float(psutil.Process().create_time())
