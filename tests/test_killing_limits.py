"""The yardstick of `benchmarks/killing_limits.py`: perfect results score as perfect."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.simulation import SimulationParams, simulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import _chain
import killing_limits


@pytest.fixture(scope="module")
def movie():
    small = {"seed": 10, "n_frames": 36, "height_px": 220, "width_px": 250}
    cells = {"n_effectors": 16, "n_targets": 12, "killing": {"kill_probability": 0.6}}
    return simulate(SimulationParams.model_validate(small | cells))


@pytest.fixture(scope="module")
def clock(movie):
    return Calibration.regular(movie.shape, 0.65, 2.0)


def perfect_evidence(movie, late=0.0):
    """DEATH_EVIDENCE in which the track is the true cell."""
    truth = movie.deaths
    return pd.DataFrame(
        {
            "track_id": truth["target_id"],
            "death_frame": truth["death_frame"],
            "death_time_min": truth["death_min"] + late,
            "onset_min": truth["death_min"] + late,
        }
    )


def owners(movie):
    return pd.Series(movie.deaths["target_id"].to_numpy(), movie.deaths["target_id"])


def test_perfect_deaths_are_all_found_in_time(movie, clock):
    matched, row = _chain._deaths(perfect_evidence(movie), owners(movie), movie, clock)
    assert row["death_hits"] == row["deaths_found"] == row["deaths_true"] >= 4
    assert row["late_frame"] == row["late_fitted"] == [0.0] * len(matched)


def test_late_deaths_are_late_and_too_late_ones_missed(movie, clock):
    asked = (owners(movie), movie, clock)
    _, row = _chain._deaths(perfect_evidence(movie, 4.0), *asked)
    assert np.allclose(row["late_frame"], 4.0) and row["death_hits"] >= 4
    _, row = _chain._deaths(perfect_evidence(movie, 11.0), *asked)
    assert row["death_hits"] == 0 and row["deaths_found"] == row["deaths_true"]


def credit_of(movie, right):
    """ATTRIBUTION with the killer and one innocent; all credit to one of them."""
    killed = movie.deaths.dropna(subset="effector_id")
    both = [killed["effector_id"].astype(int), 999]
    rows = [
        pd.DataFrame(
            {
                "target_track_id": killed["target_id"],
                "effector": "tcell",
                "effector_track_id": who,
                "n_candidates": 2,
                **{f"credit_{r}": float(guilty == right) for r in _chain.RULES},
            }
        )
        for who, guilty in zip(both, (True, False), strict=True)
    ]
    return pd.concat(rows)


@pytest.mark.parametrize("right", [True, False])
def test_credit_counts_on_the_true_killer_only(movie, clock, right):
    matched, _ = _chain._deaths(perfect_evidence(movie), owners(movie), movie, clock)
    seen = movie.tracks[movie.tracks["role"] == "tcell"]
    points = seen.assign(track_id=seen["cell_id"])[["track_id", "cell_id", "frame"]]
    credit = credit_of(movie, right)
    row = _chain._killers(credit, matched, movie, points, clock)
    assert row["kills"] == row["right"] >= 4
    assert row["blamed"] == 2 * row["kills"], "full credit blames the innocent too"
    assert row["lot"] == row["kills"] / 2
    for rule in ("nearest", "shared", "hazard", "likeliest"):
        assert row[rule] == (row["kills"] if right else 0), rule


def test_the_survival_of_the_truth_is_that_of_lifelines(movie):
    fates = _chain.true_fates(movie)
    rows = fates[fates["reason"] != "dead_at_entry"]
    end = rows["death_time_min"].fillna(rows["exit_min"])
    watched = end > rows["entry_min"]
    died = rows["death_time_min"].notna()
    model = KaplanMeierFitter().fit(
        end[watched], died[watched], entry=rows.loc[watched, "entry_min"]
    )
    found = _chain.survival_of(fates, 60.0)[0]
    assert found == pytest.approx(float(model.predict(60.0)), abs=1e-9)
    assert died.sum() == len(movie.deaths) and 0 < found < 1


def test_a_bias_is_paired_and_has_an_interval():
    middle, half = killing_limits._bias(pd.Series([0.1, 0.2, 0.3]))
    assert middle == pytest.approx(0.2)
    assert half == pytest.approx(4.302653 * 0.1 / np.sqrt(3), rel=1e-6)
    assert np.isnan(killing_limits._bias(pd.Series([0.1]))).all(), "one says nothing"
