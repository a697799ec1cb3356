"""How many threads frame-wise work may use; results never depend on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

_workers: int | None = None


def granted_cpus() -> int:
    """CPUs this process may use: the affinity mask, capped by a SLURM allocation."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cpus = os.cpu_count() or 1
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cpus, int(slurm)) if slurm.isdigit() and int(slurm) else cpus


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
