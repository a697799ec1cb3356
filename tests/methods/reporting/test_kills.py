"""One row per death, its likeliest killer, and the sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import ATTRIBUTION, DEATH_EVIDENCE, DEATHS, KILLS
from cyto_kedro.methods.reporting.kills import kill_table
from tables import filled

DIED = filled(
    DEATHS,
    {
        "track_id": [3, 5, 7, 9],
        "death_frame": pd.array([20, 10, None, 12], "Int64"),
        "death_time_min": [40.0, 20.0, None, 24.0],
        "censored": [False, False, True, False],
        "reason": ["died", "died", "lost", "dead_at_entry"],
    },
)
FIT = filled(
    DEATH_EVIDENCE,
    {
        "track_id": [3, 5],
        "onset_low_min": [38.0, 19.0],
        "onset_high_min": [40.0, 21.0],
        "live_lost": pd.array([True, None], "boolean"),
    },
)
CREDITS = filled(
    ATTRIBUTION,
    {
        "target": "cancer",
        "target_track_id": [3, 3, 5],
        "effector": ["tcell", "tcell", None],
        "effector_track_id": pd.array([1, 2, None], "Int64"),
        "n_candidates": [2, 2, 0],
        "credit_hazard": [0.3, 0.6, 0.0],
        "credit_shared": [0.8, 0.2, 0.0],
        "credit_nearest": [1.0, 0.0, 0.0],
        "credit_exclusive": [0.0, 0.0, 0.0],
        "background_probability": [0.1, 0.1, 1.0],
        "window_truncated": [False, False, True],
        "track_confidence": [0.9, 0.2, np.nan],
    },
)


def test_the_likeliest_killer_is_that_of_the_hit_model():
    table = kill_table("cancer", DIED, FIT, CREDITS, {3})
    KILLS.validate(table)
    assert table["target_track_id"].tolist() == [5, 3], "in order of time"
    kill = table.set_index("target_track_id").loc[3]
    assert (kill["effector"], kill["effector_track_id"]) == ("tcell", 2)
    assert (kill["credit_hazard"], kill["credit_nearest"]) == (0.6, 0.0)
    assert kill["card"] == "cancer_00003"
    assert kill["track_confidence"] == 0.2, "that of the likeliest killer"
    assert kill["words"] == (
        "cancer 3 died at 40 min; likeliest killer tcell 2 (60% by the hit model, 1 "
        "more touched it)."
    )


def test_a_death_without_contact_stays_nobodys():
    kill = kill_table("cancer", DIED, FIT, CREDITS).iloc[0]
    assert pd.isna(kill["effector_track_id"]) and kill["effector"] is None
    assert kill["card"] is None and kill["window_truncated"]
    assert kill["words"].startswith("cancer 5 died at 20 min; no effector touched it")


def test_without_effectors_there_are_deaths_but_no_killers():
    table = kill_table("cancer", DIED, FIT, None)
    KILLS.validate(table)
    assert len(table) == 2 and table["effector_track_id"].isna().all()


def test_a_likely_background_is_said():
    table = CREDITS.assign(background_probability=0.7)
    words = kill_table("cancer", DIED, FIT, table)["words"].iloc[1]
    assert "more likely nobody (70%)" in words


def test_no_death_gives_an_empty_table():
    alive = DIED.assign(reason="end_of_movie")
    table = kill_table("cancer", alive, FIT, CREDITS)
    assert table.empty
    KILLS.validate(table)
