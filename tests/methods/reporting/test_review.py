"""What a person is asked, and what their answers change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION, DEATHS, REVIEW
from cyto_kedro.methods.reporting.corrections import (
    correct_attribution,
    correct_deaths,
)
from cyto_kedro.methods.reporting.review import numbered, review_events
from tables import filled, tracks_table

MOVIE = Calibration.regular((30, 9, 9), frame_interval_min=2.0)


def deaths(n_died=4, n_alive=6):
    n = n_died + n_alive
    died = np.arange(n) < n_died
    frames = [10 + i if d else None for i, d in enumerate(died)]
    return filled(
        DEATHS,
        {
            "role": "cancer",
            "track_id": np.arange(1, n + 1),
            "entry_frame": 2,
            "exit_frame": np.where(np.arange(n) % 2, 29, 20),
            "entry_min": 4.0,
            "exit_min": np.where(np.arange(n) % 2, 58.0, 40.0),
            "death_frame": pd.array(frames, "Int64"),
            "death_time_min": [None if f is None else 2.0 * f + 0.5 for f in frames],
            "censored": ~died,
            "reason": np.where(died, "died", "lost"),
        },
    )


def attribution():
    """Victim 1: killers 7 (likelier) and 8; victim 2: 9 alone; victim 3: nobody."""
    return filled(
        ATTRIBUTION,
        {
            "target": "cancer",
            "target_track_id": [1, 1, 2, 3],
            "death_frame": [10, 10, 11, 12],
            "death_time_min": [20.0, 20.0, 22.0, 24.0],
            "effector": ["tcell", "tcell", "tcell", None],
            "effector_track_id": pd.array([7, 8, 9, None], "Int64"),
            "n_candidates": [2, 2, 1, 0],
            "last_contact_min": [18.0, 20.0, 20.0, np.nan],
            "min_distance_um": [0.0, 0.0, 0.0, np.nan],
            "credit_nearest": [0.0, 1.0, 1.0, 0.0],
            "credit_exclusive": [0.0, 0.0, 1.0, 0.0],
            "credit_shared": [0.25, 0.75, 1.0, 0.0],
            "credit_hazard": [0.6, 0.2, 0.9, 0.0],
            "background_probability": [0.2, 0.2, 0.1, 1.0],
        },
    )


def tracks():
    """Track 1 divides into 2 and 3; 4 goes through."""
    frame = [*range(10), *range(10, 20), *range(10, 20), *range(20)]
    track = [1] * 10 + [2] * 10 + [3] * 10 + [4] * 20
    parent = [None] * 10 + [1] * 20 + [None] * 20
    return tracks_table(
        frame, track, 1.0, 1.0, parent_track_id=pd.array(parent, "Int64")
    )


def events(seed=0, controls=1.0, most=100, **changes):
    tables = {"tracks": tracks(), "deaths": deaths(), "attribution": attribution()}
    tables |= changes
    random = np.random.default_rng(seed)
    found = review_events(
        "m1",
        MOVIE,
        {"cancer": tables["tracks"]},
        {"cancer": tables["deaths"]},
        {"cancer": tables["attribution"]},
        controls,
        most,
        random,
    )
    return numbered(found, random)


def test_every_call_is_asked_about_and_as_many_others():
    table = events()
    REVIEW.validate(table)
    counts = table.groupby(["kind", "called"]).size()
    assert counts["death"].tolist() == [4, 4]
    assert counts["kill", True] == 2, "victim 3 has nobody to be named"
    assert counts["kill", False] == 1, "the only other candidate"
    assert counts["division", True] == 1


def test_controls_are_living_cells_in_view():
    table = events(seed=3)
    own = deaths().set_index("track_id")
    for row in table[(table["kind"] == "death") & ~table["called"]].itertuples():
        cell = own.loc[row.track_id]
        assert cell["censored"]
        assert cell["entry_frame"] < row.frame <= cell["exit_frame"]


def test_the_order_does_not_tell_what_was_called():
    orders = {tuple(events(seed)["called"]) for seed in range(8)}
    assert len(orders) > 4
    assert events(5).equals(events(5))


def test_the_questions_do_not_tell_what_was_called():
    table = events()
    for kind, part in table.groupby("kind"):
        shapes = part["question"].str.replace(r"\d+", "N", regex=True)
        assert shapes.nunique() == 1, kind


def test_no_event_gives_an_empty_sheet():
    none = deaths(0, 0)
    blank = attribution().iloc[:0]
    table = events(deaths=none, attribution=blank, tracks=tracks().iloc[:0])
    assert table.empty
    REVIEW.validate(table)


def judged(kind, rows):
    columns = ["track_id", "frame", "answer", "corrected_frame"]
    table = pd.DataFrame(rows, columns=columns).assign(kind=kind)
    return table.astype({"corrected_frame": "Int64"})


def test_a_rejected_death_becomes_a_cell_that_lived_on():
    answers = judged("death", [(1, 10, "no", None), (2, 11, "no", None)])
    table = correct_deaths(deaths(), answers, MOVIE).set_index("track_id")
    assert table.loc[1, "reason"] == "lost" and table.loc[2, "reason"] == "end_of_movie"
    assert table.loc[[1, 2], "censored"].all()
    assert table.loc[[1, 2], "death_time_min"].isna().all()
    DEATHS.validate(table.reset_index()[list(DEATHS.columns)])


def test_a_found_death_is_added_and_a_frame_put_right():
    answers = judged("death", [(6, 15, "yes", None), (7, 15, "yes", 18)])
    table = correct_deaths(deaths(), answers, MOVIE).set_index("track_id")
    assert table.loc[6, "death_frame"] == 15 and table.loc[6, "death_time_min"] == 30
    assert table.loc[7, "death_frame"] == 18
    assert not table.loc[[6, 7], "censored"].any()


@pytest.mark.parametrize("answer", ["yes", ""])
def test_a_confirmed_or_open_death_keeps_its_time(answer):
    before = deaths()
    answers = judged("death", [(1, 10, answer, None)])
    pd.testing.assert_frame_equal(correct_deaths(before, answers, MOVIE), before)


def kills(rows):
    columns = ["track_id", "other_track_id", "answer"]
    return pd.DataFrame(rows, columns=columns).assign(other_role="tcell")


def test_a_rejected_candidate_leaves_its_credit_to_the_others():
    table = correct_attribution(attribution(), deaths(), kills([(1, 8, "no")]))
    own = table[table["target_track_id"] == 1]
    assert own["effector_track_id"].tolist() == [7]
    assert own[["credit_shared", "credit_nearest", "credit_exclusive"]].iloc[
        0
    ].tolist() == [1, 1, 1]
    assert own["credit_hazard"].iloc[0] == pytest.approx(0.75)
    assert own["background_probability"].iloc[0] == pytest.approx(0.25)


def test_a_confirmed_killer_takes_all():
    table = correct_attribution(attribution(), deaths(), kills([(1, 8, "yes")]))
    own = table[table["target_track_id"] == 1]
    assert own["effector_track_id"].tolist() == [8]
    assert (own["credit_hazard"].iloc[0], own["background_probability"].iloc[0]) == (
        1,
        0,
    )


def test_with_all_rejected_the_death_is_nobodys():
    table = correct_attribution(attribution(), deaths(), kills([(2, 9, "no")]))
    ATTRIBUTION.validate(table)
    own = table[table["target_track_id"] == 2].iloc[0]
    assert pd.isna(own["effector_track_id"]) and own["background_probability"] == 1


def test_credits_still_sum_to_one_and_rejected_deaths_are_gone():
    corrected = correct_deaths(deaths(), judged("death", [(2, 11, "no", None)]), MOVIE)
    table = correct_attribution(attribution(), corrected, kills([(1, 7, "no")]))
    assert set(table["target_track_id"]) == {1, 3}
    total = table.groupby("target_track_id").agg(
        {"credit_hazard": "sum", "background_probability": "first"}
    )
    assert total.sum(axis=1).tolist() == pytest.approx([1, 1])


def test_no_answer_changes_nothing():
    table = correct_attribution(attribution(), deaths(), kills([(1, 7, "")]))
    pd.testing.assert_frame_equal(table, attribution())
