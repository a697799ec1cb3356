"""How many threads frame-wise work may use; results never depend on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

CGROUPS = Path("/sys/fs/cgroup")

_workers: int | None = None


def granted_cpus() -> int:
    """CPUs this process may use.

    The affinity mask, capped by a container's quota and by a SLURM allocation.
    """
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cpus = os.cpu_count() or 1
    cpus = max(1, int(min(cpus, _quota())))
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cpus, int(slurm)) if slurm.isdigit() and int(slurm) else cpus


@cache
def _quota() -> float:
    """CPUs that the control group of this process grants, as of `docker --cpus`."""
    try:
        return cpu_quota(Path("/proc/self/cgroup").read_text("ascii"), CGROUPS)
    except OSError:  # not on macOS and Windows
        return float("inf")


def cpu_quota(own: str, root: Path) -> float:
    """The least quota of a control group and of those above it; infinite without one.

    Args:
        own: Content of `/proc/self/cgroup`.
        root: Where control groups are mounted.
    """
    least = float("inf")
    for line in own.splitlines():
        number, controllers, path = line.split(":", 2)
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        mount = root if number == "0" else root / "cpu"
        # In a container the path may be one of the host: what is not there is skipped.
        for part in (*_parents(path), ""):
            folder = mount / part
            quota = _ratio(folder / "cpu.max")
            if number != "0":
                quota = _ratio(
                    folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"
                )
            least = min(least, quota)
    return least


def _parents(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _ratio(*files: Path) -> float:
    """Quota over period (us), from one file or two; infinite: none is set."""
    try:
        words = " ".join(file.read_text("ascii") for file in files).split()
        quota, period = words[:2]
        limited = quota != "max" and int(quota) > 0
        return int(quota) / int(period) if limited else float("inf")
    except (OSError, ValueError):
        return float("inf")


def workers() -> int:
    """Threads for frame-wise work: what a runner set, else all granted CPUs."""
    return _workers or granted_cpus()


def set_workers(count: int | None) -> None:
    """Limit frame-wise work to ``count`` threads; ``None`` takes all granted."""
    global _workers
    if count is not None and count < 1:
        raise ValueError("the number of workers must be at least 1")
    _workers = count


def side_by_side(function: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Apply a function that reads files to each item, side by side, in order."""
    todo = list(items)
    with ThreadPoolExecutor(workers()) as pool:
        return list(pool.map(function, todo))
