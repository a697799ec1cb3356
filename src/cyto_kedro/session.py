"""A Kedro session whose run is one run id over all movies of the experiment sheet."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol
from kedro.runner import AbstractRunner, SequentialRunner

from cyto_kedro.config import (
    MOVIES_PARAMETER,
    SCRATCH_VARIABLE,
    CytoConfigLoader,
    workflow_name,
)
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import locked
from cyto_kedro.core.scope import Scope
from cyto_kedro.hooks import PreflightHooks, ProvenanceHooks, RunMetadataHooks
from cyto_kedro.provenance.reuse import stale_nodes
from cyto_kedro.provenance.run_ids import find_run
from cyto_kedro.provenance.runs import DRIVER_LOCK, RunRecord, reserve_run
from cyto_kedro.runners.experiment import ExperimentRunner, RunContext
from cyto_kedro.runners.launch import LauncherDataset
from cyto_kedro.runners.movies import MovieRunner
from cyto_kedro.runners.sites import launcher_of
from cyto_kedro.wanted import check_wanted

_logger = logging.getLogger(__name__)

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
        many = runner if isinstance(runner, ExperimentRunner) else None
        with self._scratch_for(many):
            return self._run(names, tags, runner, many, *args, **options)

    def _run(
        self,
        names: list[str],
        tags: Any,
        runner: AbstractRunner | None,
        many: ExperimentRunner | None,
        *args: Any,
        **options: Any,
    ) -> dict[str, Any]:
        layout = _checked(self._get_config_loader()).layout
        if many is None or not many.joins_run:
            check_wanted(names, {"tags": tags, **options})
        workflow = workflow_name(names)
        run_id = _run_id(many, layout, workflow)
        self.session_id = run_id
        self._store["session_id"] = run_id
        self._scope = Scope(workflow, run_id)
        record = RunRecord(layout, workflow, run_id, project=self._project_path)
        some_nodes = tags or any(options.get(name) for name in _FILTERS)
        some_movies = self._runtime_params.get(MOVIES_PARAMETER)
        record.partial = bool(some_nodes or some_movies)
        if many is not None:
            record.shared = True
            record.silent = many.joins_run is not None or many.dry_run
        self._announce(record)
        # Runners of many workers hold it themselves, in the driver alone.
        driver = locked(record.folder / DRIVER_LOCK) if many is None else nullcontext()
        with (
            _termination_is_an_interrupt(),
            self._manifest(),
            record.closing(),
            driver,
        ):
            if many is not None and many.joins_run:
                self._leave_to_the_driver()
            else:
                _provide_example(layout)
            context = self._run_context(names, record)
            if many is not None:
                many.bind(context)
            chosen = many or MovieRunner(
                runner or SequentialRunner(),
                movies=context.movies,
                catalog_for=context.catalog_for,
                stale=context.stale,
                record=record,
                account_for=context.outputs.account_for,
            )
            with _launching(context, runner):
                made = super().run(None, names, tags, chosen, *args, **options)
        if not record.silent:
            _logger.info("Results: %s", _first_to_open(record.folder))
        return made

    @contextmanager
    def _scratch_for(self, runner: ExperimentRunner | None) -> Iterator[None]:
        """A scratch root of this run alone, where the runner wants one."""
        config = {} if runner is None else self._get_config_loader()
        if runner is None or not runner.wants_private_scratch(config):
            yield
            return
        with tempfile.TemporaryDirectory(prefix="cyto_kedro_scratch_") as folder:
            os.environ[SCRATCH_VARIABLE] = folder
            try:
                yield
            finally:
                del os.environ[SCRATCH_VARIABLE]

    @property
    def _loader(self) -> CytoConfigLoader:
        if self._context is None:
            raise RuntimeError("the session has no context yet")
        return _checked(self._context.config_loader)

    @property
    def _runtime_params(self) -> dict[str, Any]:
        return dict(self.store.get("runtime_params") or {})

    def _run_context(self, names: list[str], record: RunRecord) -> RunContext:
        hooks = self._hook_manager.get_plugins()
        return RunContext(
            project=self._project_path,
            conf_source=Path(self._conf_source),
            env=self.store.get("env"),
            runtime_params=self._runtime_params,
            pipeline_names=tuple(names),
            workflow=record.workflow,
            run_id=record.run_id,
            movies=lambda: self._loader.movies(),
            catalog_for=self._catalog_for,
            config=lambda key: self._loader[key],
            stale=stale_nodes,
            record=record,
            outputs=next(hook for hook in hooks if isinstance(hook, ProvenanceHooks)),
        )

    def _leave_to_the_driver(self) -> None:
        """A worker checks nothing again and keeps out of the files of Kedro-Viz."""
        for plugin in list(self._hook_manager.get_plugins()):
            viz = type(plugin).__module__.startswith("kedro_viz")
            if viz or isinstance(plugin, PreflightHooks):
                self._hook_manager.unregister(plugin)

    @contextmanager
    def _manifest(self) -> Iterator[None]:
        """Write the manifest also where Kedro calls no hook: after Ctrl-C."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
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


def _run_id(runner: ExperimentRunner | None, layout: Layout, workflow: str) -> str:
    """The id of this run: the driver's, an earlier one to go on with, or a new one."""
    if runner is not None and runner.joins_run:
        return runner.joins_run
    if runner is not None and runner.resume:
        return find_run(layout.output_root, workflow, runner.resume)
    if runner is not None and runner.dry_run:
        return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return reserve_run(layout.output_root, workflow)


def _first_to_open(folder: Path) -> Path:
    """The report where the run made one, else its folder; short where it can be."""
    report = folder / "report.html"
    found = report if report.is_file() else folder
    here = Path.cwd()
    return found.relative_to(here) if found.is_relative_to(here) else found


@contextmanager
def _launching(context: RunContext, runner: AbstractRunner | None) -> Iterator[None]:
    """The driver of a run offers its nodes to launch trials; a worker does not."""
    worker = isinstance(runner, ExperimentRunner) and runner.joins_run is not None
    if not worker:
        LauncherDataset.current = partial(launcher_of, context, runner)
    try:
        yield
    finally:
        LauncherDataset.current = None


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
