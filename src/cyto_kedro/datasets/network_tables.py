"""A network as a table of nodes and a table of edges, and back.

Ids are text, so that all networks fit into the same tables. Each attribute is a column;
where a node or an edge has none the value is null. An attribute whose values are of
several types is kept as JSON in a column ``<name>_json``. What is neither a node nor an
edge (attributes of the network, its form) is in the metadata of the table of nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx

from cyto_kedro.core.errors import InputError
from cyto_kedro.datasets.graphml import one_type, plain_value

if TYPE_CHECKING:
    import pyarrow as pa

_META = b"cyto_network"
_FRAME = "frame"
#: Longest name of a column in PostgreSQL, less what may be added to it.
_LONGEST = 50


def to_tables(graph: nx.Graph, taken: Iterable[str] = ()) -> tuple[pa.Table, pa.Table]:
    """Tables of nodes (``node``, attributes) and edges (``source``, ``target``, ...).

    Edges between nodes of one frame get a column ``frame`` to be looked up by.

    Args:
        graph: Any NetworkX graph whose ids are all integers or all text.
        taken: Names of columns that no attribute may have.

    Raises:
        InputError: An id or an attribute is of another type.
    """
    multi = graph.is_multigraph()
    ends = list(graph.edges(keys=True) if multi else graph.edges())
    nodes = {"node": [str(node) for node in graph]}
    edges: dict[str, list[Any]] = {
        "source": [str(end[0]) for end in ends],
        "target": [str(end[1]) for end in ends],
    }
    form = {
        "directed": graph.is_directed(),
        "multigraph": multi,
        "node": one_type(graph.nodes, "node ids"),
        "graph": _plain("graph", graph.graph),
    }
    if multi:
        edges["key"] = [str(end[2]) for end in ends]
        form["key"] = one_type((end[2] for end in ends), "edge keys")
    rows = [_plain("node", data) for _, data in graph.nodes(data=True)]
    node_table, form["nodes"] = _table(nodes, rows, taken)
    rows = [_plain("edge", data) for _, _, data in graph.edges(data=True)]
    frames = _frames(graph, ends)
    if frames is not None and not any(_FRAME in row for row in rows):
        edges[_FRAME] = frames
    edge_table, form["edges"] = _table(edges, rows, taken)
    meta = {_META: json.dumps(form).encode()}
    return node_table.replace_schema_metadata(meta), edge_table


def from_tables(nodes: pa.Table, edges: pa.Table) -> nx.Graph:
    """The network of which :func:`to_tables` made these.

    Raises:
        InputError: The table of nodes is that of no network.
    """
    form = json.loads(form_of(nodes))
    if form is None:
        raise InputError("These rows are no network")
    kinds = {
        (False, False): nx.Graph,
        (False, True): nx.DiGraph,
        (True, False): nx.MultiGraph,
        (True, True): nx.MultiDiGraph,
    }
    graph = kinds[form["multigraph"], form["directed"]](**form["graph"])
    ids = _reader(form["node"])
    names = map(ids, nodes["node"].to_pylist())
    graph.add_nodes_from(zip(names, _rows(nodes, form["nodes"]), strict=True))
    ends = [list(map(ids, edges[side].to_pylist())) for side in ("source", "target")]
    if form["multigraph"]:
        ends.append(list(map(_reader(form["key"]), edges["key"].to_pylist())))
    rows = _rows(edges, form["edges"])
    graph.add_edges_from(zip(*ends, rows, strict=True))
    return graph


def form_of(nodes: pa.Table) -> str:
    """What is neither a node nor an edge, as JSON; ``null`` of another table."""
    return (nodes.schema.metadata or {}).get(_META, b"null").decode()


def _plain(kind: str, attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as Python's own values; what is None is left out."""
    return {
        str(name): plain_value(kind, name, value)
        for name, value in attributes.items()
        if value is not None
    }


def _frames(graph: nx.Graph, ends: Sequence[Sequence[Any]]) -> list[int] | None:
    """Frame of each edge; None unless both its nodes are of one and the same."""
    of = graph.nodes(data=_FRAME)
    found = [(of[end[0]], of[end[1]]) for end in ends]
    if any(type(one) is not int or one != other for one, other in found):
        return None
    return [one for one, _ in found]


def _table(
    columns: Mapping[str, list[Any]], rows: list[dict[str, Any]], taken: Iterable[str]
) -> tuple[pa.Table, list[tuple[str, str, bool]]]:
    """The table, and of each attribute its name, its column, and whether it is JSON."""
    import pyarrow as pa

    arrays = {
        name: pa.array(values, pa.int64() if name == _FRAME else pa.string())
        for name, values in columns.items()
    }
    used = {name.lower() for name in (*columns, *taken, "row_number")}
    known = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        kind = _kind(values)
        column = _column(name if kind else f"{name[:_LONGEST]}_json", used)
        if kind is None:
            values = [None if v is None else json.dumps(v) for v in values]
        arrays[column] = pa.array(values, kind or pa.string())
        known.append((name, column, kind is None))
    return pa.table(arrays), known


def _kind(values: Iterable[Any]) -> pa.DataType | None:
    """The one type of a column that holds all values; None if there is none."""
    import pyarrow as pa

    there = [value for value in values if value is not None]
    kinds = {type(value) for value in there}
    if kinds == {int} and not all(-(2**63) <= value < 2**63 for value in there):
        return None
    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    return types[kinds.pop()] if len(kinds) == 1 else None


def _column(name: str, used: set[str]) -> str:
    """A name that no other column has; it is then among the used ones."""
    # Bytes count in PostgreSQL, and a letter may have four.
    short = name.encode()[:_LONGEST].decode(errors="ignore") or "attribute"
    found, number = short, 1
    while found.lower() in used:
        number += 1
        found = f"{short}_{number}"
    used.add(found.lower())
    return found


def _rows(
    table: pa.Table, known: Iterable[tuple[str, str, bool]]
) -> list[dict[str, Any]]:
    """Attributes of each row; null means that it has none."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(table))]
    for name, column, is_json in known:
        for row, value in zip(rows, table[column].to_pylist(), strict=True):
            if value is not None:
                row[name] = json.loads(value) if is_json else value
    return rows


def _reader(kind: str) -> type[int] | type[str]:
    return int if kind == "int" else str
