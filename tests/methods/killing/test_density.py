"""Credit must not hang on how many effectors there are: kills with known truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION_DENSITY, DEATHS
from cyto_kedro.methods.killing.density import RULES, attribution_density
from cyto_kedro.methods.killing.hits import DelayPrior
from cyto_kedro.methods.killing.touches import Touches, gather_touches
from methods.killing.cases import DOSE, credited, died, touching

CLOCK = Calibration.regular((240, 16, 16), frame_interval_min=1.0)
N_EFFECTORS = 24


def _density(deaths, contacts, fractions=(0.25, 0.5, 1.0), n_repeats=4) -> pd.DataFrame:
    touches: Touches = gather_touches({"tcell": contacts})
    cells = pd.DataFrame({"role": 0, "track": np.arange(1, N_EFFECTORS + 1)})
    table = attribution_density(
        deaths,
        touches,
        cells,
        CLOCK,
        "cancer",
        60.0,
        DOSE,
        DelayPrior(),
        fractions,
        n_repeats,
        1,
    )
    return ATTRIBUTION_DENSITY.validate(table)


@cache
def _crowded() -> tuple[pd.DataFrame, pd.DataFrame]:
    """120 targets touched by many; hits at a constant rate, death 15 min later."""
    random = np.random.default_rng(0)
    rows, frames = [], {}
    for j in range(1, 121):
        death = np.inf
        for i in range(1, N_EFFECTORS + 1):
            if random.random() > 0.5:
                continue
            begin = int(random.integers(0, 235))
            end = min(begin + int(random.integers(3, 25)), 239)
            rows += [(f, i, j, 0.0) for f in range(begin, end + 1)]
            hit = begin + random.exponential(60 / 1.5)
            if hit < end:
                death = min(death, hit + random.gamma(8, 15 / 8))
        frames[j] = int(np.ceil(death)) if death < 238 else 0
    table = died({j: f or 1 for j, f in frames.items()}, CLOCK)
    alive = table["track_id"].map(frames) == 0
    table["death_frame"] = table["death_frame"].mask(alive)
    table["death_time_min"] = table["death_time_min"].mask(alive)
    table["censored"], table["reason"] = alive, np.where(alive, "end_of_movie", "died")
    return DEATHS.validate(DEATHS.conform(table)), touching(rows, calibration=CLOCK)


def test_credit_by_the_hit_model_hangs_least_on_density():
    table = _density(*_crowded()).set_index(["rule", "fraction"])
    per_effector = table["kills_per_effector"]
    excess = {
        rule: per_effector[rule] / per_effector[rule, 1.0] - 1
        for rule in ("shared", "nearest", "hazard")
    }
    # The other rules give every death away, however few could be blamed for it.
    for fraction in (0.25, 0.5):
        assert excess["shared"][fraction] > 0.5
        assert abs(excess["hazard"][fraction]) < 0.5 * excess["shared"][fraction]
        assert abs(excess["hazard"][fraction]) < 0.5 * excess["nearest"][fraction]
    # Counting every toucher gives each death to several.
    toucher = table["kills_per_death"]["every_toucher"]
    assert toucher[1.0] > 2 and toucher[1.0] > 1.6 * toucher[0.5]
    rule = table.index.get_level_values("rule")
    assert (table["kills_per_death"][rule != "every_toucher"] <= 1 + 1e-9).all()


def test_all_effectors_are_those_of_the_attribution():
    deaths, contacts = _crowded()
    whole = _density(deaths, contacts, (1.0,)).set_index("rule")["kills"]
    credits = credited(deaths, {"tcell": contacts}, 60.0, calibration=CLOCK)
    for rule in RULES[1:]:
        assert whole[rule] == pytest.approx(credits[f"credit_{rule}"].sum())
    assert whole["every_toucher"] == credits["effector"].notna().sum()


def test_no_deaths_and_no_contacts_are_no_error():
    none = _density(died({}), touching([], calibration=CLOCK))
    assert (none["kills"] == 0).all() and none["kills_per_death"].isna().all()
