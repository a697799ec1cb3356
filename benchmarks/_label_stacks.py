"""Label frames with round cells, and a sampler of the memory that a call takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil


def cells(n: int, size: int, cover: float, seed: int) -> np.ndarray:
    """(size, size) uint32 labels of about ``n`` cells that cover part of the frame."""
    rng = np.random.default_rng(seed)
    typical = np.sqrt(cover * size * size / n / np.pi)
    labels = np.zeros((size, size), np.uint32)
    for k in range(n):
        (cy, cx), radius = rng.uniform(0, size, 2), typical * rng.uniform(0.8, 1.3)
        top, left = (int(max(0, c - radius)) for c in (cy, cx))
        bottom, right = (int(min(size, c + radius + 2)) for c in (cy, cx))
        y, x = np.ogrid[top:bottom, left:right]
        crop = labels[top:bottom, left:right]
        crop[((y - cy) ** 2 + (x - cx) ** 2 <= radius**2) & (crop == 0)] = k + 1
    return labels


def interleaved(
    jobs: dict[str, Callable[[], Any]], repeats: int
) -> dict[str, tuple[float, float]]:
    """Median CPU seconds and most extra resident MiB of each job, taken in turns."""
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    peak = dict.fromkeys(jobs, 0.0)
    for job in jobs.values():
        job()  # compiled and warm
    for _ in range(repeats):
        for name, job in jobs.items():
            started = time.process_time()
            job()
            spent[name].append(time.process_time() - started)
    for name, job in jobs.items():
        peak[name] = _extra_mib(job)
    return {name: (float(np.median(spent[name])), peak[name]) for name in jobs}


def _extra_mib(job: Callable[[], Any]) -> float:
    process, done, seen = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not done.is_set():
            seen.append(process.memory_info().rss - before)
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    job()
    done.set()
    watcher.join()
    return max(seen) / 2**20
