"""Peak memory of a command: summed proportional set sizes of its process tree."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil


def tree_pss(pid: int) -> int:
    """PSS (bytes) of a process and all its children; 0 when it is gone."""
    try:
        root = psutil.Process(pid)
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in members:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def run_and_watch(
    command: list[str], cwd: Path, interval_s: float = 0.1
) -> tuple[int, float, int]:
    """Run a command; return its exit code, wall seconds and peak PSS in bytes."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd)
    peak = 0
    while process.poll() is None:
        peak = max(peak, tree_pss(process.pid))
        time.sleep(interval_s)
    return process.returncode, time.perf_counter() - started, peak
