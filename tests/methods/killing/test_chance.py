"""The chance level of attribution, against shifting the tables one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.schemas import ATTRIBUTION_CHANCE
from cyto_kedro.methods.killing.chance import (
    attribution_chance,
    candidates_by_shift,
    hit_model_chance,
)
from cyto_kedro.methods.killing.hits import DelayPrior
from cyto_kedro.methods.killing.touches import dead_targets, gather_touches
from methods.killing.cases import CALIBRATION, died, touching

WINDOW = 30.0


def _chance(deaths, contacts, n_shifts=500, seed=1, window=WINDOW, rule="any"):
    touches = gather_touches({"tcell": contacts})
    table = attribution_chance(
        deaths, touches, CALIBRATION, "cancer", window, n_shifts, seed
    )
    return ATTRIBUTION_CHANCE.validate(table).set_index("rule").loc[rule]


def _candidates(deaths, rows):
    """By target: different effectors in contact in the window, counted one by one."""
    found = {}
    for death in deaths.itertuples():
        since = death.death_time_min - WINDOW
        near = {
            effector
            for frame, effector, target, _ in rows
            if target == death.track_id and since <= 5.0 * frame <= death.death_time_min
        }
        found[death.track_id] = len(near)
    return found


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_shift_gives_what_moving_the_contacts_by_hand_gives(seed):
    random = np.random.default_rng(seed)
    deaths = died({1: int(random.integers(12, 19)), 2: int(random.integers(4, 9))})
    deaths = deaths.assign(entry_frame=[10, 3], exit_frame=[19, 9])
    deaths = deaths.assign(entry_min=[50.0, 15.0], exit_min=[95.0, 45.0])
    spans = {1: (10, 10), 2: (3, 7)}
    rows = []
    for target, (entry, length) in spans.items():
        for effector in (1, 2):
            frames = np.flatnonzero(random.random(length) < 0.25) + entry
            rows += [(int(f), effector, target, 0.0) for f in frames]
    counts, offset = candidates_by_shift(
        dead_targets(deaths),
        gather_touches({"tcell": touching(rows)}),
        CALIBRATION,
        WINDOW,
    )
    for number, (target, (entry, length)) in enumerate(spans.items()):
        found = counts[offset[number] : offset[number + 1]]
        assert len(found) == length
        for shift in range(length):
            moved = [
                ((f - entry + shift) % length + entry, a, b, d)
                for f, a, b, d in rows
                if b == target
            ]
            assert found[shift] == _candidates(deaths, moved)[target]


def test_a_culprit_at_every_death_stands_out_from_chance():
    deaths = died({j: 20 + j % 30 for j in range(1, 41)})
    frames = dict(zip(deaths["track_id"], deaths["death_frame"], strict=True))
    contacts = touching([(f, 1, j, 0.0) for j, f in frames.items()])
    alone = _chance(deaths, contacts, rule="exclusive")
    row = _chance(deaths, contacts)
    assert alone.equals(row)
    assert row["observed_fraction"] == 1.0
    # One contact frame reaches a window of 7 frames by 7 of 60 shifts.
    assert row["expected_fraction"] == pytest.approx(7 / 60)
    assert row["fdr"] == pytest.approx(7 / 60)
    assert row["excess_fraction"] == pytest.approx(1.0)
    assert row["p_value"] == pytest.approx(1 / 501)
    assert row["expected_low"] <= row["expected_fraction"] <= row["expected_high"]


def test_contacts_at_random_times_do_not_look_like_kills():
    random = np.random.default_rng(5)
    p_values = []
    for _ in range(40):
        deaths = died({j: int(random.integers(10, 60)) for j in range(1, 31)})
        rows = {
            (int(random.integers(60)), int(random.integers(1, 5)), j)
            for j in range(1, 31)
            for _ in range(random.poisson(2))
        }
        row = _chance(deaths, touching([(*r, 0.0) for r in sorted(rows)]), 99)
        p_values.append(row["p_value"])
        assert abs(row["observed_fraction"] - row["expected_fraction"]) < 0.35
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    assert 0.3 < np.mean(p_values) < 0.8


def test_permanent_contact_proves_nothing():
    deaths = died({1: 30, 2: 40})
    row = _chance(deaths, touching([(f, 1, j, 0.0) for f in range(60) for j in (1, 2)]))
    assert row["expected_fraction"] == 1.0 and row["fdr"] == 1.0
    assert row["p_value"] == 1.0 and np.isnan(row["excess_fraction"])


def test_a_crowd_at_every_death_is_nobody_s_exclusive_kill():
    deaths = died(dict.fromkeys(range(1, 9), 30))
    crowd = [(f, i, j, 0.0) for j in range(1, 9) for i in (1, 2) for f in (29, 30)]
    row = _chance(deaths, touching(crowd), rule="exclusive")
    assert row["observed_fraction"] == 0 and row["p_value"] == 1


def test_the_seed_decides_the_draws_and_nothing_else_does():
    random = np.random.default_rng(6)
    deaths = died({j: int(random.integers(10, 60)) for j in range(1, 21)})
    contacts = touching([(int(random.integers(60)), 1, j, 0.0) for j in range(1, 21)])
    first = _chance(deaths, contacts, seed=3)
    again = _chance(
        deaths.sample(frac=1, random_state=1),
        contacts.sample(frac=1, random_state=2),
        seed=3,
    )
    assert first.equals(again)


def test_without_deaths_there_is_nothing_to_explain():
    row = _chance(died({}), touching([(1, 1, 1, 0.0)]))
    assert row["n_deaths"] == 0 and np.isnan(row["observed_fraction"])
    none = _chance(died({1: 20}), touching([]))
    assert none["observed_fraction"] == 0 and np.isnan(none["fdr"])


def _hazard(deaths, contacts, n_shifts=19, seed=1):
    touches = gather_touches({"tcell": contacts})
    table = hit_model_chance(
        deaths, touches, CALIBRATION, "cancer", 120.0, DelayPrior(), n_shifts, seed
    )
    return ATTRIBUTION_CHANCE.validate(table).iloc[0]


def _crowded(seed, planted):
    """Everybody is touched most of the time; planted: a contact 15 min before death."""
    random = np.random.default_rng(seed)
    deaths = died({j: int(random.integers(20, 60)) for j in range(1, 21)})
    rows = set()
    for j, death in zip(deaths["track_id"], deaths["death_frame"], strict=True):
        for _ in range(4):
            begin = int(random.integers(0, 55))
            rows |= {(f, int(random.integers(1, 6)), j) for f in (begin, begin + 1)}
        if planted:
            rows |= {(int(death) - k, 9, j) for k in (3, 4)}
    return deaths, touching([(*row, 0.0) for row in sorted(rows)])


def test_the_hit_model_sees_when_targets_are_touched_not_only_that_they_are():
    row = _hazard(*_crowded(0, planted=True))
    assert row["p_value"] == pytest.approx(1 / 20)
    assert row["observed_fraction"] > row["expected_high"]
    p_values = [_hazard(*_crowded(seed, False))["p_value"] for seed in range(12)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.25
    assert 0.25 < np.mean(p_values) < 0.8


def test_the_hit_model_s_chance_needs_deaths_and_contacts():
    assert np.isnan(_hazard(died({}), touching([]))["observed_fraction"])
    untouched = _hazard(died({1: 20}), touching([]))
    assert untouched["observed_fraction"] == 0 and untouched["p_value"] == 1
