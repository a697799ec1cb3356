"""Rotation, scale and deformation are found; errors are px over the whole field."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing.block_correlation import (
    BlockCorrelation,
    block_correlation,
)
from cyto_kedro.methods.preprocessing.drift import PhaseCorrelation, phase_correlation
from cyto_kedro.methods.preprocessing.warps import warped

SIZE = 256
SHAPE = (SIZE, SIZE)
MIDDLE = (SIZE - 1) / 2


def turning(degrees=0.6, scale=1.0, steps=None):
    """Where a cell lies at frame t: rotation and scale grow, the stage drifts."""
    steps = np.array([[0, 0], [2.3, -1.4], [3.9, 0.8], [1.2, 4.7], [-2.6, 6.1]])

    def move(places, t):
        angle = np.deg2rad(degrees * t)
        c, s = scale**t * np.cos(angle), scale**t * np.sin(angle)
        turned = (places - MIDDLE) @ np.array([[c, s], [-s, c]])
        return turned + MIDDLE + steps[t]

    return move


def options(transform="rigid", **more):
    return BlockCorrelation(transform=transform, **more)


def errors(movie, found, move, error_px):
    return [
        error_px(each, move, t, movie.shape[1:])
        for t, each in enumerate(found.filled())
    ]


@pytest.mark.parametrize("reference", ["first", "previous", "running_template"])
def test_rotation_and_drift(make_placed, error_px, reference):
    move = turning()
    movie = make_placed(move, 5)
    found = block_correlation(movie, options(reference=reference))
    assert found.trusted.all() and found.quality.min() > 0.9
    assert max(e.max() for e in errors(movie, found, move, error_px)) < 0.1
    # A shift per frame cannot do that.
    shifts = phase_correlation(movie, PhaseCorrelation())
    assert errors(movie, shifts, move, error_px)[4].max() > 4


@pytest.mark.parametrize(
    ("transform", "limit"), [("similarity", 0.1), ("affine", 0.2), ("deformable", 0.8)]
)
def test_rotation_and_scale(make_placed, error_px, transform, limit):
    move = turning(scale=1.008)
    movie = make_placed(move, 4)
    found = block_correlation(movie, options(transform))
    assert max(e.max() for e in errors(movie, found, move, error_px)) < limit
    rigid = block_correlation(movie, options("rigid"))
    assert errors(movie, rigid, move, error_px)[3].max() > 2


def test_a_wave_is_followed(make_placed, error_px):
    def wave(places, t):
        phase = 2 * np.pi * places / 400
        moves = t * np.stack([2 * np.sin(phase[:, 1]), 1.5 * np.sin(phase[:, 0])], 1)
        return places + moves

    size = 384
    movie = make_placed(wave, 3, size=size)
    found = block_correlation(movie, options("deformable"))
    assert found.nodes is not None
    for error in errors(movie, found, wave, error_px):
        assert np.sqrt(np.mean(error**2)) < 0.4
    affine = block_correlation(movie, options("affine"))
    assert np.sqrt(np.mean(errors(movie, affine, wave, error_px)[2] ** 2)) > 1


def test_a_jump_while_the_sample_turns(make_placed, error_px):
    turn = turning(1.0)

    def move(places, t):
        return turn(places, t) + (np.array([31.0, -26.5]) if t >= 2 else 0)

    movie = make_placed(move, 4)
    found = block_correlation(movie, options())
    assert max(e.max() for e in errors(movie, found, move, error_px)) < 0.3


@pytest.mark.parametrize("kind", ["blank", "saturated", "closed shutter"])
@pytest.mark.parametrize("where", [0, 2])
def test_unusable_frames_lie_between_their_neighbours(make_placed, kind, where):
    movie = make_placed(turning(), 5)
    noise = np.random.default_rng(0).normal(100, 10, SHAPE)
    movie[where] = {"blank": 0, "saturated": 65535, "closed shutter": noise}[kind]
    found = block_correlation(movie, options())
    assert np.flatnonzero(~found.trusted).tolist() == [where]
    assert np.isnan(found.quality[where])
    before, filled, after = (found.filled()[max(where + k, 0)] for k in (-1, 0, 1))
    if where == 0:
        assert filled == after
    else:
        middle = (np.asarray(before.linear) + after.linear) / 2
        np.testing.assert_allclose(filled.linear, middle, atol=1e-6)


def test_another_scene_is_not_trusted(make_placed):
    movie = make_placed(turning(), 3)
    movie[1] = make_placed(turning(), 1, seed=77)[0]
    found = block_correlation(movie, options())
    assert found.trusted.tolist() == [True, False, True]


def test_errors_do_not_build_up(make_placed, error_px):
    def move(places, t):
        return turning(0.15)(places, 0) @ _rotation(0.15 * t) + _offset(0.15 * t)

    movie = make_placed(move, 30, size=160, noise=30.0)
    found = block_correlation(movie, options(reference="previous"))
    late = errors(movie, found, move, error_px)[-8:]
    assert np.mean([np.sqrt(np.mean(e**2)) for e in late]) < 0.3


def _rotation(degrees):
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def _offset(degrees):
    middle = np.full(2, 79.5)
    return middle - middle @ _rotation(degrees)


def test_the_result_does_not_depend_on_threads(make_placed):
    movie = make_placed(turning(), 3, size=160)
    results = []
    for threads in (1, 3):
        set_workers(threads)
        results.append(block_correlation(movie, options("deformable")))
    set_workers(None)
    np.testing.assert_array_equal(results[0].linear, results[1].linear)
    np.testing.assert_array_equal(results[0].fields, results[1].fields)


@pytest.mark.real_data
def test_pc12_cells_agree_with_turboregs_rigid_body(real_data):
    folder = real_data / "drift_pc12"
    raw = tifffile.imread(folder / "pc12-unreg.tif")
    turbo = tifffile.imread(folder / "pc12-reg-rigid-body.tif")
    shape = raw.shape[1:]
    chosen = options("rigid", block_px=64)
    found = block_correlation(raw, chosen)
    assert found.trusted.all()
    for frame in range(1, len(raw)):
        # What TurboReg did to this frame, measured between its output and its input.
        pair = np.stack([turbo[frame], raw[frame]])
        theirs = block_correlation(
            pair, chosen.model_copy(update={"reference": "first"})
        ).filled()[1]
        apart = found.filled()[frame].sources(shape) - theirs.sources(shape)
        inner = np.hypot(*apart)[20:-20, 20:-20]
        assert np.sqrt(np.mean(inner**2)) < 0.6

        def agreement(plane):
            window = slice(22, 178), slice(22, 178)
            return np.corrcoef(raw[0][window].ravel(), plane[window].ravel())[0, 1]

        part, (y0, y1, x0, x1) = warped(raw[frame], found.filled()[frame], "cubic")
        ours = np.zeros(shape)
        ours[y0:y1, x0:x1] = part
        assert agreement(ours) >= agreement(turbo[frame]) - 0.002
