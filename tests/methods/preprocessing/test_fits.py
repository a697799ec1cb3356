"""Fits to displacements: against scikit-image, and with places that disagree."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import transform as independent

from cyto_kedro.methods.preprocessing.fits import linear, robust_field, robust_linear

PEERS = {
    "rigid": independent.EuclideanTransform,
    "similarity": independent.SimilarityTransform,
}


@pytest.fixture
def source():
    return np.random.default_rng(0).uniform(0, 500, (40, 2))


@pytest.mark.parametrize("kind", PEERS)
def test_least_squares_agree_with_scikit_image(source, kind):
    rng = np.random.default_rng(1)
    true = np.array([[0.97, -0.2], [0.25, 1.05]])
    target = source @ true.T + [5, -7] + rng.normal(0, 3, source.shape)
    matrix, shift = linear(source, target, np.ones(40), kind)
    peer = PEERS[kind].from_estimate(source, target).params
    np.testing.assert_allclose(matrix, peer[:2, :2], atol=1e-9)
    np.testing.assert_allclose(shift, peer[:2, 2], atol=1e-6)


def test_an_affine_fit_is_that_of_numpy(source):
    target = source @ [[0.9, 0.1], [-0.2, 1.1]] + [3, 4]
    target += np.random.default_rng(1).normal(0, 3, source.shape)
    weights = np.random.default_rng(2).uniform(0.1, 1, 40)
    root = np.sqrt(weights)[:, None]
    homogeneous = np.column_stack([source, np.ones(40)])
    peer = np.linalg.lstsq(root * homogeneous, root * target, rcond=None)[0]
    matrix, shift = linear(source, target, weights, "affine")
    np.testing.assert_allclose(matrix, peer[:2].T, atol=1e-9)
    np.testing.assert_allclose(shift, peer[2], atol=1e-6)


@pytest.mark.parametrize("kind", ["translation", *PEERS, "affine"])
def test_places_that_move_on_their_own_have_little_say(source, kind):
    rng = np.random.default_rng(2)
    angle = 0.0 if kind == "translation" else 0.03
    true = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = source @ true.T + [5, -7] + rng.normal(0, 0.05, source.shape)
    target[:12] += rng.uniform(-15, 15, (12, 2))
    matrix, shift = robust_linear(source, target, kind)
    wrong = source @ matrix.T + shift - (source @ true.T + [5, -7])
    assert np.hypot(*wrong.T).max() < 0.15
    plain = linear(source, target, np.ones(40), kind)
    usual = source @ plain[0].T + plain[1] - (source @ true.T + [5, -7])
    assert np.hypot(*wrong.T).max() < 0.3 * np.hypot(*usual.T).max()


def test_a_rigid_fit_neither_scales_nor_mirrors(source):
    mirrored = source * [1, -1]
    matrix, _ = robust_linear(source, mirrored, "rigid")
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_too_few_places_are_refused():
    with pytest.raises(ValueError, match="2 places do not determine"):
        robust_linear(np.zeros((2, 2)), np.zeros((2, 2)), "affine")


def test_a_field_follows_a_slope_and_continues_it_where_nothing_is_known(source):
    nodes = np.linspace(0, 500, 9), np.linspace(0, 600, 11)
    known = source[source[:, 1] < 400]

    def slope(places):
        return np.stack([0.02 * places[:, 0] - 3, 0.01 * places[:, 1] + 1], axis=1)

    found = robust_field(known, slope(known), nodes, stiffness=0.1)
    grid = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(found.reshape(-1, 2), slope(grid), atol=0.02)


def test_a_field_is_not_bent_by_places_that_disagree(source):
    nodes = np.linspace(0, 500, 6), np.linspace(0, 500, 6)
    moves = np.tile([2.0, -1.0], (40, 1))
    moves[::8] += [10.0, 12.0]
    found = robust_field(source, moves, nodes, stiffness=1.0)
    assert np.abs(found - [2.0, -1.0]).max() < 0.5
