"""Conditions compared: which unit, how many, and what may be concluded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from cyto_kedro.core.schemas import COMPARISONS, ET_DEPENDENCE, SUPERPLOT
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.contrasts import comparison_table
from cyto_kedro.methods.killing.et_dependence import et_dependence
from cyto_kedro.methods.killing.outcomes import killing_outcomes, survival_outcomes
from cyto_kedro.methods.killing.units import sheet_units
from methods.killing.experiments import END_MIN, cells, killers, sheet

BASE = ("condition", "control", None, 0.95, None, 300, 9999, 1)
DESIGN = Design(*BASE)
HAZARD = {"car": 0.5, "mock": 0.15, "alone": 0.05}


def _superplot(plan, design=DESIGN, seed=0, hazard=HAZARD, n=40) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = list(zip(plan["movie"], plan["condition"], strict=True))
    deaths = {m: cells(random, n, hazard[c], 0.1) for m, c in rows}
    units = sheet_units(plan, design)
    return SUPERPLOT.validate(survival_outcomes(deaths, plan, units, "cancer", design))


def _compare(plan, design=DESIGN, **more) -> pd.DataFrame:
    table = comparison_table(_superplot(plan, design, **more), design)
    return COMPARISONS.validate(table)


def _one(table, outcome="survival", a="car", b="mock") -> pd.Series:
    found = table[(table["outcome"] == outcome) & (table["group_a"] == a)]
    return found[found["group_b"] == b].iloc[0]


def test_wells_within_donors_are_the_unit_and_every_n_is_told():
    plan = sheet({"car": 3, "mock": 2}, donors=2, fields=2)
    row = _one(_compare(plan))
    counts = {k: row[f"n_{k}_a"] for k in ("movies", "wells", "donors")}
    assert counts == {"movies": 12, "wells": 6, "donors": 2}
    assert row["n_cells_b"] == 8 * 40 and row["n_wells_b"] == 4
    assert row["unit"] == "well"
    assert row["difference"] > 0.2 and row["difference_low"] > 0
    assert row["cliffs_delta"] == 1
    assert row["least_p"] == pytest.approx(1 / 100) == row["p_value"]
    assert "6 well(s) against 4 within 2 donors" in row["note"]


def test_one_well_per_donor_and_condition_makes_the_donors_pairs():
    row = _one(_compare(sheet({"car": 1, "mock": 1}, donors=4)))
    assert row["unit"] == "donor" and row["p_value"] == pytest.approx(2 / 16)
    assert "4 donors, each in both conditions" in row["note"]
    assert "too few: the least p-value that they can give is 0.12" in row["note"]
    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_donors_can_be_asked_for_as_the_unit():
    plan = sheet({"car": 3, "mock": 3}, donors=3)
    by_donor = _one(_compare(plan, Design(*BASE, unit="donor")))
    by_well = _one(_compare(plan, Design(*BASE, unit="well")))
    assert (by_donor["unit"], by_well["unit"]) == ("donor", "well")
    assert by_donor["p_value"] == pytest.approx(2 / 8)
    assert by_well["p_value"] < 0.01


def test_where_no_donor_is_in_both_conditions_the_donor_is_the_unit():
    plan = sheet({"car": 3, "mock": 3}, donors=3)
    plan["donor"] = plan["condition"] + plan["donor"]
    row = _one(_compare(plan))
    assert row["unit"] == "donor" and row["p_value"] == pytest.approx(2 / 20)
    assert "no donor is in both conditions" in row["note"]


def test_donors_of_one_condition_only_are_left_out_and_it_is_said():
    plan = sheet({"car": 2, "mock": 2}, donors=3)
    plan = plan[~((plan["donor"] == "d2") & (plan["condition"] == "mock"))]
    row = _one(_compare(plan))
    assert "1 donor(s) are in one condition only and left out" in row["note"]
    assert row["least_p"] == pytest.approx(2 / 36)


def test_one_well_against_one_is_described_and_not_tested():
    row = _one(_compare(sheet({"car": 1, "mock": 1}).drop(columns=["well", "donor"])))
    assert row["unit"] == "movie" and np.isfinite(row["difference"])
    assert np.isnan(row["p_value"]) and np.isnan(row["difference_low"])
    assert "too few to infer anything beyond these wells" in row["note"]
    assert row["n_tests"] == 0


def test_fields_of_a_well_do_not_make_a_result_more_certain():
    few = _one(_compare(sheet({"car": 3, "mock": 3})))
    many = _one(_compare(sheet({"car": 3, "mock": 3}, fields=4)))
    assert many["n_movies_a"] == 12 and many["n_wells_a"] == few["n_wells_a"] == 3
    assert many["p_value"] == few["p_value"] == pytest.approx(0.1)


def test_p_values_are_corrected_over_what_was_asked():
    plan = sheet({"car": 4, "mock": 4, "alone": 4})
    everything = _compare(plan)
    tested = everything["p_value"].notna()
    assert (everything["n_tests"] == tested.sum()).all() and tested.sum() > 9
    assert (everything.loc[tested, "p_holm"] >= everything.loc[tested, "p_bh"]).all()
    one = _compare(plan, Design(*BASE, outcomes=("survival",)))
    assert set(one["outcome"]) == {"survival"} and (one["n_tests"] == 3).all()
    each = _compare(plan, Design(*BASE, correct_over="outcome"))
    assert _one(each)["p_holm"] == pytest.approx(_one(one)["p_holm"])
    reference = _compare(plan, Design(*BASE, reference="alone", outcomes=("rmst",)))
    assert reference["group_a"].unique().tolist() == ["alone"] and len(reference) == 2


def test_without_effects_corrected_p_values_are_rarely_small():
    same = {"car": 0.2, "mock": 0.2, "alone": 0.2}
    small = []
    for seed in range(15):
        plan = sheet({"car": 4, "mock": 4, "alone": 4})
        design = Design(*BASE[:5], 20, 999, 1)
        table = _compare(plan, design, seed=seed, hazard=same, n=25)
        small.append((table["p_holm"] <= 0.05).any())
    assert np.sum(small) <= 2


def test_the_order_of_movies_and_the_names_of_conditions_do_not_matter():
    plan = sheet({"car": 3, "mock": 3}, donors=2)
    superplot = _superplot(plan)
    table = comparison_table(superplot, DESIGN)
    shuffled = superplot.sample(frac=1, random_state=1)
    other = comparison_table(shuffled, DESIGN)
    turned = np.where(other["group_a"] == "car", 1.0, -1.0)
    keyed = other.assign(difference=other["difference"] * turned)
    left = table.set_index("outcome")[["difference", "p_value"]].sort_index()
    right = keyed.set_index("outcome")[["difference", "p_value"]].sort_index()
    pd.testing.assert_frame_equal(left, right)
    renamed = superplot.replace({"group": {"car": "zzz", "mock": "aaa"}})
    again = comparison_table(renamed, DESIGN)
    np.testing.assert_allclose(again["p_value"], table["p_value"])


def test_outcomes_of_a_movie_are_what_its_cells_show():
    plan = sheet({"car": 2, "alone": 2}, donors=2)
    superplot = _superplot(plan, n=2000)
    hours = END_MIN / 60
    wide = superplot[superplot["level"] == "well"].pivot(
        index="name", columns="outcome", values="value"
    )
    cars = wide.loc[[n for n in wide.index if "/car/" in n]]
    np.testing.assert_allclose(cars["survival"], np.exp(-0.5 * hours), atol=0.04)
    expected = 60 * (1 - np.exp(-0.5 * hours)) / 0.5
    np.testing.assert_allclose(cars["rmst"], expected, rtol=0.05)
    # Dying competes with leaving: 0.5 against 0.1 per hour.
    incidence = 0.5 / 0.6 * (1 - np.exp(-0.6 * hours))
    np.testing.assert_allclose(cars["died_in_field"], incidence, atol=0.04)
    lysis = 100 * (1 - np.exp(-0.45 * hours))
    np.testing.assert_allclose(cars["specific_lysis"], lysis, atol=4)
    controls = superplot[superplot["control"]]
    assert "specific_lysis" not in set(controls["outcome"])


def test_lysis_is_against_the_same_donor():
    plan = sheet({"car": 1, "alone": 1}, donors=2)
    fragile = {"car_0_0_0": 0.3, "alone_0_0_0": 0.05, "car_1_0_0": 0.6}
    fragile["alone_1_0_0"] = 0.6
    random = np.random.default_rng(3)
    deaths = {m: cells(random, 1500, fragile[m]) for m in plan["movie"]}
    table = survival_outcomes(deaths, plan, sheet_units(plan, DESIGN), "cancer", DESIGN)
    rows = table[(table["outcome"] == "specific_lysis") & (table["level"] == "movie")]
    lysis = rows.set_index("name")["value"]
    assert lysis["car_0_0_0"] > 50 and abs(lysis["car_1_0_0"]) < 20


def _killing(plan, rate) -> pd.DataFrame:
    """Wells whose effectors kill ``rate`` per hour and E:T doubling."""
    random = np.random.default_rng(4)
    tables, effectors, targets = {}, {}, {}
    for row in plan.itertuples():
        per_hour = 0.5 + rate * np.log2(row.effector_to_target)
        tables[row.movie] = killers(random.poisson(per_hour * 2, 300))
        effectors[row.movie] = cells(random, int(30 * row.effector_to_target), 0.0)
        targets[row.movie] = cells(random, 30, 0.3)
    units = sheet_units(plan, DESIGN)
    roles = ("tcell", "cancer")
    found = killing_outcomes(tables, effectors, targets, units, *roles, DESIGN)
    return SUPERPLOT.validate(found)


def test_the_slope_per_doubling_of_effectors_is_found():
    plan = sheet({"car": 4, "mock": 4}, donors=2)
    superplot = _killing(plan, 0.2)
    measured = superplot[superplot["outcome"] == "et_measured"]
    np.testing.assert_allclose(measured["value"], measured["et_sheet"].fillna(2.5))
    table = ET_DEPENDENCE.validate(et_dependence(superplot, DESIGN))
    rows = table.set_index(["outcome", "source"])
    for source in ("sheet", "measured"):
        row = rows.loc["kills_per_effector_hour", source]
        assert row["slope_per_doubling"] == pytest.approx(0.2, abs=0.03)
        assert row["slope_low"] < 0.2 < row["slope_high"] and row["p_value"] < 0.01
        assert (row["n_units"], row["n_donors"], row["n_ratios"]) == (16, 2, 4)
    flat = et_dependence(_killing(plan, 0.0), DESIGN).set_index(["outcome", "source"])
    assert flat.loc["kills_per_effector_hour", "sheet"]["p_value"] > 0.05


def test_the_slope_is_least_squares_with_an_intercept_per_donor_and_condition():
    superplot = _killing(sheet({"car": 4, "mock": 3}, donors=2), 0.2)
    table = et_dependence(superplot, DESIGN).set_index(["outcome", "source"])
    wells = superplot[superplot["level"] == "well"]
    for outcome in ("kills_per_effector_hour", "gini"):
        part = wells[(wells["outcome"] == outcome) & wells["et_sheet"].notna()]
        dummies = pd.get_dummies(part["donor"] + part["group"], dtype=float)
        design = np.column_stack([np.log2(part["et_sheet"]), dummies])
        expected = np.linalg.lstsq(design, part["value"].to_numpy(), rcond=None)[0][0]
        found = table.loc[(outcome, "sheet"), "slope_per_doubling"]
        assert found == pytest.approx(expected, rel=1e-9)


def test_a_slope_worked_out_by_hand():
    """Wells of one donor at E:T 1, 2, 4 with 1, 2, 6: slope 2.5 per doubling."""
    rows = {
        "level": "well",
        "name": ["w1", "w2", "w3"],
        "group": "car",
        "donor": "d1",
        "well": ["w1", "w2", "w3"],
        "control": False,
        "et_sheet": [1.0, 2.0, 4.0],
        "role": "cancer",
        "effector": "tcell",
        "outcome": "kills_per_effector_hour",
        "unit": "1/h",
        "value": [1.0, 2.0, 6.0],
        "n_cells": 10,
    }
    row = et_dependence(SUPERPLOT.conform(pd.DataFrame(rows)), DESIGN).iloc[0]
    assert row["slope_per_doubling"] == pytest.approx(2.5)
    # Of six orders this one and its mirror are the most extreme.
    assert row["p_value"] == pytest.approx(1 / 3, abs=0.07)
    assert (row["n_units"], row["n_ratios"], row["n_tests"]) == (3, 3, 1)


@pytest.mark.parametrize("over", ["all", "outcome"])
def test_slopes_of_many_outcomes_are_corrected_for(over):
    design = replace(DESIGN, correct_over=over)
    table = et_dependence(_killing(sheet({"car": 4}, donors=2), 0.2), design)
    keys = ["outcome"] if over == "outcome" else ["role"]
    for _, part in table.groupby(keys):
        tested = part["p_value"].dropna()
        assert (part["n_tests"] == len(tested)).all()
        theirs = false_discovery_control(tested)
        np.testing.assert_allclose(part.loc[tested.index, "p_bh"], theirs)
        least = min(1.0, tested.min() * len(tested))
        assert part["p_holm"].min() == pytest.approx(least)


def test_a_condition_with_more_effectors_is_no_effect_of_their_number():
    plan = sheet({"car": 3, "mock": 3})
    superplot = _superplot(plan)
    apart = superplot.assign(et_sheet=superplot["group"].map({"car": 4.0, "mock": 1.0}))
    assert et_dependence(apart, DESIGN).empty


def test_nothing_to_compare_gives_empty_typed_tables():
    alone = _superplot(sheet({"car": 3}))
    assert COMPARISONS.validate(comparison_table(alone, DESIGN)).empty
    assert COMPARISONS.validate(comparison_table(SUPERPLOT.empty(), DESIGN)).empty
    assert ET_DEPENDENCE.validate(et_dependence(SUPERPLOT.empty(), DESIGN)).empty
