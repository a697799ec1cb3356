"""Divisions that a person rejected, found or moved change who is who, and no row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.reporting.lineage import correct_divisions, renamed
from tables import tracks_table

#: Area of a disc of 5 um radius: two diameters are 20 um.
AREA = np.pi * 25


def movie(*cells):
    """(track, parent, first, last, x) for each cell; one row per frame."""
    parts = [
        pd.DataFrame(
            {"frame": range(a, b + 1), "track_id": t, "parent_track_id": p, "x": x}
        )
        for t, p, a, b, x in cells
    ]
    rows = pd.concat(parts).sort_values(["frame", "track_id"])
    moved = rows.groupby("track_id").cumcount() > 0
    return tracks_table(
        rows["frame"].to_numpy(),
        rows["track_id"].to_numpy(),
        0.0,
        rows["x"].to_numpy(),
        parent_track_id=pd.array(rows["parent_track_id"], "Int64"),
        area_um2=AREA,
        link_distance_um=np.where(moved, 0.0, np.nan),
    )


#: 1 divides after frame 4 into 2 (near) and 3 (far); 3 divides after 7 into 4 and 5.
FAMILY = movie(
    (1, None, 0, 4, 0.0),
    (2, 1, 5, 9, 1.0),
    (3, 1, 5, 7, 6.0),
    (4, 3, 8, 9, 6.0),
    (5, 3, 8, 9, 9.0),
)


def judged(*rows):
    columns = ["track_id", "frame", "called", "answer", "corrected_frame"]
    table = pd.DataFrame(rows, columns=columns).assign(kind="division")
    return table.astype({"corrected_frame": "Int64"})


def family(tracks):
    """{track: (parent or 0, first frame, last frame)}."""
    grouped = tracks.groupby("track_id")
    return {
        int(track): (
            int(part["parent_track_id"].fillna(0).iloc[0]),
            int(part["frame"].min()),
            int(part["frame"].max()),
        )
        for track, part in grouped
    }


def test_a_rejected_division_gives_the_mother_her_nearest_daughter():
    found = correct_divisions(FAMILY, judged((1, 4, True, "no", None))).tracks
    assert family(found) == {
        1: (0, 0, 9),
        3: (0, 5, 7),
        4: (3, 8, 9),
        5: (3, 8, 9),
    }
    joint = found[(found["track_id"] == 1) & (found["frame"] == 5)].iloc[0]
    assert joint["link_distance_um"] == 1.0 and joint["gap_frames"] == 0


def test_descendants_follow_the_daughter_that_became_her_mother():
    tracks = FAMILY.assign(x_um=FAMILY["x_um"].replace({1.0: 20.0}))
    found = correct_divisions(tracks, judged((1, 4, True, "no", None))).tracks
    assert family(found) == {
        1: (0, 0, 7),
        2: (0, 5, 9),
        4: (1, 8, 9),
        5: (1, 8, 9),
    }


def test_both_generations_can_be_rejected():
    rows = judged((3, 7, True, "no", None), (1, 4, True, "no", None))
    found = correct_divisions(FAMILY, rows).tracks
    assert family(found) == {1: (0, 0, 9), 3: (0, 5, 9), 5: (0, 8, 9)}


def test_a_verdict_holds_for_a_cell_that_another_verdict_renamed():
    tracks = FAMILY.assign(x_um=FAMILY["x_um"].replace({1.0: 20.0}))
    rows = judged((1, 4, True, "no", None), (3, 7, True, "no", None))
    found = correct_divisions(tracks, rows).tracks
    assert family(found) == {1: (0, 0, 9), 2: (0, 5, 9), 5: (0, 8, 9)}


def test_a_found_division_makes_a_daughter_and_adopts_her_sister():
    tracks = movie((1, None, 0, 9, 0.0), (2, None, 6, 9, 8.0), (3, None, 6, 9, 15.0))
    found = correct_divisions(tracks, judged((1, 5, False, "yes", None)))
    assert family(found.tracks) == {
        1: (0, 0, 5),
        2: (1, 6, 9),
        3: (0, 6, 9),
        4: (1, 6, 9),
    }
    assert not found.notes
    start = found.tracks[found.tracks["track_id"] == 4].iloc[0]
    assert np.isnan(start["link_distance_um"]), "no point of its own before it"


@pytest.mark.parametrize(("x", "first"), [(21.0, 6), (8.0, 9), (8.0, 5)])
def test_a_sister_out_of_reach_is_not_adopted(x, first):
    tracks = movie((1, None, 0, 9, 0.0), (2, None, first, 9, x))
    found = correct_divisions(tracks, judged((1, 5, False, "yes", None)))
    assert family(found.tracks)[2][0] == 0
    assert "no second daughter of cell 1" in found.notes[0]


def test_a_division_moves_to_an_earlier_frame():
    found = correct_divisions(FAMILY, judged((1, 4, True, "yes", 2))).tracks
    assert family(found) == {
        1: (0, 0, 2),
        6: (1, 3, 9),
        3: (1, 5, 7),
        4: (3, 8, 9),
        5: (3, 8, 9),
    }


def test_a_division_moves_to_a_later_frame():
    found = correct_divisions(FAMILY, judged((1, 4, True, "yes", 6))).tracks
    assert family(found) == {
        1: (0, 0, 6),
        6: (1, 7, 9),
        3: (0, 5, 6),
        7: (1, 7, 7),
        4: (7, 8, 9),
        5: (7, 8, 9),
    }


@pytest.mark.parametrize(
    "row",
    [
        (1, 4, True, "yes", None),
        (1, 4, True, "yes", 4),
        (1, 4, True, "", None),
        (2, 6, False, "no", None),
    ],
)
def test_an_agreed_or_open_division_changes_nothing(row):
    found = correct_divisions(FAMILY, judged(row)).tracks
    pd.testing.assert_frame_equal(found, FAMILY)


def test_rows_and_measurements_stay():
    rows = judged((1, 4, True, "no", None), (2, 7, False, "yes", None))
    found = correct_divisions(FAMILY, rows).tracks
    TRACKS.validate(found)
    changed = ["track_id", "parent_track_id", "link_distance_um", "gap_frames"]
    changed += ["link_confidence", "link_margin", "track_confidence"]
    both = [t.drop(columns=changed) for t in (found, FAMILY)]
    pd.testing.assert_frame_equal(*both)


@pytest.mark.parametrize("frame", [9, 12])
def test_a_division_after_which_nothing_is_seen_is_refused(frame):
    with pytest.raises(InputError, match="cannot divide in frame"):
        correct_divisions(FAMILY, judged((2, 7, False, "yes", frame)))


def test_questions_about_a_renamed_cell_find_it_also_in_a_gap():
    tracks = FAMILY[(FAMILY["track_id"] != 2) | (FAMILY["frame"] != 7)]
    found = correct_divisions(tracks, judged((1, 4, True, "no", None))).tracks
    asked = pd.DataFrame(
        {
            "track_id": pd.array([2, 2, 1, 4, None], "Int64"),
            "frame": [7, 9, 3, 9, 0],
        },
        index=[10, 11, 12, 13, 14],
    )
    ids = renamed(asked, tracks, found)
    assert ids.index.tolist() == asked.index.tolist()
    assert ids.fillna(0).tolist() == [1, 1, 1, 4, 0]
