"""Prism tables: against lifelines, and against what was put in."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter

from cyto_kedro.core.schemas import DEATHS, SURVIVAL
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier
from cyto_kedro.methods.reporting import prism
from tables import filled


def deaths(seed, n=30):
    draw = np.random.default_rng(seed)
    end = draw.integers(1, 60, n) * 2.0
    died = draw.random(n) < 0.6
    return filled(
        DEATHS,
        {
            "track_id": np.arange(1, n + 1),
            "entry_min": np.zeros(n),
            "exit_min": np.where(died, 118.0, end),
            "death_time_min": np.where(died, end, np.nan),
            "censored": ~died,
            "peak_signal": 1.0,
            "reason": np.where(died, "died", "lost"),
        },
    )


def test_the_survival_sheet_gives_lifelines_the_curve_that_we_show():
    """What Prism computes from the sheet is Kaplan-Meier on its rows."""
    table = deaths(1)
    sheet = prism.survival_cells({"a": table}, {"a": "killing"})
    assert list(sheet.columns) == ["minutes_in_view", "killing"]
    fitter = KaplanMeierFitter().fit(sheet["minutes_in_view"], sheet["killing"])
    ours = kaplan_meier(
        Subjects(
            table["entry_min"].to_numpy(),
            table["death_time_min"].fillna(table["exit_min"]).to_numpy(),
            ~table["censored"].to_numpy(),
        )
    )
    theirs = fitter.survival_function_at_times(ours.time).to_numpy()
    np.testing.assert_allclose(ours.survival, theirs, atol=1e-12)


def test_groups_stand_side_by_side_and_the_dead_at_entry_are_left_out():
    late = deaths(2, 5).assign(reason="dead_at_entry")
    both = {"a": deaths(1, 4), "b": deaths(3, 6), "c": late}
    sheet = prism.survival_cells(both, {"a": "killing", "b": "control", "c": "control"})
    assert sheet["killing"].notna().sum() == 4
    assert sheet["control"].notna().sum() == 6
    assert (sheet[["killing", "control"]].notna().sum(axis=1) == 1).all()


def test_curves_hold_their_value_and_end_with_their_data():
    table = filled(
        SURVIVAL,
        {
            "group": ["a", "a", "b"],
            "role": "cancer",
            "time_min": [10.0, 30.0, 20.0],
            "survival": [0.5, 0.25, 0.9],
            "ci_low": [0.4, 0.2, 0.8],
            "ci_high": [0.6, 0.3, 1.0],
        },
    )
    curves = prism.survival_curves(table, "cancer", ["a", "b"]).set_index("time_min")
    assert list(curves.columns) == [
        "a", "a upper", "a lower", "b", "b upper", "b lower"
    ]  # fmt: skip
    assert curves["a"].tolist() == [100, 50, 50, 25]
    np.testing.assert_allclose(curves["b"], [100, 100, 90, np.nan])
    assert curves.loc[20, "a lower"] == 40


def test_columns_end_where_their_values_do():
    table = prism.columns_of({"a": [1.0, np.nan, 3.0], "b": [5.0]})
    assert table["a"].tolist() == [1, 3]
    text = table.to_csv(index=False)
    assert text.splitlines() == ["a,b", "1.0,5.0", "3.0,"]


def test_traces_are_a_column_per_cell():
    table = pd.DataFrame(
        {"track_id": [2, 1, 1], "time_min": [4.0, 2.0, 0.0], "signal": [9.0, 8.0, 7.0]}
    )
    wide = prism.traces(table, "track_id", "signal", "cancer")
    again = pd.read_csv(io.StringIO(wide.to_csv(index=False)))
    assert list(again.columns) == ["time_min", "cancer 1", "cancer 2"]
    assert again["cancer 1"].tolist()[:2] == [7, 8] and np.isnan(again["cancer 1"][2])


def test_nothing_gives_headed_empty_tables():
    assert prism.over_time({}, "x").empty
    assert prism.survival_cells({}, {}).empty
    empty = pd.DataFrame({"track_id": [], "time_min": [], "v": []})
    assert list(prism.traces(empty, "track_id", "v", "a")) == ["time_min"]
