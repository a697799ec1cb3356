"""Networks in PostgreSQL: a table of nodes and a table of edges, saved as one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import networkx as nx

from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.database import TablePlace, save_together
from cyto_kedro.datasets.database_client import Server
from cyto_kedro.datasets.database_content import content_of_rows
from cyto_kedro.datasets.network_tables import form_of, from_tables, to_tables

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_postgresql.dbapi import Connection


class NetworkPlace:
    """The nodes and edges of one network.

    Args:
        uri: ``db://host:port/database/[schema.]name?key=value&...``: the rows with
            these keys in ``<name>_nodes`` and ``<name>_edges``.
        credentials: As :class:`Server` takes them.

    Raises:
        ConfigError: A name is not plain, or credentials are unknown.
    """

    def __init__(self, uri: Uri, credentials: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.nodes, self.edges = (
            TablePlace(replace(uri, path=f"{uri.path}_{part}"), credentials)
            for part in ("nodes", "edges")
        )
        self._tables = (self.nodes, self.edges)
        self.server: Server = self.nodes.server

    def __repr__(self) -> str:
        return f"NetworkPlace({self.uri})"

    def as_uri(self) -> str:
        """The address."""
        return str(self.uri)

    def exists(self) -> bool:
        """Whether the network was saved; both tables are written in one transaction."""
        return self.nodes.exists()

    def save(self, graph: nx.Graph) -> None:
        """Replace nodes and edges, in one transaction.

        Raises:
            InputError: An id or an attribute has no form there.
            StorageError: The server refuses, is away or does not answer; then the
                network before is still there.
        """
        tables = to_tables(graph, taken=self.nodes.keys)
        save_together(self.server, list(zip(self._tables, tables, strict=True)))

    def load(self) -> nx.Graph:
        """The network.

        Raises:
            FileNotFoundError: It was never saved.
            InputError: Rows were deleted or added by somebody else.
        """
        return from_tables(*self._both())

    def content(self) -> tuple[str, int]:
        """SHA-256 over the hashes of both tables, and the size of their rows."""
        nodes, edges = self._both()
        (first, size), (second, more) = content_of_rows(nodes), content_of_rows(edges)
        text = f"nodes {first}\nedges {second}\n{form_of(nodes)}\n"
        whole = hashlib.sha256(text.encode())
        return whole.hexdigest(), size + more

    def state(self) -> str:
        """A hash that the server makes of the rows of both tables."""
        return self.server.bounded(
            lambda c: "; ".join(str(table.state_in(c)) for table in self._tables)
        )

    def read_note(self) -> str | None:
        """The sidecar's text, which is kept with the nodes."""
        return self.nodes.read_note()

    def write_note(self, text: str) -> None:
        """Put the sidecar beside the nodes."""
        self.nodes.write_note(text)

    def drop_note(self) -> None:
        """Forget the sidecar."""
        self.nodes.drop_note()

    def set_aside(self, label: str) -> str:
        """Copy the rows to ``<name>_nodes_<label>`` and ``<name>_edges_<label>``."""
        kept = [table.set_aside(label) for table in self._tables]
        return kept[0]

    def extent(self) -> tuple[int, int]:
        """Rows of both tables, and their bytes on the server."""
        (nodes, size), (edges, more) = (table.extent() for table in self._tables)
        return nodes + edges, size + more

    def remove(self) -> None:
        """Delete nodes and edges and what is known about them, in one transaction."""

        def work(connection: Connection) -> None:
            for table in self._tables:
                table.remove_in(connection)

        if self.exists():
            self.server.bounded(work)

    def _both(self) -> tuple[pa.Table, pa.Table]:
        def work(connection: Connection) -> tuple[pa.Table, pa.Table]:
            return self.nodes.rows_in(connection), self.edges.rows_in(connection)

        return self.server.bounded(work, snapshot=True)
