"""The result table of a small movie whose every number is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import (
    CELLS,
    CONTACTS,
    EXPERIMENT_RESULT,
    KINEMATICS,
    RESULT,
    VIABILITY,
)
from cyto_kedro.methods.results.experiment import dictionary_table, experiment_table
from cyto_kedro.methods.results.table import result_table
from tables import filled, tracks_table

CHANNELS = ("green", "red", "death")


def movie():
    """Two frames; T cell 1 touches cancer 1 and 2, T cell 2 touches cancer 2."""
    frame = [0, 0, 1, 1]
    place = {"y_um": [10, 20, 11, 22], "x_um": [5, 6, 7, 8]}
    tracks = {
        role: tracks_table(
            frame,
            ids,
            **place,
            mean_green=np.arange(4.0) + start,
            mean_red=np.arange(4.0) + start + 100,
        )
        for role, ids, start in (
            ("tcell", [7, 3, 7, 3], 0),
            ("cancer", [1, 2, 1, 2], 9),
        )
    }
    kinematics = {
        role: filled(
            KINEMATICS,
            {
                "track_id": table["track_id"],
                "frame": table["frame"],
                "label": table["label"],
                "vel_y_um_per_min": [np.nan, np.nan, 1.0, 2.0],
                "vel_x_um_per_min": [np.nan, np.nan, 2.0, 2.0],
            },
        ).sample(frac=1, random_state=0)
        for role, table in tracks.items()
    }
    contacts = filled(
        CONTACTS,
        {
            "frame": [1, 1, 1, 0],
            "effector": "tcell",
            "target": "cancer",
            "effector_label": [1, 1, 2, 1],
            "target_label": [2, 1, 2, 1],
            "distance_um": [0.5, 0.5, 0.0, 9.0],
            "in_contact": [True, True, True, False],
        },
    )
    viability = filled(
        VIABILITY,
        {
            "track_id": [2, 1],
            "frame": [1, 0],
            "label": [2, 1],
            "alive_probability": [0.25, 0.75],
        },
    )
    return tracks, kinematics, {"tcell_cancer": contacts}, {"cancer": viability}


def collect(parts, channels=CHANNELS):
    result, cells = result_table(*parts, channels)
    return RESULT.validate(result), CELLS.validate(cells)


def test_every_cell_has_one_row_that_joins_back_to_its_mask():
    result, cells = collect(movie())
    assert result["Id"].tolist() == cells["Id"].tolist() == list(range(1, 9))
    assert cells["role"].tolist() == ["tcell", "tcell", "cancer", "cancer"] * 2
    assert cells["label"].tolist() == [1, 2] * 4
    assert result["t"].tolist() == cells["frame"].tolist() == [0] * 4 + [1] * 4
    assert result["y"].tolist() == [10, 20, 10, 20, 11, 22, 11, 22]
    assert (result["z"] == 0).all()


def test_track_ids_are_unique_in_the_movie_and_stay_with_the_cell():
    result, cells = collect(movie())
    # The largest T cell track is 7: cancer tracks 1 and 2 follow as 8 and 9.
    assert result["Track_id"].tolist() == [7, 3, 8, 9, 7, 3, 8, 9]
    assert cells["track_id"].tolist() == [7, 3, 1, 2] * 2


def test_contacts_count_for_both_partners():
    result, _ = collect(movie())
    assert result["contact_count"].tolist() == [0] * 4 + [2, 1, 1, 2]
    assert result["contact"].tolist() == [False] * 4 + [True] * 4
    # T cell 1 is equally near to both: the lower Id. Cancer 2 is nearer to T cell 2.
    assert result["contact_cell_id"].tolist()[4:] == [7, 8, 5, 6]
    assert result["contact_cell_id"].isna().tolist() == [True] * 4 + [False] * 4


def test_measurements_find_their_cell_whatever_the_order_of_rows():
    result, _ = collect(movie())
    assert result["ch0_signal"].tolist() == [0, 1, 9, 10, 2, 3, 11, 12]
    assert result["ch1_signal"].tolist() == [100, 101, 109, 110, 102, 103, 111, 112]
    alive = result["alive_probability"]
    assert alive.isna().sum() == 6 and (alive[2], alive[7]) == (0.75, 0.25)
    assert result["vel_y"].tolist()[4:] == [1, 2, 1, 2]
    assert result["vel_x"].tolist()[4:] == [2, 2, 2, 2]
    assert result["vel_z"].tolist()[4:] == [0] * 4
    assert result[["vel_x", "vel_y", "vel_z"]].iloc[:4].isna().all(axis=None)


def test_one_channel_leaves_the_second_signal_undefined():
    result, _ = collect(movie(), channels=("green",))
    assert result["ch1_signal"].isna().all() and result["ch0_signal"].notna().all()


def test_a_channel_that_was_not_measured_is_an_error():
    with pytest.raises(InputError, match="blue"):
        collect(movie(), channels=("blue",))


def test_tables_of_different_runs_are_refused():
    tracks, kinematics, contacts, viability = movie()
    kinematics["tcell"].iloc[0, 2] = 99
    with pytest.raises(InputError, match="not in the tracks"):
        collect((tracks, kinematics, contacts, viability))


def test_a_movie_without_cells_gives_empty_tables():
    tracks, kinematics, contacts, viability = (
        {key: table.iloc[:0] for key, table in part.items()} for part in movie()
    )
    result, cells = collect((tracks, kinematics, contacts, viability))
    assert len(result) == len(cells) == 0


pairs = st.tuples(st.integers(1, 6), st.integers(1, 6))


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(pairs, st.floats(0, 3), max_size=20))
def test_nearest_partner_equals_a_search_through_all(touching):
    tracks = {
        role: tracks_table([0] * 6, range(1, 7), [0] * 6, [0] * 6)
        for role in ("tcell", "cancer")
    }
    columns = {"effector": "tcell", "target": "cancer", "in_contact": True}
    columns |= {"effector_label": [a for a, _ in touching]}
    columns |= {"target_label": [b for _, b in touching]}
    columns |= {"distance_um": list(touching.values()), "frame": [0] * len(touching)}
    index = range(len(touching))
    contacts = filled(CONTACTS, pd.DataFrame(columns, index=index).to_dict("series"))
    result, _ = result_table(tracks, {}, {"tcell_cancer": contacts}, {}, ())
    for cell in range(1, 13):
        mine = {}
        for (a, b), distance in touching.items():
            if cell == a:
                mine[b + 6] = distance
            elif cell == b + 6:
                mine[a] = distance
        row = result.iloc[cell - 1]
        assert row["contact_count"] == len(mine)
        if mine:
            assert row["contact_cell_id"] == min(mine, key=lambda k: (mine[k], k))


def test_the_experiment_joins_conditions_and_leaves_failed_movies_out():
    result, cells = collect(movie())
    sheet = pd.DataFrame(
        {
            "dataset": "d",
            "movie": ["b", "failed", "a"],
            "donor": [1, 2, 3],
            "drug": ["x", "y", None],
            "x": [0.1, 0.2, 0.3],
        }
    )
    table = experiment_table(
        {"a": result, "b": result}, {"a": cells, "b": cells}, sheet
    )
    EXPERIMENT_RESULT.validate(table)
    assert table["movie"].tolist() == ["b"] * 8 + ["a"] * 8
    assert table["donor"].tolist() == [1] * 8 + [3] * 8
    assert table["drug"].isna().tolist() == [False] * 8 + [True] * 8
    # A condition may not overwrite a measurement.
    assert table["condition_x"].tolist() == [0.1] * 8 + [0.3] * 8
    assert table["x"].tolist() == result["x"].tolist() * 2
    assert table["role"].tolist() == cells["role"].tolist() * 2
    assert table["time_min"].tolist() == cells["time_min"].tolist() * 2


@pytest.mark.parametrize("names", [[], ["a"]])
def test_an_experiment_without_any_cell_keeps_its_columns(names):
    sheet = pd.DataFrame({"dataset": ["d"], "movie": ["a"], "donor": [1]})
    results = {name: RESULT.empty() for name in names}
    cells = {name: CELLS.empty() for name in names}
    table = EXPERIMENT_RESULT.validate(experiment_table(results, cells, sheet))
    assert table.empty and "donor" in table


def test_the_data_dictionary_names_every_result_column_and_condition():
    sheet = pd.DataFrame({"dataset": ["d"], "movie": ["a"], "donor": [1]})
    table = dictionary_table(sheet)
    named = table[table["table"] == "result"]["column"].tolist()
    assert named == list(RESULT.columns)
    whole = table[table["table"] == "experiment_result"]["column"].tolist()
    assert whole == [*EXPERIMENT_RESULT.columns, "donor"]
    assert table["meaning"].str.len().min() > 0
    assert not table.duplicated(["table", "column"]).any()


def test_the_data_dictionary_shows_the_columns_of_channels_readably():
    table = dictionary_table(pd.DataFrame({"dataset": ["d"], "movie": ["a"]}))
    tracks = table[table["table"] == "tracks"]
    assert set(tracks["file"]) == {"<role>/tracks.parquet"}
    named = set(tracks["column"])
    assert {"mean_<channel>", "background_<channel>"} <= named
    assert not table["column"].str.contains(r"[\^$+]").any()
