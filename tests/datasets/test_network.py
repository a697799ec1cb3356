"""Networks: types survive, and other programs can read the files."""

from __future__ import annotations

import gzip
import tempfile

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets import NetworkDataset

_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
_NAME = st.sampled_from(["graph", "frame", "length_um", "a<b&c"])
_VALUE = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), _TEXT
)
_ATTRIBUTES = st.dictionaries(_NAME, _VALUE, max_size=3)


@st.composite
def graphs(draw):
    kinds = [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]
    graph = draw(st.sampled_from(kinds))(**draw(_ATTRIBUTES))
    ids = draw(
        st.one_of(
            st.lists(st.integers(-5, 90), min_size=1, max_size=6, unique=True),
            st.lists(_TEXT, min_size=1, max_size=6, unique=True),
        )
    )
    for node in ids:
        graph.add_node(node, **draw(_ATTRIBUTES))
    for _ in range(draw(st.integers(0, 8))):
        ends = draw(st.sampled_from(ids)), draw(st.sampled_from(ids))
        graph.add_edge(*ends, **draw(_ATTRIBUTES))
    return graph


def same(left, right):
    def typed(attributes):
        return {k: (type(v), v) for k, v in attributes.items()}

    assert type(left) is type(right)
    assert nx.utils.graphs_equal(left, right)
    assert typed(left.graph) == typed(right.graph)
    for node in left:
        assert typed(left.nodes[node]) == typed(right.nodes[node])
    for edge in left.edges:
        assert typed(left.edges[edge]) == typed(right.edges[edge])


@pytest.mark.parametrize("suffix", ["graphml", "graphml.gz", "json"])
@settings(max_examples=60, deadline=None)
@given(graph=graphs())
def test_any_network_comes_back(suffix, graph):
    with tempfile.TemporaryDirectory() as folder:
        dataset = NetworkDataset(f"{folder}/n.{suffix}")
        dataset.save(graph)
        same(dataset.load(), graph)


def contacts():
    graph = nx.MultiGraph(movie="w1", n_frames=80)
    graph.add_node(1, frame=0, role="tcell", y_um=np.float64(2.5), known=np.bool_(True))
    graph.add_node(2, frame=np.int64(0), role="cancer & <co>", y_um=float("nan"))
    graph.add_edge(1, 2, graph="delaunay", length_um=3.5)
    graph.add_edge(1, 2, graph="contact", length_um=float("inf"))
    return graph


def test_networkx_itself_reads_our_graphml(tmp_path):
    NetworkDataset(tmp_path / "n.graphml").save(contacts())
    read = nx.read_graphml(tmp_path / "n.graphml", node_type=int, force_multigraph=True)
    assert read.nodes[2]["role"] == "cancer & <co>"
    assert np.isnan(read.nodes[2]["y_um"])
    assert read.edges[1, 2, 0] == {"graph": "delaunay", "length_um": 3.5}
    assert read.edges[1, 2, 1] == {"graph": "contact", "length_um": np.inf}
    assert read.graph["movie"] == "w1"


def test_we_read_the_graphml_of_networkx(tmp_path):
    plain = nx.relabel_nodes(nx.karate_club_graph(), str)
    nx.write_graphml_xml(plain, tmp_path / "n.graphml")
    read = NetworkDataset(tmp_path / "n.graphml").load()
    assert nx.utils.edges_equal(read.edges(data=True), plain.edges(data=True))
    assert dict(read.nodes(data=True)) == dict(plain.nodes(data=True))


def test_equal_networks_give_equal_files(tmp_path):
    for name in ("a", "b"):
        NetworkDataset(tmp_path / f"{name}.graphml.gz").save(contacts())
    one, other = ((tmp_path / f"{n}.graphml.gz").read_bytes() for n in "ab")
    assert one == other
    assert b"tcell" in gzip.decompress(one)


def test_none_is_left_out_of_graphml(tmp_path):
    graph = nx.Graph()
    graph.add_node(1, track_id=None, frame=3)
    dataset = NetworkDataset(tmp_path / "n.graphml")
    dataset.save(graph)
    assert dataset.load().nodes[1] == {"frame": 3}


@pytest.mark.parametrize(
    "graph",
    [nx.Graph([(1, "a")]), nx.Graph([((1, 2), (3, 4))]), nx.Graph(box=[1, 2])],
)
def test_what_graphml_cannot_say_is_refused(tmp_path, graph):
    with pytest.raises(DatasetError) as e:
        NetworkDataset(tmp_path / "n.graphml").save(graph)
    assert isinstance(e.value.__cause__, InputError)
    assert list(tmp_path.iterdir()) == []


def test_bad_files_and_names(tmp_path):
    (tmp_path / "n.graphml").write_text("<graphml><node")
    with pytest.raises(DatasetError, match="not a GraphML"):
        NetworkDataset(tmp_path / "n.graphml").load()
    with pytest.raises(ConfigError, match=r"\.graphml"):
        NetworkDataset(tmp_path / "n.gpickle")
