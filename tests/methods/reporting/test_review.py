"""What a person is asked, and what their answers change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import (
    ATTRIBUTION,
    CONTACTS,
    DEATHS,
    EPISODES,
    REVIEW,
    VIABILITY,
)
from cyto_kedro.methods.reporting.corrections import (
    correct_attribution,
    correct_contacts,
    correct_deaths,
    correct_viability,
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


def contacts():
    """7 touches 1 in frames 5 to 8 (nearest in 6) and again in 12; 8 passes near 2."""
    frames = [5, 6, 7, 8, 12, 5, 6]
    return filled(
        CONTACTS,
        {
            "frame": frames,
            "effector": "tcell",
            "target": "cancer",
            "effector_label": [1] * 5 + [2] * 2,
            "target_label": [1] * 5 + [2] * 2,
            "effector_track_id": pd.array([7] * 5 + [8] * 2, "Int64"),
            "target_track_id": pd.array([1] * 5 + [2] * 2, "Int64"),
            "distance_um": [0.5, 0.0, 0.5, 0.9, 0.5, 4.0, 3.0],
            # Frame 8 is held by the leave distance alone.
            "in_contact": [True, True, True, False, True, False, False],
        },
    )


def episodes():
    return filled(
        EPISODES,
        {
            "effector": "tcell",
            "target": "cancer",
            "effector_track_id": 7,
            "target_track_id": 1,
            "episode": [1, 2],
            "first_frame": [5, 12],
            "last_frame": [8, 12],
        },
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
        [(contacts(), tables.get("episodes", episodes()))],
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
    assert counts["contact", True] == 2 and counts["contact", False] == 1


def test_a_contact_is_asked_about_where_the_cells_are_nearest():
    table = events()
    own = table[table["kind"] == "contact"].sort_values("frame")
    called = own[own["called"]]
    assert called["frame"].tolist() == [6, 12]
    assert called["track_id"].tolist() == [7, 7], "the effector"
    other = own[~own["called"]].iloc[0]
    assert (other["track_id"], other["other_track_id"]) == (8, 2)
    assert "touch" in other["question"] and other["other_role"] == "cancer"


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
    random = np.random.default_rng(0)
    nothing = [(contacts().iloc[:0], episodes().iloc[:0])]
    cells = ({"cancer": tracks().iloc[:0]}, {"cancer": none}, {"cancer": blank})
    found = review_events("m1", MOVIE, *cells, nothing, 1.0, 100, random)
    table = numbered(found, random)
    assert table.empty
    REVIEW.validate(table)


def judged(kind, rows):
    columns = ["track_id", "frame", "answer", "corrected_frame"]
    table = pd.DataFrame(rows, columns=columns).assign(kind=kind)
    return table.astype({"corrected_frame": "Int64"})


def corrected(answers):
    """Cells 1 and 3 are last seen mid-field, 2 at the end, 4 at the edge; 5 divides."""
    n = len(deaths())
    last = deaths()["exit_frame"].to_numpy()
    centre = [1.0 if track == 4 else 4.0 for track in range(1, n + 1)]
    parent = pd.array([pd.NA] * n + [3], "Int64")
    cells = tracks_table(
        [*last, 21],
        [*range(1, n + 1), 99],
        [*centre, 4.0],
        4.0,
        parent_track_id=parent,
        in_valid_region=True,
        touches_border=False,
    )
    return correct_deaths(deaths(), answers, cells, MOVIE, 2.0)


def test_a_rejected_death_becomes_a_cell_that_lived_on():
    rows = [(track, 9 + track, "no", None) for track in (1, 2, 3)]
    table = corrected(judged("death", rows)).set_index("track_id")
    reasons = table.loc[[1, 2, 3], "reason"].tolist()
    assert reasons == ["lost", "end_of_movie", "divided"]
    table = table.drop(index=3)
    assert table.loc[[1, 2], "censored"].all()
    assert table.loc[[1, 2], "death_time_min"].isna().all()
    DEATHS.validate(table.reset_index()[list(DEATHS.columns)])


def test_a_found_death_is_added_and_a_frame_put_right():
    answers = judged("death", [(6, 15, "yes", None), (7, 15, "yes", 18)])
    table = corrected(answers).set_index("track_id")
    assert table.loc[6, "death_frame"] == 15 and table.loc[6, "death_time_min"] == 30
    assert table.loc[7, "death_frame"] == 18
    assert not table.loc[[6, 7], "censored"].any()


@pytest.mark.parametrize("answer", ["yes", ""])
def test_a_confirmed_or_open_death_keeps_its_time(answer):
    answers = judged("death", [(1, 10, answer, None)])
    pd.testing.assert_frame_equal(corrected(answers), deaths())


def test_a_cell_that_was_dead_when_it_came_is_no_death():
    table = corrected(judged("death", [(1, 10, "yes", 2)])).set_index("track_id")
    assert table.loc[1, "reason"] == "dead_at_entry" and table.loc[1, "censored"]


def test_who_is_alive_follows_the_corrected_deaths_of_judged_cells_only():
    frames = np.arange(30)
    called = filled(
        VIABILITY,
        {
            "track_id": np.repeat([1, 2, 6], 30),
            "frame": np.tile(frames, 3),
            "label": np.repeat([1, 2, 3], 30),
            "alive": pd.array([True] * 5 + [False] * 85, "boolean"),
            "alive_probability": 0.5,
        },
    )
    answers = judged("death", [(1, 10, "no", None), (6, 15, "yes", None)])
    table = correct_viability(called, corrected(answers), answers)
    alive = {track: part["alive"] for track, part in table.groupby("track_id")}
    assert alive[1].all(), "a rejected death"
    assert alive[6].tolist() == (frames < 15).tolist(), "a found one"
    assert not alive[2].any(), "nobody was asked about it"
    assert (table["alive_probability"] == 0.5).all(), "what was measured stays"


def touched(rows):
    columns = ["track_id", "other_track_id", "frame", "answer"]
    return correct_contacts(contacts(), episodes(), pd.DataFrame(rows, columns=columns))


def test_a_rejected_contact_is_its_whole_episode_and_no_other():
    table = touched([(7, 1, 6, "no")])
    assert table.loc[table["in_contact"], "frame"].tolist() == [12]


def test_a_found_contact_is_that_frame():
    table = touched([(8, 2, 6, "yes")])
    found = table[table["in_contact"] & (table["effector_track_id"] == 8)]
    assert found["frame"].tolist() == [6]
    assert table["in_contact"].sum() == contacts()["in_contact"].sum() + 1


@pytest.mark.parametrize("row", [(7, 1, 6, "yes"), (7, 1, 6, ""), (8, 2, 6, "no")])
def test_an_agreed_or_open_contact_changes_nothing(row):
    pd.testing.assert_frame_equal(touched([row]), contacts())


def kills(rows):
    columns = ["track_id", "other_track_id", "answer"]
    return pd.DataFrame(rows, columns=columns).assign(other_role="tcell")


def test_a_rejected_candidate_leaves_its_credit_to_the_others():
    table = correct_attribution(attribution(), kills([(1, 8, "no")]))
    own = table[table["target_track_id"] == 1]
    assert own["effector_track_id"].tolist() == [7]
    assert own[["credit_shared", "credit_nearest", "credit_exclusive"]].iloc[
        0
    ].tolist() == [1, 1, 1]
    assert own["credit_hazard"].iloc[0] == pytest.approx(0.75)
    assert own["background_probability"].iloc[0] == pytest.approx(0.25)


def test_a_confirmed_killer_takes_all():
    table = correct_attribution(attribution(), kills([(1, 8, "yes")]))
    own = table[table["target_track_id"] == 1]
    assert own["effector_track_id"].tolist() == [8]
    assert (own["credit_hazard"].iloc[0], own["background_probability"].iloc[0]) == (
        1,
        0,
    )


def test_with_all_rejected_the_death_is_nobodys():
    table = correct_attribution(attribution(), kills([(2, 9, "no")]))
    ATTRIBUTION.validate(table)
    own = table[table["target_track_id"] == 2].iloc[0]
    assert pd.isna(own["effector_track_id"]) and own["background_probability"] == 1


def test_credits_still_sum_to_one():
    table = correct_attribution(attribution(), kills([(1, 7, "no")]))
    assert set(table["target_track_id"]) == {1, 2, 3}
    total = table.groupby("target_track_id").agg(
        {"credit_hazard": "sum", "background_probability": "first"}
    )
    assert total.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_no_answer_changes_nothing():
    table = correct_attribution(attribution(), kills([(1, 7, "")]))
    pd.testing.assert_frame_equal(table, attribution())
