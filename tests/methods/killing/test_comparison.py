"""The experiment: groups, numbers at each level, specific lysis."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import DEATHS, SURVIVAL
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.comparison import compare_survival
from methods.killing.cases import CALIBRATION, died

DESIGN = Design("condition", "control", None, 0.95, None, 200, 499, 1)


def _movie(deaths_at: list[int], n_alive: int, n_dead_before: int = 0) -> pd.DataFrame:
    n = len(deaths_at)
    table = died(dict(enumerate(deaths_at, start=1)))
    extra = died({n + i: 1 for i in range(1, n_alive + n_dead_before + 1)})
    extra["death_frame"], extra["death_time_min"] = pd.NA, np.nan
    extra["censored"] = True
    extra["reason"] = ["end_of_movie"] * n_alive + ["dead_at_entry"] * n_dead_before
    parts = [DEATHS.conform(part) for part in (table, extra) if len(part)]
    return DEATHS.validate(pd.concat(parts, ignore_index=True))


DEATHS_OF = {
    "a1": _movie([10, 20, 30, 40], 4, n_dead_before=3),
    "a2": _movie([15, 25, 35], 5),
    "b1": _movie([50], 9),
    "b2": _movie([], 10),
}
SHEET = pd.DataFrame(
    {
        "dataset": "x",
        "movie": ["a1", "a2", "b1", "b2"],
        "condition": ["killing", "killing", "alone", "alone"],
        "control": [False, False, True, True],
        "donor": ["d1", "d2", "d1", "d2"],
    }
)


def _run(deaths=DEATHS_OF, sheet=SHEET, design=DESIGN):
    table, summary = compare_survival(deaths, sheet, "cancer", design)
    json.dumps(summary, allow_nan=False)
    return SURVIVAL.validate(table), summary


def test_movies_and_conditions_have_their_curves_and_numbers():
    table, summary = _run()
    assert list(dict.fromkeys(table["group"])) == [*DEATHS_OF, "killing", "alone"]
    ends = table.groupby("group")["survival"].last()
    assert ends["a1"] == pytest.approx(4 / 8) and ends["b2"] == 1.0
    assert ends["killing"] == pytest.approx(9 / 16)
    assert ends["alone"] == pytest.approx(19 / 20)
    groups = {record["group"]: record for record in summary["groups"]}
    assert groups["a1"]["n_cells"] == 11 and groups["a1"]["n_at_risk"] == 8
    assert groups["a1"]["reasons"]["dead_at_entry"] == 3
    assert groups["killing"]["n_movies"] == 2 and groups["killing"]["n_deaths"] == 7
    assert groups["killing"]["rmst_resampled"] == "wells"
    assert groups["a1"]["rmst_resampled"] == "cells"
    assert summary["statement"].count("2 movie(s) of 2 donor(s)") == 2
    assert "16 cells at risk, 7 deaths" in summary["statement"]
    assert "these movies only" in summary["statement"]


def test_specific_lysis_is_taken_at_the_last_time_all_groups_reach():
    _, summary = _run()
    groups = {record["group"]: record for record in summary["groups"]}
    assert summary["horizon_min"] == CALIBRATION.times_min[-1]
    spontaneous, dead = 1 / 20, 7 / 16
    expected = 100 * (dead - spontaneous) / (1 - spontaneous)
    assert groups["killing"]["specific_lysis_percent"] == pytest.approx(expected)
    assert groups["alone"]["specific_lysis_percent"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("flags", [["no", "no", "Yes", "TRUE"], [0, 0, 1, 1]])
def test_a_control_may_be_flagged_in_any_usual_way(flags):
    _, summary = _run(sheet=SHEET.assign(control=flags))
    assert summary["groups"][-1]["specific_lysis_percent"] == pytest.approx(0, abs=1e-9)


def test_fields_of_one_well_are_permuted_together():
    sheet = SHEET.assign(well=["w1", "w1", "w1", "w1"])
    sheet["donor"] = "d1"
    _, summary = _run(sheet=sheet)
    test = summary["test"]
    assert test["n_movies"] == [2, 2] and test["n_wells"] == [1, 1]
    # Two wells: any labelling is as extreme as the other.
    assert test["p_movies"] == 1.0
    assert "2 movie(s) of 1 well(s) of 1 donor(s)" in summary["statement"]
    assert {g["rmst_resampled"] for g in summary["groups"]} == {"cells"}


def test_curves_have_a_band_and_bounds_over_wells():
    table, _ = _run()
    by_group = table.groupby("group")
    both = table["band_low"].notna()
    assert both.any()
    assert (table["band_low"] <= table["ci_low"] + 1e-12)[both].all()
    assert (table["band_high"] >= table["ci_high"] - 1e-12)[both].all()
    assert by_group["wells_low"].count()[["a1", "a2", "b1", "b2"]].sum() == 0
    wells = table[table["group"] == "killing"]
    assert (wells["wells_low"] <= wells["survival"]).all()
    assert (wells["wells_high"] >= wells["survival"]).all()
    assert (wells["wells_low"] < wells["survival"]).any()


def test_both_levels_are_tested_and_the_movies_say_less():
    _, summary = _run()
    test = summary["test"]
    assert test["groups"] == ["killing", "alone"] and test["n_movies"] == [2, 2]
    assert test["observed_deaths"] == [7, 1]
    assert test["p_cells"] < 0.01
    assert test["p_movies"] == pytest.approx(1 / 3, abs=0.06)


def test_a_replicate_column_stratifies_the_test():
    _, summary = _run(design=Design(**(DESIGN.__dict__ | {"stratify_by": "donor"})))
    assert summary["test"]["stratified_by"] == "donor"
    assert summary["test"]["p_movies"] == pytest.approx(1 / 2, abs=0.07)


def test_a_sheet_without_conditions_shows_movies_only():
    _, summary = _run(sheet=SHEET[["dataset", "movie"]])
    assert [record["level"] for record in summary["groups"]] == ["movie"] * 4
    assert summary["test"] is None
    assert {r["specific_lysis_percent"] for r in summary["groups"]} == {None}


def test_a_condition_named_like_a_movie_keeps_its_own_curve():
    sheet = SHEET.assign(condition=["b1", "b1", "alone", "alone"])
    table, _ = _run(sheet=sheet)
    assert set(table["group"]) == {*DEATHS_OF, "condition=b1", "alone"}


def test_a_condition_column_named_like_one_of_ours_is_harmless():
    sheet = SHEET.rename(columns={"condition": "reason"})
    design = Design(**(DESIGN.__dict__ | {"group_by": "reason"}))
    table, summary = _run(sheet=sheet, design=design)
    assert {"killing", "alone"} <= set(table["group"])
    assert summary["test"]["observed_deaths"] == [7, 1]


def test_movies_that_failed_or_are_empty_are_missing_not_invented():
    deaths = {"a1": DEATHS_OF["a1"], "b1": DEATHS.empty()}
    table, summary = _run(deaths)
    assert set(table["group"]) == {"a1", "killing"}
    assert summary["test"] is None
    table, summary = _run({"a1": DEATHS.empty()})
    assert table.empty and summary["groups"] == [] and summary["horizon_min"] is None
    table, summary = _run({})
    assert table.empty


def test_the_horizon_may_be_given_and_is_undefined_where_nobody_was_watched():
    late = Design(**(DESIGN.__dict__ | {"horizon_min": 1000.0}))
    _, summary = _run(design=late)
    assert summary["groups"][0]["rmst_min"] is None
    early = Design(**(DESIGN.__dict__ | {"horizon_min": 100.0}))
    _, summary = _run(design=early)
    # a1: deaths at 50 and 100 min of 8 cells.
    assert summary["groups"][0]["rmst_min"] == pytest.approx(50 + 50 * 7 / 8)
