"""The experiment's nodes: every table valid, whatever is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core import schemas
from cyto_kedro.core.schemas import DEATHS, KILLERS
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.killing.populations import (
    compare_groups,
    leave_or_die,
    rate_killing,
)
from methods.killing.experiments import cells, killers, sheet

OPTIONS = KillingParams.model_validate(
    {"survival": {"n_bootstrap": 100, "n_permutations": 199}}
)
ROLES = {"targets": ("cancer",), "effectors": ("tcell",)}
_RATES = ("RATES", "SERIAL_KILLING", "KILL_DISTRIBUTION", "FIRST_KILL", "ET_RATIO")
_GROUPS = ("SUPERPLOT", "COMPARISONS", "ET_DEPENDENCE")


def _played(plan, seed=0):
    random = np.random.default_rng(seed)
    deaths, effectors, kills = {}, {}, {}
    for movie, condition in zip(plan["movie"], plan["condition"], strict=True):
        control = condition == "alone"
        deaths[movie] = cells(random, 30, 0.05 if control else 0.4, 0.1)
        effectors[movie] = cells(random, 0 if control else 20, 0.01, role="tcell")
        n = 0 if control else 20
        kills[movie] = killers(random.poisson(0.6, n))
    return deaths, effectors, kills


def _valid(tables, names):
    for table, name in zip(tables, names, strict=True):
        getattr(schemas, name).validate(table)
    return dict(zip(names, tables, strict=True))


def test_all_tables_of_an_experiment_are_made_and_agree():
    plan = sheet({"car": 2, "mock": 2, "alone": 1}, donors=2)
    deaths, effectors, kills = _played(plan)
    one = _valid(
        leave_or_die(plan, OPTIONS, deaths, targets=("cancer",)),
        ("COMPETING_RISKS", "LYSIS"),
    )
    two = _valid(rate_killing(plan, OPTIONS, deaths, effectors, kills, **ROLES), _RATES)
    three = _valid(
        compare_groups(plan, OPTIONS, deaths, effectors, kills, **ROLES), _GROUPS
    )
    assert set(one["LYSIS"]["group"]) & {"car", "mock"} == {"car", "mock"}
    movies = three["SUPERPLOT"][three["SUPERPLOT"]["level"] == "movie"]
    at = movies[movies["outcome"] == "kills_per_effector_hour"].set_index("name")
    rates = two["RATES"]
    rates = rates[rates["rule"] == OPTIONS.survival.credit].set_index("group")
    shown = rates.loc[at.index, "kills_per_effector_hour"]
    np.testing.assert_allclose(at["value"], shown)
    compared = three["COMPARISONS"]
    pairs = set(zip(compared["group_a"], compared["group_b"], strict=True))
    assert pairs == {("car", "mock"), ("car", "alone"), ("mock", "alone")}
    assert not set(compared["outcome"]) & {"et_measured"}


def test_a_sheet_without_any_condition_is_described_movie_by_movie():
    plan = pd.DataFrame({"dataset": "x", "movie": ["1", "2"]})
    random = np.random.default_rng(0)
    deaths = {m: cells(random, 20, 0.3) for m in plan["movie"]}
    effectors = {m: cells(random, 9, 0.0, role="tcell") for m in plan["movie"]}
    kills = {m: killers([1] * 9) for m in plan["movie"]}
    tables = (deaths, effectors, kills)
    risks, lysis = leave_or_die(plan, OPTIONS, deaths, targets=("cancer",))
    assert set(risks["group"]) == {"1", "2"} and lysis.empty
    rates = _valid(rate_killing(plan, OPTIONS, *tables, **ROLES), _RATES)["RATES"]
    assert set(rates["level"]) == {"movie"}
    found = _valid(compare_groups(plan, OPTIONS, *tables, **ROLES), _GROUPS)
    assert set(found["SUPERPLOT"]["level"]) == {"movie", "well"}
    assert found["COMPARISONS"].empty


def test_targets_without_effectors_are_compared_all_the_same():
    plan = sheet({"drug": 2, "none": 2})
    random = np.random.default_rng(1)
    deaths = {m: cells(random, 20, 0.3) for m in plan["movie"]}
    found = compare_groups(plan, OPTIONS, deaths, targets=("cancer",), effectors=())
    assert found[1]["effector"].isna().all() and len(found[1]) == 3
    _valid(found, _GROUPS)


@pytest.mark.parametrize("n_movies", [1, 3])
def test_movies_without_cells_give_empty_typed_tables(n_movies):
    plan = sheet({"car": n_movies})
    deaths = {m: DEATHS.empty() for m in plan["movie"]}
    kills = {m: KILLERS.empty() for m in plan["movie"]}
    risks = leave_or_die(plan, OPTIONS, deaths, targets=("cancer",))
    _valid(risks, ("COMPETING_RISKS", "LYSIS"))
    assert all(table.empty for table in risks)
    tables = (deaths, deaths, kills)
    found = _valid(rate_killing(plan, OPTIONS, *tables, **ROLES), _RATES)
    assert all(table.empty for table in found.values())
    found = _valid(compare_groups(plan, OPTIONS, *tables, **ROLES), _GROUPS)
    assert found["SUPERPLOT"]["value"].isna().all()
    assert found["COMPARISONS"].empty


def test_inputs_are_left_alone_and_results_repeat():
    plan = sheet({"car": 2, "mock": 2})
    tables = _played(plan, 5)
    copies = [{m: t.copy() for m, t in by.items()} for by in tables]
    first = compare_groups(plan, OPTIONS, *tables, **ROLES)
    second = compare_groups(plan, OPTIONS, *tables, **ROLES)
    for one, two in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, two)
    for before, after in zip(copies, tables, strict=True):
        for movie in before:
            pd.testing.assert_frame_equal(before[movie], after[movie])
