"""Episodes by hand-made cases: hysteresis, gaps, truncation and dwell times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import CONTACTS, EPISODES
from cyto_kedro.methods.contacts import contact_episodes

N_FRAMES = 12


def contacts(
    states: str, pair: tuple[int, int] = (1, 2), start: int = 0
) -> pd.DataFrame:
    """One letter per frame: C in contact, n near (between both distances), . apart."""
    frames = [k + start for k, state in enumerate(states) if state != "."]
    close = np.array([state == "C" for state in states if state != "."], dtype=bool)
    table = pd.DataFrame(
        {
            "frame": frames,
            "time_min": np.array(frames, float),
            "effector": "tcell",
            "target": "cancer",
            "effector_label": 1,
            "target_label": 1,
            "effector_track_id": pair[0],
            "target_track_id": pair[1],
            "distance_um": np.where(close, 1.0, 2.5) + 0.01 * np.array(frames, float),
            "centroid_distance_um": 9.0,
            "boundary_um": np.where(close, 4.0, 0.0),
            "overlap_px": 0,
            "in_contact": close,
        }
    )
    return CONTACTS.conform(table)


def seen(track_id: int, frames: range | list[int]) -> pd.DataFrame:
    return pd.DataFrame({"track_id": track_id, "frame": list(frames)})


def calibration(times: list[float] | None = None) -> Calibration:
    times = [2.0 * k for k in range(N_FRAMES)] if times is None else times
    return Calibration(
        movie="m",
        channels=("a",),
        n_frames=len(times),
        height_px=4,
        width_px=4,
        pixel_size_y_um=1.0,
        pixel_size_x_um=1.0,
        frame_times_min=tuple(times),
        source_frames=tuple(range(len(times))),
    )


def episodes(table: pd.DataFrame, **options) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    whole = range(N_FRAMES)
    given = {
        "effector_tracks": seen(1, whole),
        "target_tracks": seen(2, whole),
        "calibration": calibration(),
        "max_gap_frames": 1,
        "min_frames": 1,
    } | options
    found = contact_episodes(table, **given)
    EPISODES.validate(found)
    return found


def spans(table: pd.DataFrame, **options) -> list[tuple[int, int, int]]:  # type: ignore[no-untyped-def]
    found = episodes(table, **options)
    columns = found[["first_frame", "last_frame", "n_frames"]]
    return list(columns.itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("states", "gap", "expected"),
    [
        ("..CCC.......", 1, [(2, 4, 3)]),
        ("..C.........", 1, [(2, 2, 1)]),
        # Hysteresis: a contact lasts while near, but being near does not open it.
        ("..nCnnn.....", 1, [(3, 6, 4)]),
        ("..nnnn......", 1, []),
        ("..Cn.nC.....", 0, [(2, 3, 2), (6, 6, 1)]),
        # Gaps: one frame is bridged, two are not unless asked for.
        ("..CC.CC.....", 1, [(2, 6, 4)]),
        ("..CC.CC.....", 0, [(2, 3, 2), (5, 6, 2)]),
        ("..CC..CC....", 1, [(2, 3, 2), (6, 7, 2)]),
        ("..CC..CC....", 2, [(2, 7, 4)]),
        # After a gap the contact distance must be reached again.
        ("..CC.nC.....", 1, [(2, 3, 2), (6, 6, 1)]),
        ("..CC.nC.....", 2, [(2, 6, 3)]),
        ("..CC.nn.....", 1, [(2, 3, 2)]),
        ("............", 1, []),
    ],
)
def test_which_frames_make_an_episode(
    states: str, gap: int, expected: list[tuple[int, int, int]]
) -> None:
    assert spans(contacts(states), max_gap_frames=gap) == expected


def test_short_episodes_are_dropped_and_the_rest_numbered() -> None:
    table = contacts("C...CC....C.")
    assert spans(table, min_frames=2) == [(4, 5, 2)]
    assert episodes(table, min_frames=2)["episode"].tolist() == [1]
    assert episodes(table)["episode"].tolist() == [1, 2, 3]
    # A bridged gap does not count as contact.
    assert spans(contacts("..C.C......."), min_frames=3) == []


def test_dwell_counts_both_end_frames() -> None:
    found = episodes(contacts("..CC.CC.....")).iloc[0]
    assert (found["start_min"], found["end_min"]) == (4.0, 12.0)
    assert found["dwell_min"] == 5 * 2.0
    assert found["min_distance_um"] == pytest.approx(1.02)
    assert found["max_boundary_um"] == 4.0


def test_dwell_uses_the_real_times_of_uneven_frames() -> None:
    times = calibration([0.0, 1.0, 3.0, 7.0])
    # Frame 1 stands for 0.5..2 min, frame 2 for 2..5, frame 3 for 5..9.
    assert episodes(contacts(".CC."), calibration=times)["dwell_min"].item() == 4.5
    assert episodes(contacts("...C"), calibration=times)["dwell_min"].item() == 4.0


def test_one_frame_has_no_dwell_time() -> None:
    found = episodes(
        contacts("C"),
        calibration=calibration([0.0]),
        effector_tracks=seen(1, [0]),
        target_tracks=seen(2, [0]),
    ).iloc[0]
    assert np.isnan(found["dwell_min"])
    assert found["truncated_start"] and found["truncated_end"]


@pytest.mark.parametrize(
    ("states", "effector", "target", "expected"),
    [
        ("..CCC.......", range(12), range(12), (False, False)),
        ("CCC.........", range(12), range(12), (True, False)),
        (".........CCC", range(12), range(12), (False, True)),
        ("..CCC.......", range(2, 12), range(12), (True, False)),
        ("..CCC.......", range(12), range(2, 12), (True, False)),
        ("..CCC.......", range(5), range(12), (False, True)),
        ("..CCC.......", range(12), range(5), (False, True)),
        # The effector was lost for frames 5 to 7: the end was not seen.
        ("..CCC.......", [*range(5), *range(8, 12)], range(12), (False, True)),
    ],
)
def test_episodes_cut_by_movie_or_track_are_flagged(
    states: str, effector: range, target: range, expected: tuple[bool, bool]
) -> None:
    found = episodes(
        contacts(states),
        effector_tracks=seen(1, effector),
        target_tracks=seen(2, target),
    ).iloc[0]
    assert (found["truncated_start"], found["truncated_end"]) == expected


def test_pairs_are_kept_apart_and_rows_without_tracks_left_out() -> None:
    loose = contacts("CCCCCCCCCCCC", (7, 8))
    loose.loc[1:, "target_track_id"] = pd.NA
    loose.loc[0, "effector_track_id"] = pd.NA
    table = pd.concat(
        [contacts("....CC......", (1, 3)), contacts("CCCC........"), loose]
    )
    found = episodes(
        table, target_tracks=pd.concat([seen(2, range(12)), seen(3, range(4, 12))])
    )
    keys = ["effector_track_id", "target_track_id", "first_frame", "last_frame"]
    assert found[keys].to_numpy().tolist() == [[1, 2, 0, 3], [1, 3, 4, 5]]
    assert found["truncated_start"].tolist() == [True, True]
    assert found["truncated_end"].tolist() == [False, False]


def test_within_one_kind_the_order_of_labels_does_not_split_a_contact() -> None:
    table = pd.concat([contacts("CC..", (1, 2)), contacts("CC", (2, 1), start=2)])
    table["effector"] = table["target"] = "tcell"
    both = pd.concat([seen(1, range(12)), seen(2, range(12))])
    found = episodes(table, effector_tracks=both, target_tracks=both)
    assert found[["first_frame", "last_frame"]].to_numpy().tolist() == [[0, 3]]
    assert not found["truncated_end"].item()


states = st.text(alphabet="C.n", min_size=1, max_size=8)


@given(states, states, st.integers(0, 3), st.integers(0, 2), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_shifting_renaming_and_shuffling_change_nothing_else(
    one: str, other: str, shift: int, gap: int, shortest: int
) -> None:
    table = pd.concat([contacts(one, (1, 2)), contacts(other, (1, 3))])
    options = {"max_gap_frames": gap, "min_frames": shortest}
    wide = range(-5, 2 * N_FRAMES)  # observed throughout: nothing is truncated
    tracks = {
        "effector_tracks": seen(1, wide),
        "target_tracks": pd.concat([seen(2, wide), seen(3, wide)]),
    }
    first = episodes(table, **options, **tracks)
    moved = table.assign(
        frame=table["frame"] + shift, effector_track_id=table["effector_track_id"] + 40
    ).sample(frac=1.0, random_state=0)
    tracks["effector_tracks"] = seen(41, wide)
    second = episodes(moved, **options, **tracks)
    second[["first_frame", "last_frame"]] -= shift
    second[["start_min", "end_min"]] -= 2.0 * shift
    second["effector_track_id"] -= 40
    pd.testing.assert_frame_equal(first, second)


@given(states, st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_episodes_equal_a_frame_by_frame_automaton(text: str, gap: int) -> None:
    expected: list[list[int]] = []
    on = False
    for frame, state in enumerate(text):
        on = state == "C" or (on and state == "n")
        if on and expected and frame - expected[-1][1] <= gap + 1:
            expected[-1][1] = frame
            expected[-1][2] += 1
        elif on:
            expected.append([frame, frame, 1])
    assert spans(contacts(text), max_gap_frames=gap) == [tuple(e) for e in expected]
