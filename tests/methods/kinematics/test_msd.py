"""Mean squared displacement against closed forms and against a double loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.schemas import MSD
from cyto_kedro.methods.kinematics.msd import (
    MsdOptions,
    fit_msd,
    mean_squared_displacement,
)
from cyto_kedro.methods.kinematics.points import sort_points
from tables import tracks_table


def msd_of(tracks, times, **options):
    times = np.asarray(times, float)
    points = sort_points(tracks, times)
    return MSD.validate(mean_squared_displacement(points, times, MsdOptions(**options)))


def walks(rng, n_tracks, n_frames, sigma):
    """Random walks with steps of standard deviation sigma along each axis."""
    frame, track = np.meshgrid(np.arange(n_frames), np.arange(1, n_tracks + 1))
    y, x = np.cumsum(rng.normal(0, sigma, (2, *frame.shape)), axis=2) + 1000
    return tracks_table(frame.ravel(), track.ravel(), y.ravel(), x.ravel())


def test_one_um_per_frame_gives_4_um2_at_lag_2():
    table = tracks_table(range(9), [1] * 9, [0] * 9, range(9))
    msd = msd_of(table, range(9))
    assert msd["msd_um2"].tolist() == [1, 4, 9, 16]
    assert msd["n_pairs"].tolist() == [8, 7, 6, 5]
    assert msd["ci_low_um2"].isna().all()  # one track says nothing of the spread


def test_only_points_exactly_n_frames_apart_make_a_pair():
    # Frame 2 was missed: (1, 3) is a pair of lag 2, (1, 3) is none of lag 1.
    table = tracks_table([0, 1, 3, 4], [1] * 4, [0] * 4, [0, 1, 3, 4])
    msd = msd_of(table, range(5), max_lag_frames=4)
    assert msd["n_pairs"].tolist() == [2, 1, 2, 1]
    assert msd["msd_um2"].tolist() == [1, 4, 9, 16]


def test_pairs_at_the_wrong_time_are_left_out():
    table = tracks_table(range(5), [1] * 5, [0] * 5, [0, 1, 2, 10, 11])
    msd = msd_of(table, [0, 1, 2, 9, 10], max_lag_frames=2)
    assert msd["n_pairs"].tolist() == [3, 1]
    assert msd["msd_um2"].tolist() == [1, 4]


def test_a_random_walk_has_its_diffusion_coefficient():
    sigma, minutes = 1.5, 2.0
    table = walks(np.random.default_rng(7), 300, 60, sigma)
    msd = msd_of(table, np.arange(60) * minutes, bootstraps=200)
    truth = 2 * sigma**2 * msd["lag_frames"]
    used = msd["lag_frames"] <= 15
    np.testing.assert_allclose(msd["msd_um2"][used], truth[used], rtol=0.1)
    inside = truth.between(msd["ci_low_um2"], msd["ci_high_um2"])
    assert inside.mean() > 0.7  # the lags are correlated: not 95 % of them
    fit = fit_msd(msd, 60)
    assert fit.n_lags == 15
    assert fit.alpha == pytest.approx(1, abs=0.05)
    assert fit.diffusion == pytest.approx(sigma**2 / 2 / minutes, rel=0.1)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    hits = []
    for seed in range(60):
        table = walks(np.random.default_rng(seed), 40, 6, 1.0)
        row = msd_of(table, range(6), max_lag_frames=1, bootstraps=200).iloc[0]
        hits.append(row["ci_low_um2"] <= 2.0 <= row["ci_high_um2"])
    assert 0.85 <= np.mean(hits) <= 1.0


def test_a_straight_path_fits_alpha_2():
    table = tracks_table(range(40), [1] * 40, [0] * 40, 3.0 * np.arange(40))
    fit = fit_msd(msd_of(table, range(40)), 40)
    assert fit.alpha == pytest.approx(2)
    assert 4 * fit.diffusion == pytest.approx(9)


def test_too_few_lags_give_no_fit_rather_than_a_guess():
    table = tracks_table(range(5), [1] * 5, [0] * 5, range(5))
    fit = fit_msd(msd_of(table, range(5)), 5)
    assert np.isnan(fit.diffusion) and np.isnan(fit.alpha)


def test_same_seed_same_interval_other_seed_another():
    table = walks(np.random.default_rng(0), 20, 12, 1.0)
    pd.testing.assert_frame_equal(
        msd_of(table, range(12), seed=3), msd_of(table, range(12), seed=3)
    )
    other = msd_of(table, range(12), seed=4)
    assert (other["ci_low_um2"] != msd_of(table, range(12), seed=3)["ci_low_um2"]).any()


@pytest.mark.parametrize("n_rows, n_frames", [(0, 1), (1, 1), (0, 5), (1, 5)])
def test_without_pairs_the_table_is_empty(n_rows, n_frames):
    table = tracks_table([0], [1], [0], [0]).iloc[:n_rows]
    assert msd_of(table, range(n_frames)).empty


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_equals_a_double_loop_over_all_pairs(seed, most):
    rng = np.random.default_rng(seed)
    table = walks(rng, 8, 10, 2.0).sample(frac=0.7, random_state=seed)
    msd = msd_of(table, range(10), max_lag_frames=most, bootstraps=0)
    found: dict[int, list[tuple[float, int]]] = {}
    for track, part in table.groupby("track_id"):
        spots = list(zip(part["frame"], part["y_um"], part["x_um"], strict=True))
        for f0, y0, x0 in spots:
            for f1, y1, x1 in spots:
                if 0 < f1 - f0 <= most:
                    square = (y1 - y0) ** 2 + (x1 - x0) ** 2
                    found.setdefault(f1 - f0, []).append((square, track))
    for row in msd.itertuples():
        squares = [square for square, _ in found.pop(row.lag_frames, [])]
        assert row.n_pairs == len(squares)
        if squares:
            assert row.msd_um2 == pytest.approx(np.mean(squares), rel=1e-9)
        else:
            assert np.isnan(row.msd_um2)
    assert not found
