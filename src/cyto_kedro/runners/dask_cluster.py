"""Does units on a Dask cluster of this machine, for its dashboard and memory limits."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.stages import Stage
from cyto_kedro.runners.units import FAILED, Base, Unit, UnitResult, read_result
from cyto_kedro.runners.worker import work

logger = logging.getLogger(__name__)


@dataclass
class DaskBackend:
    """Units as Dask tasks, one at a time per worker process.

    A worker above its memory limit is killed and started anew by its nanny; its unit
    then fails with Dask's message, it is not tried again.
    """

    base: Base
    journal: Journal
    client: Any
    threads: int
    _futures: dict[Any, str] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        base: Base,
        journal: Journal,
        n_workers: int,
        threads: int,
        memory_limit: str | float,
    ) -> DaskBackend:
        """Start the cluster and tell where its dashboard is."""
        from distributed import Client, LocalCluster

        _quiet()
        cluster = LocalCluster(
            n_workers=n_workers,
            # A unit uses threads of its own: one unit at a time per process.
            threads_per_worker=1,
            memory_limit=memory_limit,
            dashboard_address=":0",
        )
        logger.info("Dask dashboard: %s", cluster.dashboard_link)
        client = Client(cluster)
        client.run(_quiet)
        return cls(base, journal, client, threads)

    def holds(self) -> set[str]:
        """Nothing: workers end with their driver."""
        return set()

    def submit(self, stage: Stage, units: list[Unit]) -> None:
        """Hand the units to Dask."""
        for unit in units:
            future = self.client.submit(
                _do, self.base, unit, self.threads, key=unit.id, retries=0, pure=False
            )
            self._futures[future] = unit.id

    def poll(self) -> list[UnitResult]:
        """Wait until a unit ends."""
        from distributed import as_completed

        future = next(iter(as_completed(list(self._futures))))
        unit = self._futures.pop(future)
        found = read_result(self.journal.results, unit)
        if found is None:
            error = future.exception()
            why = f"its Dask worker failed: {type(error).__name__}: {error}"
            found = UnitResult(unit, FAILED, error=why)
        return [found]

    def cancel(self) -> None:
        """Stop the cluster."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()
        self.client.shutdown()


def _do(base: Base, unit: Unit, threads: int) -> None:
    set_workers(threads)
    work(base, [unit])


def _quiet() -> None:
    logging.getLogger("distributed").setLevel(logging.WARNING)
