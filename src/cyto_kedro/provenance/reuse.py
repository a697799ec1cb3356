"""Which nodes must run again: the answer to ``--only-missing-outputs``.

Kedro's own rule looks at existence only and keeps stale results after a change. Here a
node is up to date only if all of its outputs exist with the fingerprint that it would
get now. What somebody edited by hand (corrected masks) is kept, and everything that
follows from it runs again.
"""

from __future__ import annotations

import logging

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.provenance.fingerprint import fingerprint, identity, output_files
from cyto_kedro.provenance.sidecar import content_of, is_untouched, read_sidecar

logger = logging.getLogger(__name__)


def stale_nodes(
    pipeline: Pipeline, catalog: CatalogProtocol, trusted_run: str | None = None
) -> set[str]:
    """Names of the nodes that have to run, in a pipeline bound to one movie's catalog.

    A node with an output in memory runs whenever a consumer of that output does.
    The sidecars of ``trusted_run``, which is being resumed, are believed unhashed.
    """
    known: dict[str, str | None] = {}
    stale: set[str] = set()

    def identity_of(name: str) -> str | None:
        return known.get(name) or identity(catalog, name, trusted_run)

    for node in pipeline.nodes:
        mark, _ = fingerprint(node, catalog, identity_of)
        fresh = True
        for name in node.outputs:
            found = _identity_if_current(catalog, name, mark, trusted_run)
            known[name] = found or mark
            fresh = fresh and found is not None
        if not fresh:
            stale.add(node.name)
            known |= dict.fromkeys(node.outputs, mark)
    return stale | _feeders(pipeline, catalog, stale)


def _identity_if_current(
    catalog: CatalogProtocol, name: str, mark: str, trusted_run: str | None
) -> str | None:
    """Identity of an output that need not be made again, else None."""
    files = output_files(catalog, name)
    if not files:
        return mark  # in memory: decided by its consumers
    if not all(path.exists() for path in files):
        return None
    sidecar = read_sidecar(files[0])
    if sidecar is None or sidecar.fingerprint != mark:
        return None
    if sidecar.run_id == trusted_run:
        return mark
    if is_untouched(files[0], sidecar):
        return mark
    logger.warning(
        "%s was changed by hand since run %s: it is kept, and all that depends on it "
        "runs again. Delete it to have it made anew.",
        files[0],
        sidecar.run_id,
    )
    return f"sha256:{content_of(files[0])[0]}"


def _feeders(pipeline: Pipeline, catalog: CatalogProtocol, stale: set[str]) -> set[str]:
    """Fresh nodes whose in-memory outputs a stale node needs."""
    producers: dict[str, Node] = {}
    for node in pipeline.nodes:
        producers |= dict.fromkeys(node.outputs, node)
    needed: set[str] = set()
    for node in reversed(pipeline.nodes):
        if node.name not in stale | needed:
            continue
        for name in node.inputs:
            producer = producers.get(name)
            if producer is not None and not output_files(catalog, name):
                needed.add(producer.name)
    return needed
