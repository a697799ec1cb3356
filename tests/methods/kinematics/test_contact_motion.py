"""Motion around contacts: steps are sorted by hand, numbers follow from geometry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import CONTACT_MOTION, EPISODES
from cyto_kedro.methods.kinematics.contact_motion import (
    ContactMotionOptions,
    contact_motion,
)
from tables import filled, tracks_table

N = 21
CALIBRATION = Calibration.regular((N, 50, 50), frame_interval_min=2.0)
TIMES = CALIBRATION.times_min


def episode(first, last, effector=1, target=1):
    values = {"effector_track_id": [effector], "target_track_id": [target]}
    values |= {"first_frame": [first], "last_frame": [last], "episode": [1]}
    return filled(EPISODES, values).assign(effector="tcell", target="cancer")


def measured(tracks, *episodes, window=6.0, calibration=CALIBRATION):
    table = pd.concat([EPISODES.empty(), *episodes]) if episodes else EPISODES.empty()
    found = contact_motion(
        tracks,
        EPISODES.conform(table),
        calibration,
        ContactMotionOptions(window_min=window),
        2.0,
        effector="tcell",
        target="cancer",
    )
    return CONTACT_MOTION.validate(found).set_index(["effector_track_id", "state"])


@pytest.fixture
def visitor():
    """10 um per frame to frame 8, still until 12, then a square wave onwards."""
    x = [10.0 * min(i, 8) for i in range(13)] + [
        80.0 + 5 * (i - 12) for i in range(13, N)
    ]
    y = [0.0] * 13 + [5.0 * (i % 2) for i in range(13, N)]
    return tracks_table(range(N), [1] * N, y, x, interval_min=2.0)


def test_a_visit_is_taken_apart(visitor):
    table = measured(visitor, episode(8, 12)).loc[1]
    # Steps by the frame they lead to: 9..12 lie inside; 6, 7, 8 end within 6 min of the
    # start, 13, 14, 15 begin within 6 min of the end.
    assert table["n_steps"].to_dict() == {
        "before": 3,
        "during": 4,
        "after": 3,
        "free": N - 1 - 10,
    }
    assert table["time_min"].to_dict() == {
        "before": 6,
        "during": 8,
        "after": 6,
        "free": 2 * (N - 1 - 10),
    }
    assert table.loc["before", "mean_speed_um_per_min"] == 5
    assert table.loc["before", "straightness"] == pytest.approx(1)
    assert table.loc["before", "mean_turning_angle_deg"] == 0
    assert table.loc["during", "mean_speed_um_per_min"] == 0
    assert table.loc["during", "arrest_coefficient"] == 1
    assert np.isnan(table.loc["during", "straightness"]), "no way, no straightness"
    assert table.loc["after", "mean_turning_angle_deg"] == pytest.approx(90)
    # Three diagonal steps of a zigzag: 15 across, 5 up, over three diagonals.
    assert table.loc["after", "straightness"] == pytest.approx(
        np.hypot(15, 5) / (3 * np.hypot(5, 5))
    )
    # Free: 5 straight steps before, 5 diagonal ones after: two stretches of their own.
    zigzag = np.hypot(25, 5)
    path = 5 * np.hypot(5, 5)
    assert table.loc["free", "straightness"] == pytest.approx(
        (50 + zigzag) / (50 + path)
    )


def test_a_cell_without_contacts_is_free_all_the_time(visitor):
    table = measured(visitor)
    assert table.index.tolist() == [(1, "free")]
    assert table["n_steps"].tolist() == [N - 1]


def test_contacts_of_others_do_not_count(visitor):
    other = visitor.assign(track_id=7, label=2)
    both = pd.concat([visitor, other], ignore_index=True)
    table = measured(both, episode(8, 12, effector=7), episode(1, 3, effector=99))
    assert table.loc[1].index.tolist() == ["free"]
    assert set(table.loc[7].index) == {"before", "during", "after", "free"}


def test_between_two_contacts_the_nearer_one_decides(visitor):
    table = measured(visitor, episode(4, 6), episode(10, 12, target=2), window=100.0)
    # Steps to 7, 8 follow the first contact, those to 9, 10 lead to the second; all
    # steps to 1..4 lead to the first.
    assert table.loc[1, "n_steps"].to_dict() == {
        "before": 4 + 2,
        "during": 2 + 2,
        "after": 2 + (N - 1 - 12),
    }


def test_during_holds_while_any_target_is_touched(visitor):
    table = measured(visitor, episode(4, 8), episode(6, 12, target=2))
    assert table.loc[(1, "during"), "n_steps"] == 8


def test_handing_over_between_frames_is_no_step_of_one_contact(visitor):
    """One contact ends in frame 5, another begins in frame 6: the step is a leaving."""
    table = measured(visitor, episode(4, 5), episode(6, 7, target=2))
    assert table.loc[(1, "during"), "n_steps"] == 2


def test_skipped_frames_belong_to_nothing(visitor):
    gap = visitor[visitor["frame"] != 10]
    table = measured(gap, episode(8, 12))
    assert table.loc[(1, "during"), "n_steps"] == 2


def test_real_times_decide_where_frames_are_irregular(visitor):
    times = TIMES.copy()
    times[9:] += 60.0  # a pause before the contact
    values = CALIBRATION.model_dump() | {"frame_times_min": tuple(times)}
    late = Calibration.model_validate(values)
    table = measured(visitor, episode(9, 12), calibration=late)
    # Only the step across the pause would lead to it, and its middle is 31 min off.
    assert "before" not in table.loc[1].index


def test_no_tracks_and_single_points_give_an_empty_table(visitor):
    assert len(measured(visitor.head(0))) == 0
    assert len(measured(visitor.head(1), episode(0, 0))) == 0


def test_row_order_and_track_numbers_do_not_matter(visitor):
    other = visitor.assign(track_id=2, label=2, x_um=visitor["x_um"] * 0.3)
    both = pd.concat([visitor, other], ignore_index=True)
    want = measured(both, episode(8, 12), episode(3, 5, effector=2))
    renumbered = both.assign(track_id=both["track_id"].map({1: 20, 2: 10}))
    shuffled = renumbered.sample(frac=1, random_state=1)
    got = measured(shuffled, episode(3, 5, effector=10), episode(8, 12, effector=20))
    for old, new in ((1, 20), (2, 10)):
        pd.testing.assert_frame_equal(got.loc[new], want.loc[old])
