"""A movie's graph and its numbers, against networkx and GraphML."""

from __future__ import annotations

import io

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import CONTACTS, NETWORK_METRICS
from cyto_kedro.pipelines.networks.nodes import build_networks
from cyto_kedro.pipelines.networks.params import NetworksParams
from tables import filled, tracks_table


def contacts_table(rows):
    """Rows (frame, effector label, target label, distance, in contact)."""
    columns = ["frame", "effector_label", "target_label", "distance_um", "in_contact"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(
        effector="tcell",
        target="cancer",
        effector_track_id=table["effector_label"],
        target_track_id=table["target_label"],
        boundary_um=1.5,
    )
    return filled(CONTACTS, table.to_dict("series"))


def scattered(rng, n, n_frames, spread=120):
    frame = np.repeat(np.arange(n_frames), n)
    y, x = rng.uniform(0, spread, (2, len(frame)))
    return tracks_table(frame, np.tile(np.arange(1, n + 1), n_frames), y, x)


@pytest.fixture(scope="module")
def movie():
    rng = np.random.default_rng(3)
    tcell, cancer = scattered(rng, 15, 4), scattered(rng, 25, 4)
    cancer = cancer[cancer["frame"] != 2]
    tcell = tcell[tcell["frame"] < 3]  # frame 3 has cancer only
    touching = [(0, 1, 2, 1.0, True), (0, 1, 3, 0.5, True), (1, 4, 4, 9.0, False)]
    return {
        "tracks:tcell": tcell,
        "tracks:cancer": cancer,
        "contacts:tcell_cancer": contacts_table(touching),
    }


def build(movie, n_frames=4, **options):
    calibration = Calibration.regular((n_frames, 200, 200), frame_interval_min=2)
    graph, metrics, _ = build_networks(calibration, NetworksParams(**options), **movie)
    return graph, NETWORK_METRICS.validate(metrics)


def of_kind(graph, kind, frame):
    """The simple graph of one kind and frame, made by networkx."""
    nodes = [n for n, d in graph.nodes(data=True) if d["frame"] == frame]
    simple = nx.Graph()
    simple.add_nodes_from((n, graph.nodes[n]) for n in nodes)
    simple.add_edges_from(
        (a, b, d)
        for a, b, d in graph.subgraph(nodes).edges(data=True)
        if d["kind"] == kind
    )
    return simple


@pytest.mark.parametrize("radius", [None, 20.0])
@pytest.mark.parametrize("kind", ["delaunay", "radius", "contact"])
def test_metrics_equal_networkx(movie, kind, radius):
    graph, metrics = build(movie, radius_um=radius, max_edge_um=40)
    for row in metrics[metrics["graph"] == kind].itertuples():
        simple = of_kind(graph, kind, row.frame)
        roles = nx.get_node_attributes(simple, "role")
        lengths = [d["length_um"] for _, _, d in simple.edges(data=True)]
        mixed = [roles[a] != roles[b] for a, b in simple.edges]
        assert row.n_nodes == simple.number_of_nodes()
        assert row.n_edges == simple.number_of_edges()
        assert row.n_components == nx.number_connected_components(simple)
        assert row.mean_clustering == pytest.approx(nx.average_clustering(simple))
        degree = np.mean([d for _, d in simple.degree])
        assert row.mean_degree == pytest.approx(degree)
        expected = [np.mean(v) if v else np.nan for v in (lengths, mixed)]
        found = [row.mean_edge_um, row.heterotypic_fraction]
        assert found == pytest.approx(expected, nan_ok=True)


def test_edges_keep_their_limits_and_lengths(movie):
    graph, metrics = build(movie, radius_um=None, max_edge_um=15)
    place = {n: np.array([d["y_um"], d["x_um"]]) for n, d in graph.nodes(data=True)}
    for a, b, edge in graph.edges(data=True):
        assert edge["length_um"] == pytest.approx(np.linalg.norm(place[a] - place[b]))
        assert edge["kind"] != "delaunay" or edge["length_um"] <= 15
    within = metrics[metrics["graph"] == "radius"]
    assert (within["n_components"] == 1).all()
    longest = {
        frame: max(
            d["length_um"] for *_, d in of_kind(graph, "radius", frame).edges(data=True)
        )
        for frame in within["frame"]
    }
    assert within["connecting_radius_um"].tolist() == pytest.approx(
        list(longest.values())
    )


def test_contacts_carry_distance_and_boundary(movie):
    graph, _ = build(movie)
    touching = [d for *_, d in graph.edges(data=True) if d["kind"] == "contact"]
    assert sorted(d["distance_um"] for d in touching) == [0.5, 1.0]
    assert {d["boundary_um"] for d in touching} == {1.5}
    assert graph.has_edge("0/tcell/1", "0/cancer/3", "contact/1")


def test_graphml_holds_all_of_it_with_unique_edge_ids(movie):
    graph, _ = build(movie)
    buffer = io.BytesIO()
    nx.write_graphml(graph, buffer)
    ids = [key for *_, key in graph.edges(keys=True)]
    assert len(set(ids)) == len(ids)
    buffer.seek(0)
    back = nx.read_graphml(buffer, force_multigraph=True)
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    for a, b, key, attributes in graph.edges(keys=True, data=True):
        assert attributes.items() <= back[a][b][key].items()


def test_frames_without_cells_stay_in_the_table(movie):
    nothing = {key: table.iloc[:0] for key, table in movie.items()}
    graph, metrics = build(nothing, n_frames=3)
    assert graph.number_of_nodes() == 0 and len(metrics) == 9
    assert (metrics[["n_nodes", "n_edges", "n_components"]] == 0).all(axis=None)
    undefined = ["mean_degree", "mean_clustering", "mean_edge_um"]
    undefined += ["heterotypic_fraction", "connecting_radius_um"]
    assert metrics[undefined].isna().all(axis=None)


def test_a_cell_without_position_has_no_neighbours(movie):
    lost = movie["tracks:tcell"].copy()
    lost.iloc[0, lost.columns.get_loc("y_um")] = np.nan
    graph, _ = build(
        movie
        | {
            "tracks:tcell": lost,
            "contacts:tcell_cancer": movie["contacts:tcell_cancer"].iloc[:0],
        }
    )
    assert graph.degree("0/tcell/1") == 0


def test_a_contact_of_an_untracked_cell_is_left_out(movie):
    rows = contacts_table([(0, 1, 2, 1.0, True), (0, 99, 2, 1.0, True)])
    rows.loc[1, "effector_track_id"] = pd.NA
    graph, _ = build(movie | {"contacts:tcell_cancer": rows})
    kinds = [d["kind"] for *_, d in graph.edges(data=True)]
    assert kinds.count("contact") == 1


def test_contacts_of_another_run_are_refused(movie):
    rows = contacts_table([(0, 99, 2, 1.0, True)])
    with pytest.raises(InputError, match="not in the tracks"):
        build(movie | {"contacts:tcell_cancer": rows})
