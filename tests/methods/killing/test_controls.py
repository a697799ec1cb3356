"""What control movies say about a threshold."""

from __future__ import annotations

import numpy as np
import pytest

from cyto_kedro.core.schemas import CONTROL_THRESHOLD, DEATHS
from cyto_kedro.methods.killing.controls import control_thresholds
from methods.killing.cases import died


def _movie(living: np.ndarray, dead: np.ndarray, threshold: float):
    n = len(living) + len(dead)
    table = died(dict.fromkeys(range(1, n + 1), 20))
    table["peak_signal"] = np.r_[living, dead]
    table["threshold"] = threshold
    alive = np.arange(n) < len(living)
    table["death_frame"] = table["death_frame"].mask(alive)
    table["death_time_min"] = table["death_time_min"].mask(alive)
    table["censored"] = alive
    table["reason"] = table["reason"].mask(alive, "end_of_movie")
    return DEATHS.validate(table)


def test_controls_with_some_deaths_of_their_own_say_where_the_living_end():
    random = np.random.default_rng(0)
    control = _movie(random.normal(50, 5, 400), random.normal(400, 30, 40), 120.0)
    # The killing movie's own threshold is too low: bright living cells count as dead.
    killing = _movie(random.normal(50, 5, 90), np.r_[[62.0, 66.0], [300.0] * 30], 60.0)
    movies = {"k": killing, "c": control, "e": DEATHS.empty()}
    table = control_thresholds(movies, {"c": True}, "cancer", 6.0)
    table = CONTROL_THRESHOLD.validate(table).set_index("movie")
    # 10 % deaths of their own shift median and spread a little upwards.
    assert table["control_threshold"].unique() == pytest.approx([82.0], abs=8.0)
    assert table.loc["k", ["n_deaths", "n_below", "n_above"]].tolist() == [32, 2, 0]
    assert table.loc["c", ["n_deaths", "n_below", "n_above"]].tolist() == [40, 0, 0]
    assert table["n_control_cells"].unique().tolist() == [440]
    assert table.loc["e", "n_cells"] == 0 and np.isnan(table.loc["e", "threshold"])


def test_without_controls_nothing_is_suggested():
    table = control_thresholds({"k": died({1: 3})}, {}, "cancer", 6.0)
    assert np.isnan(table["control_threshold"].item())
    assert table[["n_below", "n_above"]].to_numpy().tolist() == [[0, 0]]
    assert CONTROL_THRESHOLD.validate(control_thresholds({}, {}, "cancer", 6.0)).empty
