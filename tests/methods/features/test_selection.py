"""Filters and gap filling: what is kept can be read off small tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.schemas import SELECTION, SELECTION_STEPS, TRACKS
from cyto_kedro.methods.features.gaps import fill_gaps
from cyto_kedro.methods.features.selection import (
    FillGaps,
    KeepPoints,
    KeepTracks,
    Step,
    select,
)
from tables import tracks_table


@pytest.fixture
def tracks():
    """Track 1 of frames 0-4, track 2 of frames 0, 3; areas 10, 20 ... in row order."""
    table = tracks_table([0, 1, 2, 3, 4, 0, 3], [1] * 5 + [2] * 2, [0] * 7, range(7))
    return table.assign(area_um2=10.0 * np.arange(1, 8))


def chosen(tables, *steps):
    if isinstance(tables, pd.DataFrame):
        tables = {"tracks": tables}
    table, record = select(tables, steps, "tcell")
    return (
        SELECTION.validate(table).set_index("track_id"),
        SELECTION_STEPS.validate(record),
    )


def test_points_outside_the_bounds_go_and_empty_tracks_with_them(tracks):
    table, record = chosen(tracks, KeepPoints(column="area_um2", max=30))
    assert table["n_kept"].to_dict() == {1: 3, 2: 0}
    assert table["selected"].to_dict() == {1: True, 2: False}
    assert record["n_points"].tolist() == [7, 3]
    assert record["what"].tolist() == ["all", "area_um2 at most 30"]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("mean", 65), ("median", 65), ("min", 60), ("max", 70), ("first", 60),
     ("last", 70), ("count", 2)],
)  # fmt: skip
def test_tracks_are_judged_by_one_number(tracks, statistic, value):
    column = {"column": "area_um2", "statistic": statistic}
    table, _ = chosen(tracks, KeepTracks(**column, min=value, max=value))
    assert table["selected"].to_dict() == {1: False, 2: True}


def test_each_step_sees_what_the_ones_before_have_left(tracks):
    steps = (
        KeepPoints(column="frame", max=2),
        KeepTracks(column="frame", statistic="count", min=3),
        KeepTracks(column="area_um2", statistic="last", max=25),
    )
    table, record = chosen(tracks, *steps)
    assert table["failed_step"].tolist() == [3, 2]
    assert record["n_tracks"].tolist() == [2, 2, 1, 0]


def test_filled_gaps_count_as_points_but_not_as_kept(tracks):
    table, record = chosen(
        tracks, FillGaps(), KeepTracks(column="frame", statistic="count", min=4)
    )
    assert table["selected"].tolist() == [True, True]
    assert table["n_kept"].tolist() == [5, 2]
    assert record["n_interpolated"].tolist() == [0, 2, 2]


def test_longer_gaps_stay_open(tracks):
    _, record = chosen(tracks, FillGaps(max_gap_frames=1))
    assert record["n_points"].tolist() == [7, 7]


def test_values_come_from_the_named_table(tracks):
    per_track = pd.DataFrame({"track_id": [1, 2], "straightness": [0.2, 0.9]})
    speed = tracks[["track_id", "frame"]].assign(speed=[np.nan, 1, 1, 1, 1, np.nan, 9])
    tables = {"tracks": tracks, "track_summary": per_track, "kinematics": speed}
    table, _ = chosen(
        tables, KeepTracks(table="track_summary", column="straightness", min=0.5)
    )
    assert table["selected"].to_dict() == {1: False, 2: True}
    slow = {"table": "kinematics", "column": "speed", "max": 5}
    table, _ = chosen(tables, KeepPoints(**slow))
    assert table["n_kept"].to_dict() == {1: 4, 2: 0}, "unknown speeds go as well"
    table, _ = chosen(tables, KeepPoints(**slow, keep_unknown=True))
    assert table["n_kept"].to_dict() == {1: 5, 2: 1}


def test_yes_or_no_is_one_or_zero(tracks):
    border = tracks.assign(touches_border=[True, *[False] * 6])
    table, _ = chosen(
        border, KeepTracks(column="touches_border", statistic="max", max=0)
    )
    assert table["selected"].to_dict() == {1: False, 2: True}


def test_no_steps_keep_all_and_no_tracks_are_fine(tracks):
    table, record = chosen(tracks)
    assert table["selected"].all() and len(record) == 1
    step = KeepTracks(column="area_um2", statistic="first", min=1)
    table, record = chosen(tracks.head(0), FillGaps(), step)
    assert table.empty and record["n_tracks"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (KeepPoints(column="size_um", min=1), "has no column 'size_um'"),
        (KeepPoints(table="killers", column="frame", min=1), "has no table 'killers'"),
        (KeepPoints(column="channel", min=1), "holds no numbers"),
    ],
)
def test_a_filter_of_something_else_is_named(tracks, step, message):
    with pytest.raises(ConfigError, match=message):
        chosen(tracks, step)


@pytest.mark.parametrize(
    "written",
    [
        {"name": "points", "column": "frame"},
        {"name": "points", "column": "frame", "min": 3, "max": 2},
        {"name": "tracks", "column": "frame", "max": 2, "statistic": "eval"},
        {"name": "python", "column": "frame", "max": 2},
    ],
)
def test_bounds_are_checked_before_a_run(written):
    with pytest.raises(ValidationError):
        TypeAdapter(Step).validate_python(written)


@given(
    seen=st.lists(st.booleans(), min_size=2, max_size=30),
    slope=st.floats(-50, 50),
    limit=st.integers(1, 30),
)
@settings(max_examples=40, deadline=None)
def test_what_is_linear_comes_back_on_its_line(seen, slope, limit):
    frame = np.flatnonzero([True, *seen, True])
    points = pd.DataFrame(
        {"track_id": 3, "frame": frame, "time_min": 2.0 * frame, "v": slope * frame}
    )
    filled = fill_gaps(points, ["v"], limit)
    assert filled["v"].to_numpy() == pytest.approx(slope * filled["frame"])
    assert filled["time_min"].to_numpy() == pytest.approx(2.0 * filled["frame"])
    gaps = np.diff(frame) - 1
    assert filled["interpolated"].sum() == gaps[gaps <= limit].sum()
    assert not filled.duplicated(["track_id", "frame"]).any()


def test_interpolation_follows_the_clock_and_stops_at_unknown_ends():
    points = pd.DataFrame(
        {
            "track_id": [1, 1, 1, 2],
            "frame": [0, 2, 4, 5],
            "time_min": [0.0, 10.0, 12.0, 13.0],
            "v": [0.0, 10.0, np.nan, 5.0],
        }
    )
    times = np.array([0.0, 9.0, 10.0, 11.0, 12.0, 13.0])
    filled = fill_gaps(points, ["v"], times_min=times)
    assert filled["frame"].tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(filled["v"], [0, 9, 10, np.nan, np.nan, 5])


def test_the_tables_are_left_as_they_were(tracks):
    before = tracks.copy(deep=True)
    chosen(tracks, FillGaps(), KeepPoints(column="frame", max=2))
    pd.testing.assert_frame_equal(tracks, before)
    TRACKS.validate(tracks.astype({"area_um2": "float64"}))
