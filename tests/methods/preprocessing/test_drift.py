"""Drift is found to a few hundredths of a pixel, whatever the frames hold."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.methods.preprocessing.drift import (
    REGISTRATIONS,
    PhaseCorrelation,
    phase_correlation,
)
from cyto_kedro.methods.preprocessing.transforms import fill_untrusted, moved

REFERENCES = ["first", "previous", "running_template"]


def wander(frames, step, seed):
    shifts = np.cumsum(np.random.default_rng(seed).normal(0, step, (frames, 2)), axis=0)
    return shifts - shifts[0]


def options(reference="running_template", **more):
    return PhaseCorrelation(reference=reference, **more)


@pytest.mark.parametrize("reference", REFERENCES)
def test_subpixel_drift_with_noise(make_drifting, reference):
    truth = wander(8, 2.0, seed=1)
    movie = make_drifting(truth, size=256, count=120)
    found = phase_correlation(movie, options(reference))
    assert np.sqrt(np.mean((found.shifts - truth) ** 2)) <= 0.03
    assert np.abs(found.shifts - truth).max() <= 0.05 * 2
    assert found.quality.min() > 0.9


def test_a_large_frame_is_right_to_a_twentieth_of_a_pixel(make_drifting):
    # Large frames are registered at half resolution: nothing may get lost by that.
    truth = np.array([[0, 0], [3.37, -7.61], [-12.48, 5.13]])
    movie = make_drifting(truth, size=601, count=500, noise=40.0)
    found = phase_correlation(movie, options())
    assert np.abs(found.shifts - truth).max() <= 0.05


@pytest.mark.parametrize("reference", ["previous", "running_template"])
def test_errors_do_not_build_up(make_drifting, reference):
    truth = wander(60, 0.7, seed=2)
    movie = make_drifting(truth, size=128, count=60, noise=30.0)
    error = np.abs(phase_correlation(movie, options(reference)).shifts - truth)
    assert error[-10:].mean() <= 0.1
    assert error.max() <= 0.25


@pytest.mark.parametrize("reference", REFERENCES)
def test_jumps_are_followed(make_drifting, reference):
    truth = np.array([[0, 0], [0.5, 0.2], [48.3, -39.6], [48.9, -39.9], [-20.2, 30.7]])
    found = phase_correlation(make_drifting(truth), options(reference))
    assert np.abs(found.shifts - truth).max() <= 0.15


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("kind", ["blank", "saturated", "closed shutter"])
@pytest.mark.parametrize("where", [0, 3])
def test_unusable_frames_take_their_neighbours_shift(
    make_drifting, reference, kind, where
):
    truth = np.array([[0, 0], [0, 0], [2, 4], [3, 6], [4, 8], [5, 9.0]])
    movie = make_drifting(truth)
    noise = np.random.default_rng(0).normal(100, 10, movie[0].shape)
    content = {"blank": 0, "saturated": 65535, "closed shutter": noise}
    movie[where] = content[kind]
    found = phase_correlation(movie, options(reference))
    assert np.flatnonzero(~found.trusted).tolist() == [where]
    assert np.isnan(found.quality[where])
    filled = fill_untrusted(found.shifts, found.trusted)
    np.testing.assert_allclose(filled, truth, atol=0.15)


def test_half_saturated_cells_still_register(make_drifting):
    truth = np.array([[0, 0], [4.4, -2.6], [7.2, 1.1]])
    movie = make_drifting(truth)
    movie[1] = np.where(movie[1] > 200, 65535, movie[1] * 300)
    found = phase_correlation(movie, options())
    assert found.trusted.all()
    assert np.abs(found.shifts - truth)[2].max() <= 0.15
    assert np.abs(found.shifts - truth)[1].max() <= 0.5


def test_cells_that_move_on_their_own_have_little_say(make_drifting):
    truth = wander(15, 1.0, seed=3)
    movie = make_drifting(truth, size=256, count=80, still=40, motion=2.0)

    def error(rounds):
        found = phase_correlation(movie, options(robust_rounds=rounds))
        return np.sqrt(np.mean((found.shifts - truth) ** 2))

    assert error(4) <= 0.15
    assert error(4) < 0.5 * error(0)


def test_shading_that_stays_does_not_hold_the_frames_back(make_drifting):
    truth = np.array([[0, 0], [6.5, -4.25], [12.75, 3.5]])
    rows = np.linspace(-1, 1, 200)
    shade = 300 * (1 - rows[:, None] ** 2) + 200 * rows
    movie = make_drifting(truth).astype(np.float64) + shade
    found = phase_correlation(movie, options())
    assert np.abs(found.shifts - truth).max() <= 0.1


def test_brightness_changes_do_not_matter(make_drifting):
    truth = np.array([[0, 0], [3.3, 1.2], [5.5, -2.2]])
    movie = make_drifting(truth) * np.array([1.0, 0.6, 3.0])[:, None, None]
    found = phase_correlation(movie, options())
    assert np.abs(found.shifts - truth).max() <= 0.1


def test_max_shift_keeps_out_what_cannot_be(make_drifting):
    movie = make_drifting([[0, 0], [60, 0]])
    found = phase_correlation(movie, options(max_shift_px=20))
    assert not found.trusted[1] or np.abs(found.shifts[1]).max() <= 30


@pytest.mark.parametrize("name", REGISTRATIONS)
@pytest.mark.parametrize("shape", [(1, 40, 50), (3, 40, 50), (2, 3, 3), (2, 1, 7)])
def test_every_method_copes_with_blank_tiny_and_one_frame_movies(name, shape):
    method = REGISTRATIONS[name]
    movie = np.full(shape, 7, np.uint8)
    found = method.estimate(movie, method.options())
    filled = fill_untrusted(found.shifts, found.trusted)
    assert filled.tolist() == [[0, 0]] * shape[0]
    assert (movie == 7).all()


def test_one_frame_is_its_own_reference(make_drifting):
    found = phase_correlation(make_drifting([[0, 0]]), options())
    assert found.shifts.tolist() == [[0, 0]]
    assert found.quality.tolist() == [1]


def test_the_result_does_not_depend_on_threads(make_drifting):
    movie = make_drifting(wander(6, 2.0, seed=4), size=96)
    results = []
    for threads in (1, 3):
        set_workers(threads)
        results.append(phase_correlation(movie, options()).shifts)
    set_workers(None)
    np.testing.assert_array_equal(*results)


@pytest.mark.real_data
@pytest.mark.parametrize("reference", REFERENCES)
def test_pc12_cells_agree_with_turboreg(real_data, reference):
    folder = real_data / "drift_pc12"
    raw = tifffile.imread(folder / "pc12-unreg.tif")
    turbo = tifffile.imread(folder / "pc12-reg-translation.tif")
    found = phase_correlation(raw, options(reference))
    assert found.trusted.all()
    for frame in range(1, len(raw)):
        # What TurboReg did to this frame, measured between its input and its output.
        pair = np.stack([turbo[frame], raw[frame]])
        theirs = phase_correlation(pair, options("first")).shifts[1]
        assert np.abs(found.shifts[frame] - theirs).max() <= 0.35

        def agreement(plane):
            return np.corrcoef(raw[0][20:180, 5:190].ravel(), plane.ravel())[0, 1]

        dy, dx = found.shifts[frame]
        ours = np.zeros(raw[0].shape)
        y0, x0 = int(np.ceil(max(dy, 0))), int(np.ceil(max(dx, 0)))
        part = moved(raw[frame], (dy, dx), "cubic")
        ours[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
        assert agreement(ours[20:180, 5:190]) >= (
            agreement(turbo[frame][20:180, 5:190]) - 0.005
        )
