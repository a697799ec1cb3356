"""The death signal: background, CDI, and smoothing that invents nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.killing.signal import SMOOTHERS, death_signal, smooth
from methods.killing.cases import track_rows


def _points(lengths: list[int], gaps: list[int]) -> tuple[np.ndarray, np.ndarray]:
    track = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    steps = np.resize(gaps, len(track))
    return track, np.cumsum(steps)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.lists(st.integers(1, 4), min_size=1, max_size=7),
    st.floats(-1e3, 1e3),
    st.sampled_from(sorted(SMOOTHERS)),
    st.sampled_from([1, 3, 5, 9]),
)
def test_a_constant_stays_a_constant_up_to_both_ends(
    lengths, gaps, level, method, window
):
    track, frame = _points(lengths, gaps)
    flat = np.full(len(track), level)
    np.testing.assert_allclose(smooth(track, frame, flat, method, window), flat)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.lists(st.integers(1, 3), min_size=1, max_size=5),
    st.sampled_from([("mean", np.nanmean), ("median", np.nanmedian)]),
    st.sampled_from([1, 3, 5]),
    st.integers(0, 2**32 - 1),
)
def test_smoothing_is_the_statistic_of_the_track_in_the_window(
    lengths, gaps, method, window, seed
):
    name, statistic = method
    random = np.random.default_rng(seed)
    track, frame = _points(lengths, gaps)
    values = random.normal(size=len(track))
    values[random.random(len(track)) < 0.2] = np.nan
    expected = np.full(len(track), np.nan)
    for i in range(len(track)):
        near = (track == track[i]) & (np.abs(frame - frame[i]) <= window // 2)
        if np.isfinite(values[i]):
            expected[i] = statistic(values[near])
    np.testing.assert_allclose(smooth(track, frame, values, name, window), expected)


def test_a_median_drops_a_flash_and_keeps_a_step_where_it_is():
    step = np.array([0, 0, 0, 9, 0, 0, 0, 0, 5, 5, 5, 5.0])
    out = smooth(np.ones(12), np.arange(12), step, "median", 3)
    np.testing.assert_array_equal(out, [0] * 8 + [5] * 4)


def test_fading_of_the_whole_field_does_not_move_the_signal():
    fade = np.linspace(400, 100, 5)
    tracks = track_rows(
        [
            {
                "track_id": 1,
                "label": 1,
                "frame": i,
                "mean_death": fade[i] + 30,
                "background_death": fade[i],
            }
            for i in range(5)
        ]
    )
    np.testing.assert_allclose(death_signal(tracks, "death"), 30)


def test_the_cell_death_index_is_the_dead_share_of_both_signals():
    row = {"frame": 0, "background_death": 10.0, "background_live": 20.0}
    pairs = [(40.0, 30.0), (5.0, 70.0), (60.0, 20.0), (5.0, 5.0)]
    tracks = track_rows(
        [
            row | {"track_id": i, "label": i, "mean_death": dead, "mean_live": live}
            for i, (dead, live) in enumerate(pairs, start=1)
        ]
    )
    expected = [30 / (30 + 10), 0.0, 1.0, np.nan]
    np.testing.assert_allclose(death_signal(tracks, "death", "live"), expected)


def test_a_channel_that_was_not_measured_is_named():
    tracks = track_rows([{"track_id": 1, "label": 1, "frame": 0}])
    with pytest.raises(InputError, match=r"median_death, background_death"):
        death_signal(tracks, "death", statistic="median")


def test_no_tracks_no_signal():
    empty = TRACKS.empty()
    assert len(death_signal(empty, "death")) == 0
    nothing = np.empty(0)
    assert len(smooth(nothing, nothing, nothing, "median", 5)) == 0
