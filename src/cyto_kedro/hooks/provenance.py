"""Writes a sidecar beside every output and the manifest of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.errors import CytoError, StorageError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import movie_of
from cyto_kedro.core.uri import Place
from cyto_kedro.hooks.metadata import RunMetadataHooks
from cyto_kedro.provenance.crate import write_crate
from cyto_kedro.provenance.environment import git_state, without_secrets
from cyto_kedro.provenance.fingerprint import (
    fingerprint,
    identity,
    output_files,
    parameter_files,
    parameters_of,
)
from cyto_kedro.provenance.manifest import write_manifest
from cyto_kedro.provenance.runs import now
from cyto_kedro.provenance.sidecar import (
    Sidecar,
    as_used,
    content_of,
    drop_sidecar,
    read_sidecar,
    set_aside_if_edited,
    state_of,
    write_sidecar,
)
from cyto_kedro.provenance.workflow import write_workflow

logger = logging.getLogger(__name__)

_Key = tuple[str | None, str]


class ProvenanceHooks:
    """Keeps track of what each node was made from.

    Args:
        run: The hooks that hold the record of the running session.
    """

    def __init__(self, run: RunMetadataHooks) -> None:
        self._run = run
        self._project = Path()
        self._conf: list[Path] = []
        self._nodes: dict[_Key, tuple[CatalogProtocol, str, dict[str, str]]] = {}
        self._fingerprints: dict[tuple[str | None, str], str] = {}
        self._written: dict[str, Sidecar] = {}
        self._sources: set[Path] = set()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Note where the project and its configuration files are."""
        self._project = context.project_path
        self._conf = _configuration_files(context)
        self._nodes.clear()
        self._fingerprints.clear()
        self._written.clear()
        self._sources.clear()

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Write down the graph that is about to run."""
        record = self._run.record
        if record is not None and not record.silent:
            write_workflow(record.folder, record.workflow, pipeline)

    @hook_impl
    def before_node_run(self, node: Node, catalog: CatalogProtocol) -> None:
        """Fix the fingerprint of the node from its inputs as they are now."""
        if self._run.record is None:
            return
        self.fingerprint(node, catalog)
        for name in node.inputs:
            self._note_input(catalog, name)
        self._sources |= set(parameter_files(node, catalog).values())

    def fingerprint(self, node: Node, catalog: CatalogProtocol) -> str:
        """What the outputs of a node depend on, its inputs being as they are now."""
        movie, record = movie_of(node.tags), self._run.record
        trusted = record.run_id if record is not None and record.shared else None

        def identity_of(name: str) -> str | None:
            # What this run wrote or looked at need not be hashed again.
            found = self._fingerprints.get((movie, name))
            found = found or identity(catalog, name, trusted)
            if found is not None:
                self._fingerprints[movie, name] = found
            return found

        mark, inputs = fingerprint(node, catalog, identity_of)
        self._nodes[movie, node.name] = (catalog, mark, inputs)
        return mark

    def replace(
        self,
        name: str,
        node: Node,
        catalog: CatalogProtocol,
        publish: Callable[[], None],
    ) -> None:
        """Publish an output that several workers wrote, with its sidecar."""
        self.fingerprint(node, catalog)
        self.before_dataset_saved(name, node)
        publish()
        self.after_dataset_saved(name, node)

    def is_current(self, node: Node, catalog: CatalogProtocol) -> bool:
        """Whether all outputs of a node are there as this run made them."""
        mark = self.fingerprint(node, catalog)
        files = [f for name in node.outputs for f in output_files(catalog, name)[:1]]
        sidecars = [read_sidecar(path) for path in files if path.exists()]
        return len(sidecars) == len(files) and all(
            found is not None and found.fingerprint == mark for found in sidecars
        )

    def account_for(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Enter into the manifest what other processes, or runs before, made.

        Args:
            pipeline: Nodes that workers of this run did, or that were up to date.
            catalog: Where their inputs and outputs lie.
        """
        for node in pipeline.nodes:
            for name in (*node.inputs, *node.outputs):
                self._note_input(catalog, name)
            self._sources |= set(parameter_files(node, catalog).values())

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """An output about to be overwritten is of unknown origin until it is whole.

        What somebody corrected by hand is set aside, never overwritten.

        Raises:
            StorageError: It lies in the raw data, perhaps by a link on the way.
        """
        record = self._run.record
        for path in self._files_of(dataset_name, node):
            if record is not None and is_raw(path, record.layout):
                real = f", which is {path.resolve()}" if isinstance(path, Path) else ""
                raise StorageError(
                    f"Nothing was written: '{dataset_name}' lies in the raw data",
                    where=f"{_uri(path) if not real else path}{real}",
                    fix="raw data are read-only: give it another path",
                )
            set_aside_if_edited(path)
            drop_sidecar(path)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Hash the output and write its sidecar."""
        record = self._run.record
        if record is None:
            return
        movie = movie_of(node.tags)
        catalog, mark, inputs = self._nodes[movie, node.name]
        self._fingerprints[movie, dataset_name] = mark
        files = self._files_of(dataset_name, node)
        if not files:
            return
        digest, size = content_of(files[0])
        sidecar = Sidecar(
            uri=_uri(files[0]),
            data_type=getattr(catalog.get(dataset_name), "data_type", "Arbitrary"),
            dataset=dataset_name,
            movie=movie,
            run_id=record.run_id,
            produced_by=node.name,
            params=without_secrets(parameters_of(node, catalog)),
            inputs=inputs,
            git_sha=git_state(self._project)[0],
            completed_at=now(),
            sha256=digest,
            size_bytes=size,
            fingerprint=mark,
            also={_uri(path): content_of(path)[0] for path in files[1:]},
            state=state_of(files[0]),
        )
        write_sidecar(files[0], sidecar)
        self._written[_uri(files[0])] = sidecar

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline) -> None:
        """The run is complete: write its manifest and its RO-Crate."""
        self.write_manifest()
        record = self._run.record
        if record is not None and not record.silent:
            self._write_crate(record.folder)

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """The run failed: what it made is still accounted for."""
        self.write_manifest()

    def write_manifest(self) -> None:
        """Account for all that was read and written so far."""
        record = self._run.record
        if record is not None and not record.silent:
            outputs = sorted(self._written.values(), key=lambda item: item.uri)
            write_manifest(record, self._sources, self._conf, outputs)

    def _write_crate(self, folder: Path) -> None:
        # ro-crate-py is imported here: 0.3 s. It describes results that are complete:
        # they are worth more than their description.
        try:
            write_crate(folder)
        except CytoError as exc:
            logger.warning("No RO-Crate was written; kedro cyto crate does it: %s", exc)

    def _note_input(self, catalog: CatalogProtocol, name: str) -> None:
        if self._run.record is None or self._run.record.silent:
            return  # the driver does it, once for all workers
        dataset = catalog.get(name)
        if (sources := getattr(dataset, "source_files", None)) is not None:
            outputs = self._run.record.layout.output_root
            found = {path for path in sources() if isinstance(path, Path)}
            # Views over all movies read what this run wrote: no input of the run.
            self._sources |= {p for p in found if outputs not in p.parents}
            return
        for path in output_files(catalog, name)[:1]:
            known = _uri(path) in self._written
            sidecar = None if known or not path.exists() else read_sidecar(path)
            if sidecar is not None:  # reused from an earlier run
                self._written[_uri(path)] = as_used(path, sidecar)

    def _files_of(self, dataset_name: str, node: Node) -> list[Path | Place]:
        known: Any = self._nodes.get((movie_of(node.tags), node.name))
        if known is None or hasattr(known[0].get(dataset_name), "window"):
            return []  # one window of many: accounted for when all are published
        return output_files(known[0], dataset_name)


def is_raw(path: Path | Place, layout: Layout) -> bool:
    """Whether an output lies in the raw data, where nothing is ever written."""
    if isinstance(path, Path):
        return layout.is_raw(path)
    return layout.remote.class_of(path.as_uri()) == "raw"


def _uri(path: Path | Place) -> str:
    return path.absolute().as_uri() if isinstance(path, Path) else path.as_uri()


def _configuration_files(context: KedroContext) -> list[Path]:
    """YAML files of the base and of the chosen environment, credentials left out."""
    loader: Any = context.config_loader
    source = Path(loader.conf_source)
    environments = {loader.base_env, context.env or loader.default_run_env}
    return [
        path
        for environment in environments
        for path in sorted((source / environment).rglob("*.y*ml"))
        if "credentials" not in path.name
    ]
