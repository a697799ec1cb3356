"""Combining columns: the right rows meet, and undefined stays undefined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.schemas import FEATURES
from cyto_kedro.methods.features.operations import OPERATIONS, Operation, combine
from tables import tracks_table


@pytest.fixture
def tables():
    tracks = tracks_table([0, 0, 1, 1], [1, 2, 1, 2], [0] * 4, range(4))
    tracks = tracks.assign(
        mean_red=[8.0, 6.0, 0.0, 5.0], mean_green=[2.0, 3.0, 7.0, 0.0]
    )
    # In another row order, so that a join by position would be wrong.
    steps = tracks[["track_id", "frame", "label", "time_min"]].iloc[::-1]
    steps = steps.assign(speed_um_per_min=[40.0, 30.0, 20.0, 10.0])
    summary = pd.DataFrame({"track_id": [2, 1], "path_um": [20.0, 10.0]})
    counts = pd.DataFrame({"frame": [0, 1], "time_min": [0.0, 1.0], "n_cells": [2, 2]})
    return {
        "tcell.tracks": tracks,
        "tcell.kinematics": steps,
        "tcell.track_summary": summary,
        "tcell.frame_counts": counts,
        "cancer.frame_counts": counts.assign(n_cells=[4, 0]),
        "cancer.tracks": tracks,
    }


def made(tables, operation, left, right):
    sides = [
        dict(zip(("table", "column"), s.rsplit(":", 1), strict=True))
        for s in (left, right)
    ]
    given = {"feature": "f", "operation": operation}
    given |= dict(zip(("left", "right"), sides, strict=True))
    return FEATURES.validate(combine(tables, [Operation.model_validate(given)]))


def test_two_columns_of_one_table(tables):
    table = made(tables, "ratio", "tcell.tracks:mean_red", "tcell.tracks:mean_green")
    by_cell = table.set_index(["frame", "track_id"])["value"]
    assert by_cell[(0, 1)] == 4 and by_cell[(0, 2)] == 2 and by_cell[(1, 1)] == 0
    assert np.isnan(by_cell[(1, 2)]), "divided by 0"
    assert set(table["role"]) == {"tcell"} and table["label"].notna().all()


def test_tables_of_one_role_meet_by_track_and_frame(tables):
    table = made(
        tables, "difference", "tcell.kinematics:speed_um_per_min", "tcell.tracks:frame"
    )
    by_cell = table.set_index(["frame", "track_id"])["value"].to_dict()
    assert by_cell == {(0, 1): 10, (0, 2): 20, (1, 1): 29, (1, 2): 39}


def test_a_value_of_the_track_goes_to_each_of_its_points(tables):
    table = made(
        tables,
        "ratio",
        "tcell.kinematics:speed_um_per_min",
        "tcell.track_summary:path_um",
    )
    by_cell = table.set_index(["frame", "track_id"])["value"].to_dict()
    assert by_cell == {(0, 1): 1, (0, 2): 1, (1, 1): 3, (1, 2): 2}


def test_effector_to_target_ratio_of_each_frame(tables):
    table = made(
        tables, "ratio", "tcell.frame_counts:n_cells", "cancer.frame_counts:n_cells"
    )
    assert table["value"].iloc[0] == 0.5 and np.isnan(table["value"].iloc[1])
    assert table["role"].isna().all() and table["track_id"].isna().all()
    assert table["time_min"].tolist() == [0, 1]


def test_cells_against_the_count_of_the_other_role(tables):
    table = made(
        tables, "log2_ratio", "tcell.tracks:mean_red", "cancer.frame_counts:n_cells"
    )
    values = table.set_index(["frame", "track_id"])["value"]
    assert values[(0, 1)] == 1 and values[(0, 2)] == pytest.approx(np.log2(1.5))
    assert values[1].isna().all(), "nobody to compare with in frame 1"


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ("tcell.tracks:mean_red", "cancer.tracks:mean_red", "cannot be joined"),
        ("tcell.tracks:mean_red", "nk.tracks:mean_red", "no table 'nk.tracks'"),
        ("tcell.tracks:mean_red", "tcell.tracks:blue", "no numeric column 'blue'"),
        ("tcell.tracks:channel", "tcell.tracks:mean_red", "no numeric column"),
    ],
)
def test_what_has_no_meaning_is_refused(tables, left, right, message):
    with pytest.raises(ConfigError, match=message):
        made(tables, "ratio", left, right)


def test_one_cell_per_frame_does_not_make_roles_joinable(tables):
    single = {
        name: table.iloc[[0, 2]] for name, table in tables.items() if ".tracks" in name
    }
    with pytest.raises(ConfigError, match="cannot be joined"):
        made(single, "ratio", "tcell.tracks:mean_red", "cancer.tracks:mean_red")


def test_operations_are_a_fixed_set(tables):
    side = {"table": "tcell.tracks", "column": "mean_red"}
    one = {"feature": "f", "operation": "ratio", "left": side, "right": side}
    with pytest.raises(ValidationError):
        Operation.model_validate(one | {"operation": "left ** right"})
    assert len(FEATURES.validate(combine(tables, []))) == 0


def test_tables_without_rows(tables):
    none = {name: table.head(0) for name, table in tables.items()}
    assert len(made(none, "ratio", "tcell.tracks:mean_red", "tcell.tracks:frame")) == 0


@given(
    st.lists(
        st.tuples(st.floats(0.01, 1e6), st.floats(0.01, 1e6)), min_size=1, max_size=9
    )
)
@settings(max_examples=30, deadline=None)
def test_swapping_sides_inverts(pairs):
    left, right = np.array(pairs).T
    ratio, logged = OPERATIONS["ratio"], OPERATIONS["log2_ratio"]
    np.testing.assert_allclose(ratio(left, right) * ratio(right, left), 1)
    np.testing.assert_allclose(logged(left, right), -logged(right, left), atol=1e-12)
    np.testing.assert_allclose(2 ** logged(left, right), ratio(left, right))
