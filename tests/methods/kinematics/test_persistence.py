"""Directional persistence against walks whose memory is known in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.schemas import MOTION_FIT, PERSISTENCE
from cyto_kedro.methods.kinematics.motion_fit import motion_fit
from cyto_kedro.methods.kinematics.msd import MsdOptions, mean_squared_displacement
from cyto_kedro.methods.kinematics.persistence import (
    PersistenceOptions,
    directional_persistence,
)
from cyto_kedro.methods.kinematics.points import sort_points
from cyto_kedro.methods.kinematics.steps import measure_steps
from tables import tracks_table


def persistence_of(tracks, times, **options):
    times = np.asarray(times, float)
    points = sort_points(tracks, times)
    table, fit = directional_persistence(points, times, PersistenceOptions(**options))
    return PERSISTENCE.validate(table), fit


def walkers(memory_min, interval_min, seed=0, n_tracks=120, n_frames=100, speed=3.0):
    """Constant speed, heading diffusing: <cos> = exp(-t / memory) at every lag."""
    rng = np.random.default_rng(seed)
    turn = np.sqrt(2 * interval_min / memory_min)
    heading = np.cumsum(rng.normal(0, turn, (n_tracks, n_frames)), axis=1)
    heading += rng.uniform(0, 2 * np.pi, (n_tracks, 1))
    step = speed * interval_min
    y = np.cumsum(step * np.sin(heading), axis=1) + 5000
    x = np.cumsum(step * np.cos(heading), axis=1) + 5000
    frame, track = np.meshgrid(np.arange(n_frames), np.arange(1, n_tracks + 1))
    flat = (frame.ravel(), track.ravel(), y.ravel(), x.ravel())
    return tracks_table(*flat, interval_min=interval_min)


@pytest.mark.parametrize(("memory", "interval"), [(4.0, 1.0), (12.0, 2.0)])
def test_the_memory_of_a_diffusing_heading_is_found(memory, interval):
    times = np.arange(100) * interval
    table, fit = persistence_of(walkers(memory, interval), times, bootstraps=200)
    assert fit.verdict == "fitted"
    assert fit.low_min < memory < fit.high_min
    assert fit.time_min == pytest.approx(memory, rel=0.1)
    assert fit.amplitude == pytest.approx(1, abs=0.05)
    expected = np.exp(-table["lag_min"] / memory)
    assert table["autocorrelation"].to_numpy() == pytest.approx(expected, abs=0.05)


def test_a_circle_turns_by_the_same_angle_per_step():
    angle = np.linspace(0, 2 * np.pi, 25)
    circle = tracks_table(range(25), [1] * 25, np.sin(angle), np.cos(angle))
    table, _ = persistence_of(circle, range(25))
    turned = 2 * np.pi / 24 * table["lag_frames"]
    assert table["autocorrelation"].to_numpy() == pytest.approx(np.cos(turned))


def test_a_straight_path_never_forgets_and_no_time_is_made_up():
    line = tracks_table(range(20), [1] * 20, [0] * 20, range(20))
    table, fit = persistence_of(line, range(20))
    assert table["autocorrelation"].to_numpy() == pytest.approx(1)
    assert fit.verdict == "longer_than_seen"
    assert np.isnan(fit.time_min) and table["fitted"].isna().all()


def test_a_random_walk_has_no_memory():
    rng = np.random.default_rng(4)
    frame, track = np.meshgrid(np.arange(60), np.arange(1, 41))
    y, x = np.cumsum(rng.normal(0, 1, (2, *frame.shape)), axis=2) + 500
    walk = tracks_table(frame.ravel(), track.ravel(), y.ravel(), x.ravel())
    table, fit = persistence_of(walk, range(60))
    assert fit.verdict == "none" and np.isnan(fit.time_min)
    inside = (table["ci_low"] <= 0) & (table["ci_high"] >= 0)
    assert inside.mean() > 0.8


def test_localisation_error_lowers_the_amplitude_not_the_time():
    tracks = walkers(20.0, 1.0, seed=3, n_tracks=200)
    rng = np.random.default_rng(1)
    for axis in ("y_um", "x_um"):
        tracks[axis] += rng.normal(0, 1.0, len(tracks))
    _, fit = persistence_of(tracks, range(100), bootstraps=100)
    assert fit.amplitude < 0.9
    # Lag 1 shares a point between both steps, which error turns against each other.
    assert fit.time_min == pytest.approx(20, rel=0.3)


def test_velocity_weights_ignore_steps_that_are_mere_noise():
    """Half of the steps are tiny and random, half long and straight on."""
    rng = np.random.default_rng(0)
    n = 400
    long = np.arange(n) % 2 == 0
    y = np.cumsum(np.where(long, 0.0, rng.normal(0, 0.01, n)))
    x = np.cumsum(np.where(long, 10.0, rng.normal(0, 0.01, n)))
    tracks = tracks_table(range(n), [1] * n, y, x)
    by_length, _ = persistence_of(tracks, range(n), weight="velocity")
    alike, _ = persistence_of(tracks, range(n))
    cut, _ = persistence_of(tracks, range(n), min_step_um=1.0)
    even = 1  # lag 2
    assert by_length["autocorrelation"].iloc[even] == pytest.approx(1, abs=0.02)
    assert alike["autocorrelation"].iloc[even] == pytest.approx(0.5, abs=0.1)
    # Long steps are two frames apart: nothing is left at odd lags.
    assert (cut["lag_frames"] % 2 == 0).all()
    assert cut["autocorrelation"].to_numpy() == pytest.approx(1)


def test_steps_across_gaps_and_of_another_duration_have_no_direction():
    # Frame 3 is missing for the cell, and the pause before frame 6 was longer.
    frame = [0, 1, 2, 4, 5, 6, 7]
    tracks = tracks_table(frame, [1] * 7, [0] * 7, frame)
    table, _ = persistence_of(tracks, [0, 1, 2, 3, 4, 5, 9, 10], max_lag_frames=1)
    # Steps 0-1, 1-2, 4-5 and 6-7 count; only the first two are neighbours.
    assert table["n_pairs"].tolist() == [1]


def test_cells_that_stand_still_have_no_direction():
    still = tracks_table([0, 1, 2], [1] * 3, [5] * 3, [5] * 3)
    table, fit = persistence_of(still, range(3))
    assert table.empty and fit.verdict == "too_few_lags"
    table, fit = persistence_of(still.head(0), range(3))
    assert table.empty and fit.verdict == "too_few_lags"


@given(
    angle=st.floats(0, 6.28),
    zoom=st.floats(0.1, 10),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=15, deadline=None)
def test_turned_zoomed_relabelled_and_shuffled_tracks_remember_alike(
    angle, zoom, order
):
    tracks = walkers(5.0, 1.0, n_tracks=6, n_frames=20)
    want, _ = persistence_of(tracks, range(20), bootstraps=0)
    y, x = tracks["y_um"].to_numpy(), tracks["x_um"].to_numpy()
    moved = tracks.assign(
        y_um=zoom * (np.cos(angle) * y - np.sin(angle) * x),
        x_um=zoom * (np.sin(angle) * y + np.cos(angle) * x),
        track_id=tracks["track_id"].map(
            dict(zip(range(1, 7), order.sample(range(1, 99), 6), strict=True))
        ),
    )
    moved = moved.sample(frac=1, random_state=order.randint(0, 99))
    got, _ = persistence_of(moved, range(20), bootstraps=0)
    pd.testing.assert_frame_equal(got, want, rtol=1e-6, atol=1e-9)


def test_the_motion_of_a_role_in_one_row():
    tracks, times = walkers(4.0, 1.0, n_tracks=60), np.arange(100.0)
    points = sort_points(tracks, times)
    msd = mean_squared_displacement(points, times, MsdOptions(bootstraps=0))
    _, fit = directional_persistence(points, times, PersistenceOptions(bootstraps=50))
    (row,) = MOTION_FIT.validate(
        motion_fit(points, measure_steps(points), msd, fit)
    ).itertuples()
    assert (row.n_tracks, row.n_steps) == (60, 60 * 99)
    assert row.mean_speed_um_per_min == pytest.approx(3)
    assert 1 < row.msd_exponent < 2, "straight at first, a random walk in the end"
    assert row.persistence_min == fit.time_min
    none = sort_points(tracks.head(0), times)
    empty = motion_fit(none, measure_steps(none), msd, fit)
    assert len(MOTION_FIT.validate(empty)) == 0


def test_one_point_moves_nowhere():
    tracks, times = tracks_table([0], [1], [1], [1]), np.arange(3.0)
    points = sort_points(tracks, times)
    msd = mean_squared_displacement(points, times, MsdOptions())
    _, fit = directional_persistence(points, times, PersistenceOptions())
    (row,) = motion_fit(points, measure_steps(points), msd, fit).itertuples()
    assert (row.n_tracks, row.n_steps) == (0, 0)
    assert np.isnan(row.mean_speed_um_per_min)
