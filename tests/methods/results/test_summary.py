"""The numbers on top of a report, by hand; what is not known is None, not a warning."""

from __future__ import annotations

import warnings

import numpy as np

from cyto_kedro.core.schemas import (
    DEATHS,
    EPISODES,
    FRAME_COUNTS,
    KINEMATICS,
    MSD,
    TRACK_SUMMARY,
)
from cyto_kedro.methods.results.summary import contact_facts, death_facts, role_facts
from tables import filled


def test_motion_of_a_role():
    counts = filled(FRAME_COUNTS, {"frame": [0, 1, 2], "n_cells": [2, 4, 9]})
    steps = filled(KINEMATICS, {"speed_um_per_min": [np.nan, 1.0, 3.0, np.nan, 8.0]})
    tracks = filled(
        TRACK_SUMMARY,
        {
            "track_id": [1, 2],
            "duration_min": [2.0, 4.0],
            "straightness": [0.5, np.nan],
            "n_daughters": [2, 0],
        },
    )
    facts = role_facts("effector", counts, steps, tracks, MSD.empty())
    assert facts["n_detections"] == 15 and facts["median_cells_per_frame"] == 4
    assert facts["median_track_min"] == 3 and facts["n_divisions"] == 1
    assert facts["median_speed_um_per_min"] == 3, "over the steps that have a speed"
    assert facts["median_straightness"] == 0.5


def test_deaths_and_contacts_are_counted_by_what_became_of_the_cells():
    deaths = filled(
        DEATHS,
        {
            "track_id": [1, 2, 3, 4],
            "reason": ["died", "died", "dead_at_entry", "lost"],
            "death_time_min": [10.0, 20.0, np.nan, np.nan],
            "censored": [False, False, True, True],
        },
    )
    facts = death_facts(deaths)
    assert (facts["n_at_risk"], facts["n_deaths"], facts["n_dead_at_entry"]) == (
        3,
        2,
        1,
    )
    assert facts["median_death_time_min"] == 15
    episodes = filled(
        EPISODES,
        {
            "effector_track_id": [1, 1, 2],
            "target_track_id": [5, 6, 6],
            "dwell_min": [2.0, 4.0, 12.0],
        },
    )
    facts = contact_facts(episodes)
    assert (facts["n_episodes"], facts["median_dwell_min"]) == (3, 4)
    assert (facts["n_touching_effectors"], facts["n_touched_targets"]) == (2, 2)


def test_a_movie_of_one_frame_has_no_medians_and_raises_no_warning():
    counts = filled(FRAME_COUNTS, {"frame": [0], "n_cells": [1]})
    steps = filled(KINEMATICS, {"track_id": [1]})
    tracks = filled(TRACK_SUMMARY, {"track_id": [1]})
    episodes = filled(EPISODES, {"effector_track_id": [1], "target_track_id": [1]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = role_facts("target", counts, steps, tracks, MSD.empty())
        assert facts["median_speed_um_per_min"] is None
        assert facts["median_straightness"] is None
        assert contact_facts(episodes)["median_dwell_min"] is None
        assert death_facts(DEATHS.empty())["median_death_time_min"] is None
        assert contact_facts(EPISODES.empty())["n_episodes"] == 0
