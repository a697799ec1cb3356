"""Networks as GraphML or node-link JSON, or in PostgreSQL."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.uri import DATABASE, OBJECTS, Place, Uri
from cyto_kedro.datasets.base import FileDataset
from cyto_kedro.datasets.database_network import NetworkPlace
from cyto_kedro.datasets.graphml import read_graphml, write_graphml

_SUFFIXES = (".graphml", ".graphml.gz", ".json")


class NetworkDataset(FileDataset[nx.Graph, nx.Graph]):
    """A NetworkX graph; the suffix decides the format.

    ``.graphml`` and ``.graphml.gz`` open in Cytoscape, Gephi and igraph; ``.json`` is
    NetworkX's node-link form. Ids (integers or text) and the types of attributes
    survive. An attribute that is None is left out of GraphML; in JSON, NaN is written
    as ``NaN``, which Python reads back. At ``db://`` nodes and edges are rows of two
    tables (:mod:`cyto_kedro.datasets.network_tables`).

    Args:
        filepath: The file, an object's URI, or ``db://host/database/name?movie=...``.
        metadata: Free content for plugins.
        credentials: Access to the place of a URI.
    """

    data_type: str = "Network"
    remote = (*OBJECTS, DATABASE)

    def __init__(
        self,
        filepath: str | Path,
        metadata: dict[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata, credentials)
        in_database = isinstance(self.place, NetworkPlace)
        if not in_database and not self.address.name.endswith(_SUFFIXES):
            raise ConfigError(
                f"A network is stored as one of {', '.join(_SUFFIXES)}",
                where=str(filepath),
            )

    def load(self) -> nx.Graph:
        """Read the graph."""
        if isinstance(self.place, NetworkPlace):
            return self.place.load()
        if self.address.suffix == ".json":
            facts = json.loads(self.text())
            return nx.node_link_graph(facts, edges="edges")
        opened: Any = gzip.open if self.address.suffix == ".gz" else open
        with self.reading() as path, opened(path, "rb") as stream:
            return read_graphml(stream)

    def save(self, data: nx.Graph) -> None:
        """Write the graph."""
        if not isinstance(data, nx.Graph):
            raise InputError(
                f"Expected a graph, got {type(data).__name__}", where=self.where
            )
        if isinstance(self.place, NetworkPlace):
            self.place.save(data)
            return
        if self.address.suffix == ".json":
            facts = nx.node_link_data(data, edges="edges")
            self.write(json.dumps(facts, default=_number))
            return
        with self.writing() as stage, stage.open("wb") as raw:
            if self.address.suffix != ".gz":
                _write(data, raw)
                return
            # No name and no time: equal graphs give equal bytes.
            with gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as file:
                _write(data, file)

    def _place(self, uri: Uri, credentials: Mapping[str, Any] | None) -> Place:
        if uri.scheme == DATABASE:
            return NetworkPlace(uri, credentials)
        return super()._place(uri, credentials)


def _write(graph: nx.Graph, stream: Any) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", write_through=False)
    write_graphml(graph, text)
    text.flush()
    text.detach()


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise InputError(f"{type(value).__name__} has no JSON form")
