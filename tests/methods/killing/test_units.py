"""What the sheet says of a movie, whatever its columns are called."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.units import clusters, movie_groups, sheet_units
from methods.killing.experiments import sheet

DESIGN = Design("condition", "control", None, 0.95, None, 50, 99, 1)


def test_a_well_is_named_within_its_plate_donor_and_condition():
    plan = sheet({"car": 2, "mock": 2}, donors=2, fields=3)
    units = sheet_units(plan, DESIGN)
    assert units["well"].nunique() == 2 * 2 * 2
    fields = units.loc[[f"car_0_1_{f}" for f in range(3)], "well"]
    assert fields.nunique() == 1
    second = plan.assign(dataset="other", movie=plan["movie"] + "x")
    both = sheet_units(pd.concat([plan, second]), DESIGN)
    assert both["well"].nunique() == 16


def test_without_columns_every_movie_is_its_own_well():
    plan = pd.DataFrame({"dataset": "x", "movie": ["1", "2"]})
    units = sheet_units(plan, DESIGN)
    assert units["well"].tolist() == ["1", "2"]
    assert units["donor"].isna().all() and units["group"].isna().all()
    assert not units["control"].any() and units["et"].isna().all()
    assert [g.name for g in movie_groups(units, ["1", "2"], DESIGN)] == ["1", "2"]


def test_the_columns_may_have_other_names():
    plan = sheet({"car": 1, "alone": 1}).rename(
        columns={"well": "position", "donor": "patient", "effector_to_target": "E_T"}
    )
    named = Design(
        *("condition", "control", None, 0.95, None, 50, 99, 1),
        well_column="position",
        donor_column="patient",
        et_column="E_T",
    )
    units = sheet_units(plan, named)
    assert units["donor"].tolist() == ["d0", "d0"] and units["et"].tolist() == [1, 0]
    assert units["control"].tolist() == [False, True]


def test_a_condition_that_is_called_like_a_movie_stays_apart():
    plan = pd.DataFrame({"dataset": "x", "movie": ["a", "b"], "condition": ["a", "a"]})
    groups = movie_groups(sheet_units(plan, DESIGN), ["a", "b"], DESIGN)
    assert [g.name for g in groups] == ["a", "b", "condition=a"]
    assert groups[-1].movies == ("a", "b") and groups[-1].level == "condition"


def test_wells_and_donors_are_numbered_together():
    plan = sheet({"car": 2}, donors=2, fields=2)
    units = sheet_units(plan, DESIGN)
    well, donor = clusters(units, list(plan["movie"]))
    assert well.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and donor.tolist() == [0, 0, 1, 1]
    single = clusters(units, ["car_0_0_0", "car_0_1_0", "car_1_0_0"])
    assert single[1].tolist() == [0, 0, 0]
    none = clusters(units, [])
    assert [len(part) for part in none] == [0, 0]
    assert np.issubdtype(none[0].dtype, np.integer)
