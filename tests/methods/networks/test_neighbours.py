"""Neighbour graphs against brute force, networkx and degenerate layouts."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from cyto_kedro.methods.networks.neighbours import (
    connecting_radius,
    delaunay_edges,
    edge_lengths,
    radius_edges,
)


def pairs(edges):
    return {tuple(edge) for edge in edges.tolist()}


def graph_of(points, edges):
    graph = nx.Graph()
    graph.add_nodes_from(range(len(points)))
    graph.add_edges_from(edges.tolist())
    return graph


def test_a_square_with_a_centre_joins_sides_and_centre():
    points = np.array([[0, 0], [0, 2], [2, 2], [2, 0], [1, 1]], float)
    sides = {(0, 1), (1, 2), (2, 3), (0, 3)}
    assert pairs(delaunay_edges(points)) == sides | {(k, 4) for k in range(4)}


def test_delaunay_edges_have_an_empty_circle():
    points = np.random.default_rng(0).uniform(0, 100, (25, 2))
    found = pairs(delaunay_edges(points))
    expected = set()
    for a in range(25):
        for b in range(a + 1, 25):
            for c in range(25):
                if c in (a, b):
                    continue
                # Circle through three points: centre by perpendicular bisectors.
                m = 2 * (points[[b, c]] - points[a])
                r = (points[[b, c]] ** 2).sum(1) - (points[a] ** 2).sum()
                centre = np.linalg.solve(m, r)
                radius = np.linalg.norm(points[a] - centre)
                others = np.delete(np.arange(25), [a, b, c])
                away = np.linalg.norm(points[others] - centre, axis=1)
                if (away > radius).all():
                    expected.add((a, b))
    assert found == expected


@pytest.mark.parametrize("n, n_edges", [(0, 0), (1, 0), (2, 1)])
def test_too_few_points_for_a_triangle(n, n_edges):
    points = np.arange(2.0 * n).reshape(n, 2)
    edges = delaunay_edges(points)
    assert edges.shape == (n_edges, 2)
    assert np.isnan(connecting_radius(points, edges)) == (n < 2)


@pytest.mark.parametrize("direction", [(0, 1), (1, 0), (1, 1), (0.3, -0.7)])
def test_points_on_a_line_become_a_chain(direction):
    along = np.array([3.0, 0.0, 1.0, 7.0])
    points = along[:, None] * np.array(direction) + 50
    edges = delaunay_edges(points)
    assert pairs(edges) == {(1, 2), (0, 2), (0, 3)}
    expected = 4 * np.linalg.norm(direction)
    assert connecting_radius(points, edges) == pytest.approx(expected)


def test_cells_at_the_same_place_are_joined():
    points = np.array([[0, 0], [5, 5], [0, 5], [5, 5], [5, 5]], float)
    edges = delaunay_edges(points)
    twins = graph_of(points, edges[edge_lengths(points, edges) == 0])
    assert set(map(len, nx.connected_components(twins))) == {1, 3}
    assert (0, 2) in pairs(edges)
    same = np.ones((3, 2))
    assert nx.is_connected(graph_of(same, delaunay_edges(same)))
    assert connecting_radius(same, delaunay_edges(same)) == 0


lattice = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=2, max_size=40
)


@settings(max_examples=80, deadline=None)
@given(lattice, st.sampled_from([1.0, 1e-7, 0.1234567]))
def test_the_connecting_radius_is_the_longest_tree_edge(places, scale):
    """Lattices hold every degeneracy: twins, lines, points on one circle."""
    points = np.array(places, float) * [scale, 1.0]
    edges = delaunay_edges(points)
    assert nx.is_connected(graph_of(points, edges))
    radius = connecting_radius(points, edges)
    full = nx.from_numpy_array(squareform(pdist(points)) + 1)  # +1: keep zero edges
    tree = nx.minimum_spanning_tree(full)
    longest = max(d["weight"] for _, _, d in tree.edges(data=True)) - 1
    assert radius == pytest.approx(longest, abs=1e-9)
    assert nx.is_connected(graph_of(points, radius_edges(points, radius)))
    if radius > 0:
        apart = graph_of(points, radius_edges(points, radius * (1 - 1e-6)))
        assert not nx.is_connected(apart)


@settings(max_examples=40, deadline=None)
@given(lattice, st.floats(0.5, 15))
def test_radius_edges_are_all_pairs_within_reach(places, radius):
    points = np.array(places, float)
    distance = squareform(pdist(points))
    a, b = np.nonzero(np.triu(distance <= radius, 1))
    edges = radius_edges(points, radius)
    assert pairs(edges) == set(zip(a.tolist(), b.tolist(), strict=True))
    np.testing.assert_allclose(
        edge_lengths(points, edges), distance[tuple(edges.T)], atol=1e-12
    )
