"""What a person at the terminal sees of a run on many workers."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cyto_kedro.runners.scheduler import Scheduler

logger = logging.getLogger(__name__)

# Without a terminal, one line at most this often (s).
_LINE_SECONDS = 30.0


@contextmanager
def progress(
    facts: Callable[[], str] = lambda: "",
) -> Iterator[Callable[[Scheduler], None]]:
    """A function that shows how far a scheduler is: a live table, or lines in a log.

    Args:
        facts: One line about the backend, such as the states of its jobs.
    """
    if not sys.stderr.isatty():
        yield _Lines(facts)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=2, transient=False) as live:
        yield lambda scheduler: live.update(_table(scheduler, facts()))


class _Lines:
    """Log lines, when something changed and not too often."""

    def __init__(self, facts: Callable[[], str]) -> None:
        self._facts, self._said, self._when = facts, "", 0.0

    def __call__(self, scheduler: Scheduler) -> None:
        done = sum(scheduler.done_units.values())
        total = sum(scheduler.total_units.values())
        waiting = scheduler.waiting_stages()
        line = f"{done} of {total} units done, {waiting} stages to come"
        facts = self._facts()
        line += f"; {facts}" if facts else ""
        if line != self._said and time.monotonic() - self._when > _LINE_SECONDS:
            logger.info(line)
            self._said, self._when = line, time.monotonic()


def _table(scheduler: Scheduler, facts: str) -> Any:
    from rich.table import Table

    table = Table(title=facts or None, title_justify="left", box=None, pad_edge=False)
    for name in ("stage", "done", "of", ""):
        table.add_column(name, justify="right" if name in ("done", "of") else "left")
    for stage in scheduler.stages:
        total = scheduler.total_units.get(stage.name)
        if total is None:
            continue
        done = scheduler.done_units.get(stage.name, 0)
        bar = "█" * round(20 * done / total) if total else ""
        table.add_row(stage.name, str(done), str(total), bar)
    if waiting := scheduler.waiting_stages():
        table.add_row(f"{waiting} stages to come", "", "", "")
    for movie in scheduler.failed:
        table.add_row(f"[red]movie {movie} failed[/red]", "", "", "")
    return table
