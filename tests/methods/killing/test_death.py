"""Onset of death, against a plain loop and planted outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.schemas import DEATHS, TRACKS, VIABILITY
from cyto_kedro.methods.killing.death import (
    death_table,
    find_onsets,
    viability_table,
)
from methods.killing.cases import CALIBRATION, cell, track_rows


def _loop(signal, threshold, persistence, irreversible):
    """(row of onset or -1, dead at entry) of one track, step by step."""
    rows = [i for i, s in enumerate(signal) if np.isfinite(s)]
    high = [bool(signal[i] >= threshold) for i in rows]
    if high and all(high):
        return rows[0], True
    for at in range(len(rows)):
        run = high[at : at + persistence]
        if len(run) < persistence or not all(run):
            continue
        later = high[at:]
        undone = any(
            not any(later[j : j + persistence])
            for j in range(len(later) - persistence + 1)
        )
        if irreversible or not undone:
            return rows[at], at == 0
    return -1, False


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 1.0, np.nan]), min_size=1, max_size=12),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 4),
    st.booleans(),
)
def test_onsets_equal_those_of_a_plain_loop(cells, persistence, irreversible):
    track = np.repeat(np.arange(len(cells)), [len(c) for c in cells])
    signal = np.concatenate(cells)
    found = find_onsets(track, signal, 1.0, persistence, irreversible)
    for number, values in enumerate(cells):
        onset, at_entry = _loop(values, 1.0, persistence, irreversible)
        row = found.onset[number] - found.first[number] if onset >= 0 else -1
        assert row == onset
        assert found.at_entry[number] == at_entry
        assert found.last[number] - found.first[number] + 1 == len(values)


def _tables(rows, threshold=50.0, spread=5.0, margin=10.0):
    tracks = track_rows(rows).sort_values(["track_id", "frame"], ignore_index=True)
    signal = (tracks["mean_death"] - tracks["background_death"]).to_numpy()
    onsets = find_onsets(tracks["track_id"].to_numpy(), signal, threshold)
    deaths = death_table(
        tracks, signal, onsets, threshold, CALIBRATION, "cancer", margin
    )
    rows = viability_table(tracks, signal, onsets, threshold, spread)
    return DEATHS.validate(deaths).set_index("track_id"), VIABILITY.validate(rows)


def test_each_track_ends_for_its_own_reason():
    low, high = np.zeros, np.full
    rows = [
        *cell(1, np.r_[low(20), high(40, 99.0)]),  # dies, is seen to the end
        *cell(2, high(60, 99.0)),  # dead before it was seen
        *cell(3, low(60)),  # lives to the end
        *cell(4, low(30)),  # lost in the middle of the field
        *cell(5, low(30), at_um=(3.0, 100.0)),  # lost at the edge
        *cell(6, low(30)),  # divides into 7 and 8
        *cell(7, low(30), first_frame=30, parent=6),
        *cell(8, low(10), first_frame=30, parent=6),
        *cell(9, np.r_[low(30), high(2, 99.0)]),  # lost before it is certain
        *cell(10, high(2, 99.0), first_frame=40),  # a piece of a dead cell
    ]
    deaths, _ = _tables(rows)
    assert deaths["reason"].to_dict() == {
        1: "died",
        2: "dead_at_entry",
        3: "end_of_movie",
        4: "lost",
        5: "left_field",
        6: "divided",
        7: "end_of_movie",
        8: "lost",
        9: "lost",
        10: "dead_at_entry",
    }
    assert (deaths["censored"] == (deaths["reason"] != "died")).all()
    assert deaths["death_frame"].notna().sum() == 1
    assert deaths.loc[1, "death_frame"] == 20
    assert deaths.loc[1, "death_time_min"] == 100.0
    assert deaths.loc[1, "exit_frame"] == 59
    assert deaths.loc[8, ["entry_min", "exit_min"]].tolist() == [150.0, 195.0]
    assert deaths.loc[9, "peak_signal"] == 99.0


def test_the_probability_to_live_falls_for_good_at_death():
    wild = np.r_[np.zeros(10), [90, 60, 120, 55, 300, 52, 10, 10]]
    deaths, rows = _tables(cell(1, wild))
    assert deaths.loc[1, "death_frame"] == 10
    p, alive = rows["alive_probability"].to_numpy(), rows["alive"].to_numpy(bool)
    assert (p[:10] > 0.99).all() and alive[:10].all()
    assert (p[10:] <= 0.5).all() and not alive[10:].any()
    assert (np.diff(p[10:]) <= 0).all()


def test_the_probability_to_live_is_logistic_around_the_threshold():
    _, rows = _tables(cell(1, np.array([50.0, 45.0, 55.0, 0.0])), spread=5.0)
    expected = 1 / (1 + np.exp([0.0, -1.0, 1.0, -10.0]))
    np.testing.assert_allclose(rows["alive_probability"], expected)


def test_a_cell_without_any_signal_is_neither_alive_nor_dead():
    tracks = track_rows(cell(1, np.zeros(5)))
    unknown = np.full(5, np.nan)
    onsets = find_onsets(tracks["track_id"].to_numpy(), unknown, 50.0)
    rows = viability_table(tracks, unknown, onsets, 50.0, 5.0)
    assert rows["alive"].isna().all()
    assert rows["alive_probability"].isna().all()
    deaths = death_table(tracks, unknown, onsets, 50.0, CALIBRATION, "cancer", 10)
    assert deaths["peak_signal"].isna().all()


def test_a_value_missing_after_death_does_not_revive():
    tracks = track_rows(cell(1, np.zeros(8)))
    signal = np.array([0, 0, 90, 90, 90, np.nan, 90, np.nan])
    onsets = find_onsets(tracks["track_id"].to_numpy(), signal, 50.0)
    rows = viability_table(tracks, signal, onsets, 50.0, 5.0)
    assert (rows["alive_probability"].iloc[2:] < 0.5).all()
    assert not rows["alive"].iloc[2:].any()


@pytest.mark.parametrize("make", [TRACKS.empty, lambda: track_rows([])])
def test_no_tracks_give_typed_empty_tables(make):
    tracks = make()
    nothing = np.empty(0)
    onsets = find_onsets(nothing, nothing, np.nan)
    rows = viability_table(tracks, nothing, onsets, np.nan, 0.0)
    deaths = death_table(tracks, nothing, onsets, np.nan, CALIBRATION, "c", 1.0)
    pd.testing.assert_frame_equal(rows, VIABILITY.empty())
    pd.testing.assert_frame_equal(deaths, DEATHS.empty())
