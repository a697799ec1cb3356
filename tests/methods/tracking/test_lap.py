"""Our LAP tracker on movies whose tracks are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import DETECTIONS, TRACKS
from cyto_kedro.methods.tracking import TRACKERS, LapOptions
from tables import filled


def lap(table: pd.DataFrame, field: Calibration, **options) -> pd.DataFrame:
    return TRACKS.validate(TRACKERS["lap"].track(table, field, LapOptions(**options)))


def cells(make, *paths, **columns):
    """Detections of cells given as lists of (frame, y, x); truth in `mass`."""
    rows = [(*point, i + 1.0) for i, path in enumerate(paths) for point in path]
    frame, y, x, cell = np.array(rows, dtype=float).T
    return make(frame.astype(int), y, x, mass=cell, **columns)


def tracks_of(tracks: pd.DataFrame, cell: float) -> list[int]:
    return tracks.loc[tracks["mass"] == cell, "track_id"].unique().tolist()


def test_two_parallel_lines(make, field):
    lines = [[(t, y, 100.0 + 4 * t) for t in range(15)] for y in (100.0, 112.0)]
    tracks = lap(cells(make, *lines), field)
    assert [tracks_of(tracks, 1), tracks_of(tracks, 2)] == [[1], [2]]
    assert tracks["link_distance_um"].dropna().to_numpy() == pytest.approx(4.0)


def test_crossing_cells_keep_their_identity(make, field):
    """Two cells pass through one point; persistence tells them apart."""
    cross = [
        [(t, 300.0 + s * 6.0 * (t - 10.2), 300.0 + 6.0 * (t - 10.2)) for t in range(21)]
        for s in (1, -1)
    ]
    others = [
        [(t, y + 0.8 * t * np.cos(y), 260.0 + 6.0 * np.sin(y) * t) for t in range(21)]
        for y in (50.0, 150.0, 450.0, 550.0, 650.0)
    ]
    tracks = lap(cells(make, *cross, *others), field, splitting_max_distance_um=None)
    assert [len(tracks_of(tracks, 1)), len(tracks_of(tracks, 2))] == [1, 1]
    assert tracks_of(tracks, 1) != tracks_of(tracks, 2)


def test_common_motion_longer_than_the_spacing(make, field):
    """Without prediction every cell would be taken for its neighbour."""
    rng = np.random.default_rng(0)
    grid = np.indices((10, 10)).reshape(2, -1).T * 20.0 + 100.0
    paths = [
        [(t, *(p + rng.normal(0, 0.8, 2) + (0.0, 14.0 * t))) for t in range(8)]
        for p in grid + rng.uniform(-4, 4, grid.shape)
    ]
    table = cells(make, *paths)
    good = lap(table, field, splitting_max_distance_um=None)
    assert (good.groupby("mass")["track_id"].nunique() == 1).all()
    still = lap(table, field, splitting_max_distance_um=None, motion="none")
    assert (still.groupby("mass")["track_id"].nunique() > 1).any()


def test_division_names_the_mother(make, field):
    mother = [(t, 300.0, 300.0) for t in range(5)]
    one = [(t, 300.0 - 3 * (t - 4), 300.0) for t in range(5, 10)]
    two = [(t, 300.0 + 3 * (t - 4), 300.0) for t in range(5, 10)]
    other = [(t, 340.0, 300.0) for t in range(10)]
    tracks = lap(cells(make, mother, one, two, other), field)
    [mum] = tracks_of(tracks, 1)
    daughters = tracks[tracks["mass"].isin([2, 3])]
    assert daughters["track_id"].nunique() == 2
    assert mum not in daughters["track_id"].tolist()
    assert (daughters["parent_track_id"] == mum).all()
    assert tracks.loc[tracks["mass"].isin([1, 4]), "parent_track_id"].isna().all()
    first = daughters[daughters["frame"] == 5]
    assert first["link_distance_um"].isna().all()
    none = lap(
        cells(make, mother, one, two, other), field, splitting_max_distance_um=None
    )
    assert none["parent_track_id"].isna().all()


def test_cell_entering_at_the_edge_is_not_a_daughter(make, field):
    inside = [(t, 14.0, 300.0) for t in range(10)]
    entering = [(t, 4.0, 300.0) for t in range(5, 10)]
    far = [(t, 50.0, 300.0) for t in range(10)]
    table = cells(make, inside, entering, far)
    fixed = {
        "linking_max_distance_um": 9.0,
        "splitting_max_distance_um": 12.0,
        "division": None,
    }
    assert lap(table, field, **fixed)["parent_track_id"].isna().all()
    assert lap(table, field, **fixed, field_edge=False)["parent_track_id"].notna().any()


def test_merge_ends_one_track(make, field):
    stays = [(t, 300.0, 300.0) for t in range(10)]
    joins = [(t, 300.0 + 3 * (6 - t), 300.0) for t in range(5)]
    tracks = lap(
        cells(make, stays, joins),
        field,
        motion="none",
        linking_max_distance_um=5.0,
        merging_max_distance_um=8.0,
    )
    assert [tracks_of(tracks, 1), tracks_of(tracks, 2)] == [[1], [2]]


def test_gap_of_two_frames(make, field):
    path = [(t, 300.0, 300.0 + 2 * t) for t in (0, 1, 2, 5, 6)]
    other = [(t, 400.0, 300.0) for t in range(7)]
    tracks = lap(cells(make, path, other), field)
    cell = tracks[tracks["mass"] == 1]
    assert cell["track_id"].nunique() == 1
    assert cell["gap_frames"].tolist() == [0, 0, 0, 2, 0]
    assert cell["link_distance_um"].iloc[3] == pytest.approx(6.0)
    no_gap = lap(cells(make, path, other), field, gap_closing_max_distance_um=None)
    assert len(tracks_of(no_gap, 1)) == 2


def test_disappearing_cell_does_not_steal_its_neighbour(make, field):
    """A tight automatic limit: when a cell is lost, nobody takes its place."""
    rng = np.random.default_rng(2)
    grid = np.indices((6, 6)).reshape(2, -1).T * 30.0 + 300.0
    paths = [[(t, *(p + rng.normal(0, 0.5, 2))) for t in range(12)] for p in grid]
    paths[14] = paths[14][:6]
    tracks = lap(cells(make, *paths), field)
    assert (tracks.groupby("mass")["track_id"].nunique() == 1).all()
    assert tracks["track_id"].nunique() == 36


def test_confidence_falls_with_the_deviation(make, field):
    path = [(0, 300.0, 300.0), (1, 300.0, 300.0), (2, 300.0, 305.0)]
    tracks = lap(cells(make, path), field, motion="none", linking_max_distance_um=10.0)
    expected = [np.nan, 1.0, 0.75]
    assert tracks["link_confidence"].to_numpy() == pytest.approx(expected, nan_ok=True)


def test_feature_penalty_decides_between_equals(make, field):
    """A small and a large cell swap sides; only their size tells."""
    small = [(0, 300.0, 300.0), (1, 300.0, 306.0)]
    large = [(0, 300.0, 310.0), (1, 300.0, 304.0)]
    table = cells(make, small, large, size=[50.0, 50.0, 200.0, 200.0])
    plain = {"motion": "none", "linking_max_distance_um": 20.0}
    assert len(tracks_of(lap(table, field, **plain), 1)) == 2
    sized = lap(table, field, **plain, feature_penalties={"size": 2.0})
    assert len(tracks_of(sized, 1)) == 1
    with pytest.raises(InputError, match="no numeric column 'colour'"):
        lap(table, field, feature_penalties={"colour": 1.0})


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 500))
def test_relabelling_reordering_and_offset_change_nothing(seed, offset):
    rng = np.random.default_rng(seed)
    n, field = 60, Calibration.regular((1000, 200, 200))
    frame = rng.integers(0, 6, n)
    place = rng.uniform(0, 200, (2, n))

    def table(order, label, shift):
        columns = {
            "frame": frame[order] + shift,
            "time_min": frame[order] * 1.0,
            "label": label[order],
            "y_um": place[0][order],
            "x_um": place[1][order],
            "mass": np.arange(n)[order] * 1.0,
        }
        return filled(DETECTIONS, columns)

    track = TRACKERS["lap"].track
    straight = track(table(np.arange(n), np.arange(n) + 1, 0), field, LapOptions())
    other = track(
        table(rng.permutation(n), rng.permutation(n) + 1, offset), field, LapOptions()
    )
    columns = ["track_id", "parent_track_id", "link_distance_um", "link_confidence"]
    one, two = (t.sort_values("mass", ignore_index=True) for t in (straight, other))
    pd.testing.assert_frame_equal(one[columns], two[columns])
