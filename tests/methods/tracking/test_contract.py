"""What every tracker promises, whichever method is configured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import DETECTIONS, TRACKS
from cyto_kedro.methods.tracking import TRACKERS

pytestmark = pytest.mark.parametrize("name", list(TRACKERS))


@pytest.fixture
def run(draw):
    """Track with the masks at hand, as the pipeline does."""

    def track(name, table, field, **options):
        tracker = TRACKERS[name]
        chosen = tracker.options(name=name, **options)
        return tracker.track(table, field, chosen, draw(table))

    return track


def grid(n_frames, side, step=50.0):
    frame, row, column = np.indices((n_frames, side, side)).reshape(3, -1)
    return frame, row * step + frame, column * step + 0.5 * frame


def test_no_cells_at_all(run, name, field):
    tracks = run(name, DETECTIONS.empty(), field)
    assert len(tracks) == 0
    pd.testing.assert_series_equal(tracks.dtypes, TRACKS.empty().dtypes)


def test_one_cell_in_one_frame(run, name, make, field):
    tracks = run(name, make([3], [5.0], [6.0]), field)
    TRACKS.validate(tracks)
    assert tracks["track_id"].tolist() == [1]
    assert tracks["link_distance_um"].isna().all()
    assert tracks["parent_track_id"].isna().all()


def test_one_cell_in_all_frames_is_one_track(run, name, make, field):
    frame = np.arange(20)
    tracks = run(name, make(frame, 5.0 + frame, np.full(20, 9.0)), field)
    assert tracks["track_id"].unique().tolist() == [1]
    assert np.allclose(tracks["link_distance_um"][1:], 1.0)


def test_cells_that_stand_still(run, name, make, field):
    frame = np.repeat(np.arange(6), 2)
    tracks = run(name, make(frame, np.tile([10.0, 60.0], 6), np.full(12, 10.0)), field)
    assert tracks.groupby("track_id").size().tolist() == [6, 6]
    assert (tracks["link_distance_um"].dropna() == 0).all()


def test_grid_keeps_identities_and_all_columns(run, name, make, field):
    table = make(*grid(5, 6), mean_death=np.arange(180.0))
    before = table.copy(deep=True)
    tracks = run(name, table, field)
    pd.testing.assert_frame_equal(table, before)
    TRACKS.validate(tracks)
    merged = tracks.merge(table, on=["frame", "label"], suffixes=("", "_in"))
    assert (merged["mean_death"] == merged["mean_death_in"]).all()
    # Labels run alike in every frame of the grid: a track is one label.
    assert (tracks.groupby("track_id")["label"].nunique() == 1).all()
    assert tracks["track_id"].nunique() == 36


def test_row_order_and_repetition_change_nothing(run, name, make, field):
    table = make(*grid(4, 5))
    shuffled = table.sample(frac=1.0, random_state=1)
    first = run(name, table, field)
    pd.testing.assert_frame_equal(first, run(name, shuffled, field))
    pd.testing.assert_frame_equal(first, run(name, table, field))


def test_labels_above_16_bits(run, name, make, field):
    frame, y, x = grid(3, 3)
    label = 70_000 + np.tile(np.arange(9), 3) * 1_000
    tracks = run(name, make(frame, y, x, label=label), field)
    assert (tracks.groupby("track_id")["label"].nunique() == 1).all()
    assert tracks["label"].max() == 78_000


def test_long_absence_starts_a_new_track(run, name, make, field):
    tracks = run(name, make([0, 1, 60, 61], [5.0] * 4, [5.0, 6.0, 6.0, 7.0]), field)
    assert tracks["track_id"].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_short_absence_is_bridged(run, name, missing, make, field):
    frame = np.array([0, 1, 2, 3 + missing, 4 + missing])
    other = np.arange(5 + missing)
    table = make(
        np.concatenate([frame, other]),
        np.concatenate([np.full(5, 50.0), np.full(len(other), 300.0)]),
        np.concatenate([np.full(5, 20.0), np.full(len(other), 300.0)]),
    )
    tracks = run(name, table, field, max_gap_frames=2)
    cell = tracks[tracks["y_um"] == 50.0]
    assert cell["track_id"].nunique() == (1 if missing <= 2 else 2)
    assert cell["gap_frames"].max() == (missing if missing <= 2 else 0)


def test_frames_that_are_not_consecutive(run, name, make, field):
    frame = np.arange(0, 12, 2)
    tracks = run(name, make(frame, np.full(6, 5.0), np.full(6, 5.0)), field)
    assert tracks["track_id"].unique().tolist() == [1]
    assert tracks["gap_frames"].tolist() == [0, 1, 1, 1, 1, 1]


def test_missing_coordinate_is_named(run, name, make, field):
    table = make([0, 1], [5.0, np.nan], [5.0, 5.0], label=[7, 9])
    with pytest.raises(InputError, match=r"finite position[\s\S]*frame 1, label 9"):
        run(name, table, field)


def test_repeated_label_is_named(run, name, make, field):
    table = make([0, 0], [5.0, 60.0], [5.0, 5.0], label=[7, 7])
    with pytest.raises(InputError, match=r"twice[\s\S]*frame 0, label 7"):
        run(name, table, field)


def test_ten_thousand_cells_in_a_frame(run, name, make, field):
    if name == "laptrack":
        pytest.skip("its cost matrix is dense: 10,000 cells need 800 MB and a minute")
    table = make(*grid(2, 100, step=10.0))
    near = {"linking_max_distance_um": 4.0}
    options = near if name == "trackpy" else {}
    tracks = run(name, table, field, **options)
    assert (tracks.groupby("track_id")["label"].nunique() == 1).all()
    assert tracks["track_id"].nunique() == 10_000


def test_cells_come_and_go_for_many_frames(run, name, make, field):
    """Blinking for ten frames and back: no tracker bridges it, none fails."""
    frame = np.array([0, 1, 2, 13, 14, 15, 40])
    table = make(frame, np.full(7, 50.0), np.full(7, 50.0))
    tracks = TRACKS.validate(run(name, table, field))
    assert tracks["track_id"].tolist() == [1, 1, 1, 2, 2, 2, 3]


def test_confidence_columns_are_in_bounds(run, name, make, field):
    rng = np.random.default_rng(3)
    frame = np.repeat(np.arange(8), 12)
    tracks = run(name, make(frame, *rng.uniform(10, 90, (2, 96))), field)
    linked = tracks["link_distance_um"].notna()
    for column in ("link_confidence", "link_margin"):
        assert tracks.loc[linked, column].between(0, 1).all()
        assert tracks.loc[~linked, column].isna().all()
    least = tracks.groupby("track_id")["link_margin"].transform("min")
    pd.testing.assert_series_equal(tracks["track_confidence"], least, check_names=False)
    assert not tracks["relinked"].any()
