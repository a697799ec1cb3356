"""The networkx graph of a movie, with attributes that GraphML can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.graphs import Edges

if TYPE_CHECKING:
    import networkx as nx


def movie_graph(
    cells: MovieCells, edges: Mapping[str, Edges], name: str
) -> nx.MultiGraph:
    """All cells of a movie and all their edges.

    Node ids are ``frame/role/label``; attributes frame, role, label, track_id, y_um,
    x_um. Two cells may be joined by edges of several kinds: an edge has the key
    ``kind/number``, unique in the graph as GraphML wants edge ids to be, and attributes
    kind, length_um and what its kind adds. All values are plain Python scalars.
    """
    import networkx as nx

    graph = nx.MultiGraph(name=name)
    roles = [cells.roles[code] for code in cells.role.tolist()]
    frames, labels = cells.frame.tolist(), cells.label.tolist()
    names = [f"{f}/{r}/{n}" for f, r, n in zip(frames, roles, labels, strict=True)]
    columns = {
        "frame": frames,
        "role": roles,
        "label": labels,
        "track_id": cells.track_id.tolist(),
        "y_um": cells.y_um.tolist(),
        "x_um": cells.x_um.tolist(),
    }
    graph.add_nodes_from(zip(names, _records(columns), strict=True))
    for kind, found in edges.items():
        values = {"length_um": found.length_um} | found.more
        lists = {"kind": [kind] * len(found.ends)}
        lists |= {key: column.tolist() for key, column in values.items()}
        graph.add_edges_from(
            (names[a], names[b], f"{kind}/{number}", attributes)
            for number, ((a, b), attributes) in enumerate(
                zip(found.ends.tolist(), _records(lists), strict=True)
            )
        )
    return graph


def _records(columns: Mapping[str, list]) -> list[dict[str, object]]:
    """One dictionary per row."""
    keys = tuple(columns)
    return [
        dict(zip(keys, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]
