"""Writes `run_metadata.json`: which nodes ran, how long, with how much memory."""

from __future__ import annotations

import time
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from cyto_kedro.core.process import peak_memory_mib, reset_peak_memory
from cyto_kedro.core.tags import movie_of
from cyto_kedro.provenance.environment import compute_device, versions_of
from cyto_kedro.provenance.fingerprint import groups_of, plain
from cyto_kedro.provenance.runs import NodeTimes, RunRecord


class RunMetadataHooks:
    """Feeds the session's run record from Kedro's events.

    A lazy array is computed while its dataset saves it: datasets that stream report the
    split in ``last_save``, and that part of the save counts as compute.
    """

    def __init__(self) -> None:
        self.record: RunRecord | None = None
        self._catalogs: dict[str | None, CatalogProtocol] = {}
        self._clock: dict[tuple[str | None, str], float] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Note the environment."""
        if self.record is not None:
            self.record.env = context.env

    @hook_impl
    def before_pipeline_run(self, catalog: CatalogProtocol) -> None:
        """Note the parameters as resolved; the seconds of the run begin."""
        if self.record is not None:
            parameters = catalog.load("parameters")
            self.record.parameters = {k: plain_tree(v) for k, v in parameters.items()}
            self.record.begin_pipeline()

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Start the load clock."""
        self._start(node)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any, node: Node) -> None:
        """Stop the load clock; the calibration tells the number of frames."""
        if (times := self._times(node)) is not None:
            times.load_s += self._elapsed(node)
        self._note_frames(dataset_name, data, node)

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """Start the compute clock."""
        self._catalogs[movie_of(node.tags)] = catalog
        reset_peak_memory()
        self._start(node)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Stop the compute clock."""
        if (times := self._times(node)) is not None:
            times.compute_s += self._elapsed(node)
            times.peak_memory_mib = peak_memory_mib()
            times.completed = not node.outputs

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Start the save clock."""
        self._start(node)

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Stop the save clock, before other hooks hash what was written."""
        times = self._times(node)
        if times is None:
            return
        elapsed = self._elapsed(node)
        lazy = self._lazy_fraction(dataset_name, node)
        times.compute_s += lazy * elapsed
        times.save_s += (1 - lazy) * elapsed
        times.peak_memory_mib = peak_memory_mib()
        times.completed = dataset_name == list(node.outputs)[-1]
        self._note_libraries(times, node)
        self._note_frames(dataset_name, data, node)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """The run is complete."""
        if self.record is not None:
            self.record.close("completed")

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """The run, or some of its movies, failed."""
        if self.record is not None:
            self.record.close("failed", error)

    def _lazy_fraction(self, dataset_name: str, node: Node) -> float:
        catalog = self._catalogs.get(movie_of(node.tags))
        dataset = catalog.get(dataset_name) if catalog is not None else None
        stats = getattr(dataset, "last_save", None)
        if stats is None or stats.compute_s + stats.write_s <= 0:
            return 0.0
        return float(stats.compute_s / (stats.compute_s + stats.write_s))

    def _times(self, node: Node) -> NodeTimes | None:
        if self.record is None:
            return None
        return self.record.times(movie_of(node.tags), node.name)

    def _start(self, node: Node) -> None:
        self._times(node)
        self._clock[movie_of(node.tags), node.name] = time.perf_counter()

    def _elapsed(self, node: Node) -> float:
        return time.perf_counter() - self._clock[movie_of(node.tags), node.name]

    def _note_libraries(self, times: NodeTimes, node: Node) -> None:
        """What the chosen methods need beyond the core, and the device they had."""
        catalog = self._catalogs.get(movie_of(node.tags))
        groups = [] if catalog is None else list(groups_of(node, catalog).values())
        wanted = {name for group in groups for name in group.libraries}
        if wanted:
            times.libraries = versions_of(sorted(wanted))
            times.device = compute_device(any(group.uses_gpu for group in groups))

    def _note_frames(self, dataset_name: str, data: Any, node: Node) -> None:
        movie = movie_of(node.tags)
        if self.record is not None and movie and dataset_name == "calibration":
            self.record.frames[movie] = int(data.n_frames)


def plain_tree(value: Any) -> Any:
    """Parameters with models at any depth as JSON-able values."""
    if isinstance(value, dict):
        return {key: plain_tree(item) for key, item in value.items()}
    return plain(value)
