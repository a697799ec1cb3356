"""Fingerprints: what the output of a node depends on, as one hash.

``fingerprint(node) = H(function, code, parameters, identity of every input)``. The
identity of a file that a node of ours wrote is its fingerprint as long as its content
is untouched, and its content hash once somebody edited it; the identity of raw data is
the list of files with size and modification time. A file that parameters name (weights)
is an input like any other, by its content.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node
from pydantic import BaseModel

from cyto_kedro.core.params import Params
from cyto_kedro.core.uri import Place
from cyto_kedro.provenance.code import code_version
from cyto_kedro.provenance.hashing import hash_json, sha256_unless_known
from cyto_kedro.provenance.sidecar import content_of, is_untouched, read_sidecar

_PARAMS = ("params:", "parameters")


def is_parameter(name: str) -> bool:
    """Whether a dataset name stands for parameters."""
    return name.startswith(_PARAMS[0]) or name == _PARAMS[1]


def plain(value: Any) -> Any:
    """Parameters as JSON-able values."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def parameters_of(node: Node, catalog: CatalogProtocol) -> dict[str, Any]:
    """Resolved parameters of a node by name."""
    # Straight from the dataset: loading through the catalog would log each of them.
    found = {name: catalog.get(name) for name in node.inputs if is_parameter(name)}
    return {name: plain(dataset.load()) for name, dataset in found.items() if dataset}


def groups_of(node: Node, catalog: CatalogProtocol) -> dict[str, Params]:
    """Typed parameter groups of a node by name."""
    found = {name: catalog.get(name) for name in node.inputs if is_parameter(name)}
    values = {name: dataset.load() for name, dataset in found.items() if dataset}
    return {name: value for name, value in values.items() if isinstance(value, Params)}


def parameter_files(node: Node, catalog: CatalogProtocol) -> dict[str, Path]:
    """Files that a node's parameters name, as ``params:<group>:<file name>``."""
    return {
        f"{name}:{path.name}": path
        for name, group in groups_of(node, catalog).items()
        for path in group.input_files
    }


def output_files(catalog: CatalogProtocol, name: str) -> list[Path | Place]:
    """Files, folders and places that a dataset writes; empty for memory datasets."""
    dataset = catalog.get(name)
    place = getattr(dataset, "place", None)
    if place is not None:
        return list(getattr(dataset, "places", [place]))
    paths = getattr(dataset, "paths", None)
    if paths is None:
        path = getattr(dataset, "path", None)
        paths = [] if path is None else [path]
    return [Path(path) for path in paths]


def identity(
    catalog: CatalogProtocol, name: str, trusted_run: str | None = None
) -> str | None:
    """Identity of a dataset as it lies on disk; None where it has none.

    Memory datasets and missing files have none. The sidecars of ``trusted_run`` are
    believed: its jobs would else hash each input once per window of frames.
    """
    dataset = catalog.get(name)
    sources = getattr(dataset, "source_files", None)
    if sources is not None:
        lying = _identity_of_files(list(sources()))
        # One file may hold several channels and positions.
        selection = getattr(dataset, "selection", None)
        chosen = None if selection is None else selection()
        return hash_json([lying, chosen]) if chosen else lying
    files = output_files(catalog, name)
    if not files or not all(path.exists() for path in files):
        return None
    sidecar = read_sidecar(files[0])
    if sidecar is not None and sidecar.run_id == trusted_run:
        return sidecar.fingerprint
    if sidecar is not None and is_untouched(files[0], sidecar):
        return sidecar.fingerprint
    return f"sha256:{content_of(files[0])[0]}"


def fingerprint(
    node: Node, catalog: CatalogProtocol, identity_of: Callable[[str], str | None]
) -> tuple[str, dict[str, str]]:
    """Fingerprint of a node and the identities of its inputs.

    An input without identity gives the node a fingerprint that never matches again.
    """
    inputs = {
        name: identity_of(name) or "unknown"
        for name in node.inputs
        if not is_parameter(name)
    }
    for name, path in parameter_files(node, catalog).items():
        there = path.exists()
        inputs[name] = f"sha256:{sha256_unless_known(path)}" if there else "missing"
    function = node.func
    parts = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "bound": _bound_values(function),
        "node": node.name,
        "code": code_version(function.__module__),
        "params": parameters_of(node, catalog),
        "inputs": inputs,
        "outputs": list(node.outputs),
    }
    return hash_json(parts), inputs


def _bound_values(function: Callable[..., Any]) -> dict[str, str]:
    """Values that a node function carries: keywords of a partial, its closure."""
    bound = dict(getattr(function, "keywords", {}))
    closure = getattr(function, "__closure__", None) or ()
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    bound |= {n: cell.cell_contents for n, cell in zip(names, closure, strict=True)}
    return {name: repr(value) for name, value in bound.items() if not callable(value)}


def _identity_of_files(files: list[Path | Place]) -> str:
    remote = (file for file in files if isinstance(file, Place))
    facts: list[list[Any]] = [[place.as_uri(), place.state()] for place in remote]
    # Names, not places: a project that was moved is still the same.
    for path in sorted(Path(file) for file in files if not isinstance(file, Place)):
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        facts += [
            [
                item.relative_to(path.parent).as_posix(),
                item.stat().st_size,
                item.stat().st_mtime_ns,
            ]
            for item in found
            if item.is_file()
        ]
    return hash_json(facts)
