"""Mixing of cell types against exact moments, planted patterns and networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from cyto_kedro.core.schemas import NETWORK_METRICS, NETWORK_MIXING
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.graphs import NetworkOptions, position_edges
from cyto_kedro.methods.networks.metrics import graph_metrics
from cyto_kedro.methods.networks.mixing import MixingOptions, mixing_table
from tables import tracks_table

ROLES = ("tcell", "cancer")


def scene(place, role, n_frames=1, jitter=0.0, seed=0):
    """TRACKS by role of cells that keep their place, up to jitter, in every frame."""
    place, role = np.asarray(place, float), np.asarray(role)
    rng = np.random.default_rng(seed)
    tables = {}
    for number, name in enumerate(ROLES):
        own = place[role == number]
        frame, track = np.meshgrid(np.arange(n_frames), np.arange(1, len(own) + 1))
        at = own[track - 1] + rng.normal(0, jitter, (*track.shape, 2))
        tables[name] = tracks_table(
            frame.ravel(), track.ravel(), at[..., 0].ravel(), at[..., 1].ravel()
        )
    return tables


def graph_of(tables, n_frames=1, max_edge_um=None):
    cells = MovieCells.of(tables)
    options = NetworkOptions(max_edge_um=max_edge_um, radius_um=15.0)
    delaunay, _, radii = position_edges(cells, n_frames, options)
    return cells, delaunay, radii


def mixing(tables, n_frames=1, **options):
    cells, edges, _ = graph_of(tables, n_frames)
    chosen = MixingOptions(**options)
    return NETWORK_MIXING.validate(
        mixing_table("delaunay", cells, edges, np.arange(n_frames) * 2.0, chosen)
    )


def pair(table, a, b, frame=None):
    rows = table[(table["role_a"] == a) & (table["role_b"] == b)]
    rows = rows[rows["frame"].isna() if frame is None else rows["frame"] == frame]
    (row,) = rows.itertuples()
    return row


def random_scene(n_one=20, n_other=30, seed=0, **more):
    rng = np.random.default_rng(seed)
    role = np.repeat([0, 1], [n_one, n_other])
    return scene(rng.uniform(0, 200, (n_one + n_other, 2)), role, seed=seed, **more)


def test_expected_edges_are_those_of_roles_without_replacement():
    """E[J_ab] = m 2 na nb / (n (n - 1)), E[J_aa] = m na (na - 1) / (n (n - 1))."""
    tables = random_scene()
    _, edges, _ = graph_of(tables)
    m, a, b, n = len(edges.ends), 20, 30, 50
    table = mixing(tables, permutations=3000)
    exact = {
        ("tcell", "tcell"): m * a * (a - 1) / (n * (n - 1)),
        ("tcell", "cancer"): m * 2 * a * b / (n * (n - 1)),
        ("cancer", "cancer"): m * b * (b - 1) / (n * (n - 1)),
    }
    for names, value in exact.items():
        assert pair(table, *names).expected == pytest.approx(value, rel=0.02)
    assert sum(pair(table, *names).n_edges for names in exact) == m


def test_a_sorted_field_avoids_and_a_chequerboard_attracts():
    row, column = np.indices((8, 8)).reshape(2, -1)
    place = 10.0 * np.column_stack([row, column])
    place += np.random.default_rng(0).uniform(-1, 1, place.shape)
    halves = mixing(scene(place, column >= 4))
    apart = pair(halves, "tcell", "cancer")
    assert apart.ratio < 0.5 and apart.z < -3 and apart.p_value == 0.01
    alike = pair(halves, "tcell", "tcell")
    assert alike.ratio > 1.2 and alike.p_value == 0.01
    board = pair(mixing(scene(place, (row + column) % 2)), "tcell", "cancer")
    assert board.ratio > 1.2 and board.z > 3 and board.p_value == 0.01


def test_roles_by_chance_are_not_significant_more_often_than_they_should():
    p = [
        pair(mixing(random_scene(8, 12, seed=k), permutations=99), *ROLES).p_value
        for k in range(60)
    ]
    assert np.mean(np.array(p) <= 0.1) < 0.2


def test_many_frames_of_the_same_cells_are_one_experiment():
    """The same random scene 40 times over: certainty must not grow with the frames."""
    once = pair(mixing(random_scene(seed=5)), *ROLES)
    often = mixing(random_scene(seed=5, n_frames=40), n_frames=40)
    whole = pair(often, *ROLES)
    assert whole.n_edges == 40 * once.n_edges
    assert whole.z == pytest.approx(once.z, rel=1e-9)
    assert whole.p_value == once.p_value
    assert pair(often, *ROLES, frame=7).n_edges == once.n_edges


def test_p_values_are_corrected_over_frames_and_over_the_movie_apart():
    tables = random_scene(seed=2, n_frames=6)
    table = mixing(tables, n_frames=6)
    for whole, part in table.groupby(table["frame"].isna()):
        p = part["p_value"].dropna()
        assert len(p) == (3 if whole else 18)
        np.testing.assert_allclose(part["p_bh"], false_discovery_control(p))
        assert part["p_holm"].min() == pytest.approx(min(1.0, p.min() * len(p)))
        assert (part["p_holm"] >= part["p_bh"] - 1e-12).all()


def test_without_edges_or_a_second_role_there_is_nothing_to_say():
    tables = random_scene(1, 0)
    row = pair(mixing(tables), *ROLES)
    assert row.n_edges == 0 and np.isnan(row.p_value) and np.isnan(row.ratio)
    assert len(mixing({"cancer": tables["tcell"]})) == 0
    assert len(mixing({name: t.head(0) for name, t in tables.items()})) == 0
    row = pair(mixing(random_scene(4, 4), permutations=0), *ROLES)
    assert row.n_edges > 0 and np.isnan(row.expected) and np.isnan(row.p_value)


def test_the_seed_decides():
    tables = random_scene(6, 6)
    pd.testing.assert_frame_equal(mixing(tables), mixing(tables))
    assert not mixing(tables, seed=1)["z"].equals(mixing(tables)["z"])


def metrics_of(tables, n_frames=1, **options):
    cells, edges, radii = graph_of(tables, n_frames, **options)
    times = np.arange(n_frames) * 2.0
    return NETWORK_METRICS.validate(
        graph_metrics("delaunay", cells, edges, times, radii)
    ), (cells, edges)


@given(seed=st.integers(0, 10**6), cut=st.floats(10, 60))
@settings(max_examples=25, deadline=None)
def test_assortativity_and_largest_component_equal_networkx(seed, cut):
    table, (cells, edges) = metrics_of(random_scene(7, 9, seed=seed), max_edge_um=cut)
    graph = nx.Graph()
    graph.add_nodes_from((k, {"role": int(r)}) for k, r in enumerate(cells.role))
    graph.add_edges_from(edges.ends.tolist())
    largest = max(len(part) for part in nx.connected_components(graph))
    assert table["largest_component"].iloc[0] == largest / 16
    roles = {cells.role[k] for edge in edges.ends for k in edge}
    value = table["assortativity"].iloc[0]
    if len(roles) < 2:
        assert np.isnan(value)
    else:
        known = nx.attribute_assortativity_coefficient(graph, "role")
        assert value == pytest.approx(known, abs=1e-12)


def test_one_role_or_an_empty_frame_has_no_assortativity():
    table, _ = metrics_of(random_scene(0, 9), n_frames=2)
    assert table["assortativity"].isna().all()
    assert table["largest_component"].iloc[0] == 1
    assert np.isnan(table["largest_component"].iloc[1]), "no cells in frame 1"
