"""Old logs of the benchmark go; its tables and verdicts stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import is_locked
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW
from cyto_kedro.lifecycle.scratch import empty, folders_in, usage_of
from cyto_kedro.provenance.run_ids import run_ids
from cyto_kedro.provenance.runs import DRIVER_LOCK
from cyto_kedro.provenance.seal import is_sealed

LOG = "log"


@dataclass(frozen=True)
class OldLog:
    """The logs of one stage of an old run."""

    run: str
    parts: tuple[str, ...]
    files: int
    size_bytes: int


def old_logs(layout: Layout, keep: int = 3) -> list[OldLog]:
    """Logs of all but the newest runs of the benchmark.

    Logs of runs that are at work or sealed are left alone.

    Args:
        layout: The roots.
        keep: Number of the newest runs whose logs stay.
    """
    if keep < 0:
        raise ValueError("the number of runs to keep is at least 0")
    runs = run_ids(layout.output_root, BENCHMARK_WORKFLOW)
    return [
        log for run in runs[: max(0, len(runs) - keep)] for log in _logs(layout, run)
    ]


def delete(layout: Layout, log: OldLog) -> None:
    """Delete the logs of one stage of one run; links are not followed."""
    empty(layout.output_root, log.parts, keep=())


def _logs(layout: Layout, run: str) -> Iterator[OldLog]:
    root = layout.output_root
    top = BENCHMARK_WORKFLOW.partition("/")[0]
    name = f"run_{run}"
    master = root / BENCHMARK_WORKFLOW / name
    if is_locked(master / DRIVER_LOCK):
        return
    for stage in folders_in(root, (top,)):
        if name not in folders_in(root, (top, stage)):
            continue
        folder = root / top / stage / name
        if is_sealed(folder) or is_locked(folder / DRIVER_LOCK):
            continue
        if LOG in folders_in(root, (top, stage, name)):
            parts = (top, stage, name, LOG)
            files, size = usage_of(root, parts)
            if files:
                yield OldLog(run, parts, files, size)
