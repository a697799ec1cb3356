"""Networks in a real PostgreSQL: what goes in comes out, and others can ask for it."""

from __future__ import annotations

import math
import threading

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from backends.postgres import PASSWORD, Postgres
from cyto_kedro.core.errors import InputError
from cyto_kedro.datasets import NetworkDataset
from cyto_kedro.datasets.network_tables import from_tables, to_tables

VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["frame", "label", "node", "source", "Key", "run_id", "ä" * 60]),
    VALUES,
    max_size=4,
)


@st.composite
def networks(draw: st.DrawFn) -> nx.Graph:
    kind = draw(st.sampled_from([nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]))
    ids = draw(st.sampled_from([int, lambda number: f"{number}/tcell/{number}"]))
    graph = kind(**draw(ATTRIBUTES))
    n = draw(st.integers(0, 4))
    graph.add_nodes_from((ids(number), draw(ATTRIBUTES)) for number in range(n))
    for _ in range(draw(st.integers(0, 5)) if n else 0):
        one, other = (ids(draw(st.integers(0, n - 1))) for _ in range(2))
        key = (
            {"key": f"contact/{graph.number_of_edges()}"}
            if graph.is_multigraph()
            else {}
        )
        graph.add_edge(one, other, **key)
        data = graph.edges[(one, other, *key.values())]
        data.update(draw(ATTRIBUTES))
    return graph


@given(networks())
@settings(max_examples=80, deadline=None)
def test_two_tables_say_all_that_a_network_says(graph):
    nodes, edges = to_tables(graph, taken=["run_id"])
    again = from_tables(nodes, edges)
    assert type(again) is type(graph)
    assert again.graph == graph.graph
    assert list(again.nodes(data=True)) == list(graph.nodes(data=True))
    more = {"keys": True} if graph.is_multigraph() else {}
    assert list(again.edges(data=True, **more)) == list(graph.edges(data=True, **more))
    for (_, one), (_, other) in zip(
        graph.nodes(data=True), again.nodes(data=True), strict=True
    ):
        assert [type(v) for v in one.values()] == [type(other[name]) for name in one]
    for table in (nodes, edges):
        names = [name.lower() for name in table.column_names]
        assert len(set(names)) == len(names) and "run_id" not in names
        assert all(len(name.encode()) < 63 for name in names)


def test_what_has_no_form_in_a_table_is_refused():
    with pytest.raises(InputError, match="all integers or all text"):
        to_tables(nx.path_graph([1, "b"]))
    with pytest.raises(InputError, match="'box' is a list"):
        to_tables(nx.Graph([(1, 2, {"box": [1, 2]})]))


def movie() -> nx.MultiGraph:
    """Cells of two frames as the pipeline makes them."""
    graph = nx.MultiGraph(name="A1")
    for frame in range(2):
        for label in (1, 2):
            graph.add_node(
                f"{frame}/tcell/{label}",
                **{"frame": frame, "role": "tcell", "label": label},
                **{"track_id": label if frame else None, "x_um": np.float32(0.5)},
            )
        ends = (f"{frame}/tcell/1", f"{frame}/tcell/2")
        graph.add_edge(*ends, f"radius/{frame}", kind="radius", length_um=math.nan)
        graph.add_edge(*ends, f"contact/{frame}", kind="contact", length_um=4.5)
    return graph


@pytest.fixture
def network(postgres: Postgres, request: pytest.FixtureRequest) -> NetworkDataset:
    """A network of its own for each test."""
    return one(postgres, request.node.originalname[:40])


def one(postgres: Postgres, name: str, movie: str = "A1") -> NetworkDataset:
    return NetworkDataset(
        postgres.uri(name, run_id="r1", movie=movie), credentials=postgres.credentials
    )


@pytest.mark.backends
def test_a_network_is_rows_that_others_can_ask_for(network, postgres):
    assert not network.exists()
    network.save(movie())
    assert network.exists()
    found = network.load()
    assert isinstance(found, nx.MultiGraph) and found.graph == {"name": "A1"}
    assert "track_id" not in found.nodes["0/tcell/1"]
    assert found.nodes["1/tcell/2"]["track_id"] == 2
    assert found.nodes["1/tcell/2"]["x_um"] == 0.5
    assert list(found.edges(keys=True)) == list(movie().edges(keys=True))
    assert math.isnan(found.edges["0/tcell/1", "0/tcell/2", "radius/0"]["length_um"])
    name = network.place.nodes.name.table.removesuffix("_nodes")
    rows = ask(
        postgres,
        f"SELECT e.kind, n.label FROM {name}_edges e JOIN {name}_nodes n "
        "ON n.node = e.target AND n.movie = e.movie AND n.run_id = e.run_id "
        "WHERE e.movie = 'A1' AND e.run_id = 'r1' AND e.frame = 1 ORDER BY e.kind",
    )
    assert rows == [("contact", 2), ("radius", 2)]


@pytest.mark.backends
def test_movies_share_tables_and_saving_again_replaces_one(network, postgres):
    name = network.place.nodes.name.table.removesuffix("_nodes")
    empty = one(postgres, name, movie="B1")
    empty.save(nx.MultiGraph(name="B1"))  # the first one has no cells
    network.save(movie())
    before, state = empty.place.content(), empty.place.state()
    network.save(movie())
    content = network.place.content()
    network.save(movie())
    assert network.place.content() == content, "equal networks have equal hashes"
    smaller = movie()
    smaller.remove_node("1/tcell/1")
    network.save(smaller)
    assert network.place.content() != content
    assert set(network.load()) == set(smaller)
    assert (empty.place.content(), empty.place.state()) == (before, state)
    assert type(empty.load()) is nx.MultiGraph and len(empty.load()) == 0


@pytest.mark.backends
def test_an_edge_deleted_by_hand_is_noticed_and_a_sidecar_goes_with_it(
    network, postgres
):
    network.save(movie())
    network.place.write_note("{}")
    assert network.place.read_note() == "{}"
    before = network.place.state()
    rows, size = network.place.extent()
    assert rows == 4 + 4 and size > 100
    ask(postgres, f"DELETE FROM {network.place.edges.name.table} WHERE kind = 'radius'")
    assert network.place.state() != before
    with pytest.raises(DatasetError, match="had 4 rows when it was saved"):
        network.load()
    network.place.remove()
    assert not network.exists() and network.place.read_note() is None
    assert network.place.extent() == (0, 0)
    network.place.remove()  # nothing left: no error


@pytest.mark.backends
def test_a_server_killed_while_a_network_is_saved_leaves_a_whole_one(network, postgres):
    network.save(movie())
    large = nx.MultiGraph(name="large")
    large.add_nodes_from((f"0/tcell/{n}", {"frame": 0}) for n in range(60_000))
    large.add_edges_from((f"0/tcell/{n}", f"0/tcell/{n + 1}") for n in range(50_000))
    killer = threading.Timer(0.8, postgres.kill)
    killer.start()
    try:
        with pytest.raises(DatasetError, match="PostgreSQL"):
            for _ in range(20):
                network.save(large)
    finally:
        killer.join()
        postgres.start_again()
    found = network.load()
    wanted = {4: 4, 60_000: 50_000}
    assert wanted[len(found)] == found.number_of_edges()


def ask(postgres: Postgres, statement: str) -> list[tuple]:
    """What somebody does by hand."""
    from adbc_driver_postgresql import dbapi

    address = f"postgresql://cyto:{PASSWORD}@127.0.0.1:{postgres.port}/cyto"
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
    return rows
