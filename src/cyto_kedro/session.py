"""A Kedro session whose run is one run id over all movies of the experiment sheet."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol
from kedro.runner import AbstractRunner, SequentialRunner

from cyto_kedro.config import MOVIES_PARAMETER, CytoConfigLoader, workflow_name
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.scope import Scope
from cyto_kedro.hooks import ProvenanceHooks, RunMetadataHooks
from cyto_kedro.provenance.reuse import stale_nodes
from cyto_kedro.provenance.runs import RunRecord, reserve_run
from cyto_kedro.runners.movies import MovieRunner

EXAMPLE = "example"
_FILTERS = (
    "node_names",
    "from_nodes",
    "to_nodes",
    "from_inputs",
    "to_outputs",
    "namespaces",
)


class CytoSession(KedroSession):
    """Runs a pipeline once per movie under one run id.

    The graph is one movie's graph; nodes tagged ``experiment`` run once at the end. Any
    Kedro runner executes the nodes; ``--only-missing-outputs`` skips what carries a
    matching fingerprint (inputs, parameters, code), not merely what exists.
    """

    _context: KedroContext | None = None
    _scope: Scope | None = None

    def load_context(self) -> KedroContext:
        """The project context, its catalog bound to the run of this session."""
        self._context = super().load_context()
        if self._scope is not None:
            self._loader.scope = self._scope
        return self._context

    def run(
        self,
        pipeline_name: str | None = None,
        pipeline_names: list[str] | None = None,
        tags: Any = None,
        runner: AbstractRunner | None = None,
        *args: Any,
        **options: Any,
    ) -> dict[str, Any]:
        """Run pipelines by name over all movies; see ``KedroSession.run``.

        Raises:
            MoviesFailed: Some movies failed; the others are complete.
        """
        names = [pipeline_name] if pipeline_name else list(pipeline_names or [])
        layout = _checked(self._get_config_loader()).layout
        workflow = workflow_name(names)
        run_id = reserve_run(layout.output_root, workflow)
        self.session_id = run_id
        self._store["session_id"] = run_id
        self._scope = Scope(workflow, run_id)
        record = RunRecord(layout, workflow, run_id, project=self._project_path)
        some_nodes = tags or any(options.get(name) for name in _FILTERS)
        some_movies = (self.store.get("runtime_params") or {}).get(MOVIES_PARAMETER)
        record.partial = bool(some_nodes or some_movies)
        self._announce(record)
        with _termination_is_an_interrupt(), self._manifest(), record.closing():
            _provide_example(layout)
            movie_runner = MovieRunner(
                runner or SequentialRunner(),
                movies=lambda: self._loader.movies(),
                catalog_for=self._catalog_for,
                stale=stale_nodes,
                record=record,
            )
            return super().run(None, names, tags, movie_runner, *args, **options)

    @property
    def _loader(self) -> CytoConfigLoader:
        if self._context is None:
            raise RuntimeError("the session has no context yet")
        return _checked(self._context.config_loader)

    @contextmanager
    def _manifest(self) -> Iterator[None]:
        """Write the manifest also where Kedro calls no hook: after Ctrl-C."""
        try:
            yield
        except KeyboardInterrupt:
            for plugin in self._hook_manager.get_plugins():
                if isinstance(plugin, ProvenanceHooks):
                    plugin.write_manifest()
            raise

    def _announce(self, record: RunRecord) -> None:
        for plugin in self._hook_manager.get_plugins():
            if isinstance(plugin, RunMetadataHooks):
                plugin.record = record

    def _catalog_for(self, movie: Movie | None) -> CatalogProtocol:
        """The catalog bound to one movie, or to none for experiment-level nodes."""
        if self._context is None or self._scope is None:
            raise RuntimeError("the session has no context yet")
        scope = self._scope
        if movie is not None:
            scope = replace(scope, movie=movie.id, dataset=movie.dataset)
        self._loader.scope = scope
        return self._context._get_catalog(save_version=scope.run_id)


def _checked(loader: Any) -> CytoConfigLoader:
    if not isinstance(loader, CytoConfigLoader):
        raise TypeError("settings.CONFIG_LOADER_CLASS must be CytoConfigLoader")
    return loader


def _provide_example(layout: Layout) -> None:
    """Simulate the bundled example experiment on first use."""
    if layout.dataset == EXAMPLE and not layout.sheet.exists():
        from cyto_kedro.simulation.example import write_example

        write_example(layout.sheet.parent)


@contextmanager
def _termination_is_an_interrupt() -> Iterator[None]:
    """SIGTERM ends a run like Ctrl-C, so that its record says so."""

    def interrupt(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt(f"signal {signum}")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
