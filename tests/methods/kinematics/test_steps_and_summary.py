"""Steps and track summaries against geometry and against a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import KINEMATICS, TRACK_SUMMARY
from cyto_kedro.methods.kinematics.points import sort_points
from cyto_kedro.methods.kinematics.steps import measure_steps, step_table
from cyto_kedro.methods.kinematics.summary import summarise_tracks
from tables import tracks_table


def motion(tracks, times, arrest=2.0):
    points = sort_points(tracks, np.asarray(times, float))
    steps = measure_steps(points)
    table = step_table(points, steps, tracks["label"].to_numpy())
    summary = summarise_tracks(tracks, points, steps, arrest)
    return KINEMATICS.validate(table), TRACK_SUMMARY.validate(summary)


def one_track(y, x, frames=None, times=None, **columns):
    frames = np.arange(len(y)) if frames is None else np.asarray(frames)
    times = np.arange(frames.max() + 1.0) if times is None else times
    table = tracks_table(frames, np.ones(len(y), int), y, x, **columns)
    return motion(table, times)


def test_a_straight_line_at_constant_speed():
    steps, tracks = one_track(3.0 * np.arange(6), 4.0 * np.arange(6))
    assert steps["speed_um_per_min"].isna().tolist() == [True] + [False] * 5
    assert steps["speed_um_per_min"].iloc[1:].tolist() == pytest.approx([5.0] * 5)
    assert steps["vel_y_um_per_min"].iloc[1] == 3 and steps["vel_x_um_per_min"].iloc[
        1
    ] == pytest.approx(4)
    assert steps["turning_angle_deg"].iloc[2:].tolist() == pytest.approx([0.0] * 4)
    assert steps["turning_angle_deg"].iloc[:2].isna().all()
    row = tracks.iloc[0]
    assert (row["path_um"], row["net_displacement_um"]) == pytest.approx((25, 25))
    assert (row["straightness"], row["outreach"]) == pytest.approx((1, 1))
    assert (row["duration_min"], row["arrest_coefficient"]) == (5, 0)


def test_once_round_a_circle():
    n, radius = 36, 10.0
    angle = np.linspace(0, 2 * np.pi, n + 1)
    steps, tracks = one_track(radius * np.sin(angle), radius * np.cos(angle))
    chord = 2 * radius * np.sin(np.pi / n)
    row = tracks.iloc[0]
    assert row["path_um"] == pytest.approx(n * chord)
    assert row["straightness"] == pytest.approx(0, abs=1e-12)
    assert row["outreach"] == pytest.approx(2 * radius / (n * chord))
    assert steps["turning_angle_deg"].dropna().to_numpy() == pytest.approx(360 / n)
    assert steps["net_displacement_um"].max() == pytest.approx(2 * radius)


def test_a_reversal_turns_by_180_degrees():
    steps, _ = one_track([0, 0, 0], [0, 1, 0])
    assert steps["turning_angle_deg"].iloc[2] == 180


def test_a_skipped_frame_has_no_speed_but_keeps_the_way():
    steps, tracks = one_track([0, 0, 0, 0, 0], [0, 1, 4, 5, 7], [0, 1, 4, 5, 6])
    assert steps["speed_um_per_min"].isna().tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert steps["vel_x_um_per_min"].isna().tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
    # An angle needs two known steps in a row.
    assert steps["turning_angle_deg"].isna().tolist() == [True, True, True, True, False]
    assert steps["dt_min"].iloc[1:].tolist() == [1, 3, 1, 1]
    assert steps["path_um"].tolist() == [0, 1, 4, 5, 7]
    row = tracks.iloc[0]
    assert (row["n_gaps"], row["straightness"], row["max_speed_um_per_min"]) == (
        1,
        1,
        2,
    )
    assert row["mean_speed_um_per_min"] == pytest.approx(4 / 3)


def test_irregular_frame_times_are_used():
    steps, _ = one_track([0, 0, 0], [0, 6, 12], times=[0.0, 2.0, 5.0])
    assert steps["speed_um_per_min"].iloc[1:].tolist() == [3, 2]


def test_a_still_cell_is_arrested_but_has_no_direction():
    steps, tracks = one_track([5, 5, 5], [5, 5, 5])
    row = tracks.iloc[0]
    assert row["arrest_coefficient"] == 1 and row["mean_speed_um_per_min"] == 0
    assert pd.isna(row["straightness"]) and pd.isna(row["outreach"])
    assert steps["turning_angle_deg"].isna().all()


def test_arrest_coefficient_is_the_share_of_slow_steps():
    _, tracks = one_track(np.zeros(5), np.cumsum([0, 1, 1.9, 2, 3]))
    assert tracks["arrest_coefficient"].iloc[0] == 0.5


def test_a_single_point_has_no_motion_rather_than_zero():
    _, tracks = one_track([1.0], [2.0], link_confidence=[np.nan])
    undefined = ["straightness", "mean_speed_um_per_min", "median_speed_um_per_min"]
    undefined += ["max_speed_um_per_min", "arrest_coefficient", "mean_link_confidence"]
    assert tracks[undefined].isna().all(axis=None)
    assert tracks["n_points"].iloc[0] == 1


def test_daughters_are_counted_and_named():
    table = tracks_table(
        [0, 1, 2, 2],
        [5, 5, 7, 9],
        np.zeros(4),
        np.zeros(4),
        parent_track_id=pd.array([pd.NA, pd.NA, 5, 5], dtype="Int64"),
    )
    _, tracks = motion(table, range(3))
    assert tracks["track_id"].tolist() == [5, 7, 9]
    assert tracks["n_daughters"].tolist() == [2, 0, 0]
    assert tracks["parent_track_id"].isna().tolist() == [True, False, False]


def test_no_cells_give_typed_empty_tables():
    table = tracks_table([0], [1], [0], [0]).iloc[:0]
    steps, tracks = motion(table, [0.0])
    assert len(steps) == len(tracks) == 0


@pytest.mark.parametrize("frames, word", [([0, 0], "two points"), ([0, 9], "0 to 9")])
def test_impossible_tracks_are_refused(frames, word):
    table = tracks_table(frames, [1, 1], [0, 1], [0, 1])
    with pytest.raises(InputError, match=word):
        sort_points(table, np.arange(3.0))


def reference(table, times):
    """Every number by a plain loop over the points of one track at a time."""
    rows, tracks = [], []
    for track, part in table.groupby("track_id"):
        part = part.sort_values("frame")
        path, before, angles, speeds, far = 0.0, None, [], [], 0.0
        points = list(zip(part["frame"], part["y_um"], part["x_um"], strict=True))
        for k, (frame, y, x) in enumerate(points):
            speed = angle = np.nan
            step = None
            if k:
                last, y0, x0 = points[k - 1]
                path += np.hypot(y - y0, x - x0)
                if frame == last + 1:
                    step = np.array([y - y0, x - x0])
                    speed = np.linalg.norm(step) / (times[frame] - times[last])
                    if before is not None and step.any() and before.any():
                        both = np.linalg.norm(step) * np.linalg.norm(before)
                        angle = np.degrees(
                            np.arccos(np.clip(step @ before / both, -1, 1))
                        )
            before = step
            net = np.hypot(y - points[0][1], x - points[0][2])
            far = max(far, net)
            speeds.append(speed)
            angles.append(angle)
            rows.append((track, frame, speed, angle, path, net))
        known = [s for s in speeds if not np.isnan(s)]
        tracks.append(
            (
                track,
                net / path if path else np.nan,
                far / path if path else np.nan,
                np.mean(known) if known else np.nan,
                np.median(known) if known else np.nan,
                max(known) if known else np.nan,
                np.mean([s < 2 for s in known]) if known else np.nan,
                np.mean([a for a in angles if not np.isnan(a)] or [np.nan]),
            )
        )
    return np.array(rows, float), np.array(tracks, float)


def random_tracks(rng, n_tracks=30, n_frames=20, missed=0.2):
    frame, track = np.meshgrid(np.arange(n_frames), np.arange(1, n_tracks + 1))
    keep = rng.random(frame.shape) > missed
    y, x = np.cumsum(rng.normal(0, 2, (2, *frame.shape)), axis=2) + 200
    return tracks_table(frame[keep], track[keep], y[keep], x[keep])


STEP_COLUMNS = ["track_id", "frame", "speed_um_per_min", "turning_angle_deg"]
STEP_COLUMNS += ["path_um", "net_displacement_um"]
TRACK_COLUMNS = ["track_id", "straightness", "outreach", "mean_speed_um_per_min"]
TRACK_COLUMNS += ["median_speed_um_per_min", "max_speed_um_per_min"]
TRACK_COLUMNS += ["arrest_coefficient", "mean_turning_angle_deg"]


def test_equals_a_plain_loop():
    rng = np.random.default_rng(1)
    table, times = random_tracks(rng), np.cumsum(rng.uniform(0.5, 2, 20))
    rows, tracks = reference(table, times)
    steps, summary = motion(table, times)
    np.testing.assert_allclose(steps[STEP_COLUMNS], rows, rtol=1e-9, atol=1e-6)
    exact = ["speed_um_per_min", "path_um", "net_displacement_um"]
    columns = [STEP_COLUMNS.index(name) for name in exact]
    np.testing.assert_allclose(steps[exact], rows[:, columns], rtol=0, atol=1e-9)
    np.testing.assert_allclose(summary[TRACK_COLUMNS], tracks, rtol=1e-9, atol=1e-6)


seeds = st.integers(0, 10_000)


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(0, 2 * np.pi), st.floats(0, 500), st.booleans())
def test_rotating_and_moving_the_image_changes_no_speed(seed, angle, shift, flip):
    table = random_tracks(np.random.default_rng(seed), 6, 10)
    turned = table.copy()
    y, x = table["y_um"] - 200, (table["x_um"] - 200) * (-1 if flip else 1)
    turned["y_um"] = np.cos(angle) * y + np.sin(angle) * x + 500 + shift
    turned["x_um"] = -np.sin(angle) * y + np.cos(angle) * x + 500
    columns = ["speed_um_per_min", "path_um", "net_displacement_um"]
    (before, tracks), (after, turned_tracks) = (
        motion(t, range(10)) for t in (table, turned)
    )
    np.testing.assert_allclose(before[columns], after[columns], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        before["turning_angle_deg"], after["turning_angle_deg"], atol=1e-5
    )
    assert tracks["straightness"].dropna().between(0, 1).all()
    np.testing.assert_allclose(tracks["outreach"], turned_tracks["outreach"])


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(0.01, 100), st.floats(0.01, 100))
def test_a_change_of_units_scales_speed_and_nothing_else(seed, length, time):
    table = random_tracks(np.random.default_rng(seed), 6, 10)
    other = table.assign(y_um=table["y_um"] * length, x_um=table["x_um"] * length)
    before, tracks = motion(table, np.arange(10.0))
    after, other_tracks = motion(other, np.arange(10.0) * time, 2.0 * length / time)
    np.testing.assert_allclose(
        before["speed_um_per_min"] * length / time, after["speed_um_per_min"], rtol=1e-9
    )
    same = ["straightness", "outreach", "mean_turning_angle_deg"]
    np.testing.assert_allclose(tracks[same], other_tracks[same], rtol=1e-6, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_the_order_of_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    table = random_tracks(rng, 6, 10)
    before = motion(table, range(10))
    after = motion(table.sample(frac=1, random_state=seed), range(10))
    for one, other in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_the_input_is_left_alone():
    table = random_tracks(np.random.default_rng(0), 5, 5)
    copy = table.copy(deep=True)
    motion(table, range(5))
    pd.testing.assert_frame_equal(table, copy)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2**40), st.integers(0, 300)), unique=True))
def test_points_are_sorted_for_any_track_ids(pairs):
    track, frame = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    table = pd.DataFrame({"track_id": track, "frame": frame, "y_um": 0.0, "x_um": 0.0})
    points = sort_points(table, np.arange(301.0))
    assert list(zip(points.track_id, points.frame, strict=True)) == sorted(pairs)


def test_a_helix_is_measured_in_space():
    """Radius 5, pitch 2 per turn of 40 steps, against closed forms."""
    turn, rise = 2 * np.pi / 40, 2.0 / 40
    angle = turn * np.arange(81)
    table = tracks_table(
        range(81), [1] * 81, 5 * np.sin(angle), 5 * np.cos(angle)
    ).assign(z_um=rise * np.arange(81))
    points = sort_points(table, np.arange(81.0))
    steps = measure_steps(points)
    chord = 2 * 5 * np.sin(turn / 2)
    assert steps.speed[1:] == pytest.approx(np.hypot(chord, rise))
    between = (chord**2 * np.cos(turn) + rise**2) / (chord**2 + rise**2)
    assert steps.angle_deg[2:] == pytest.approx(np.degrees(np.arccos(between)))
    assert steps.net_um[-1] == pytest.approx(4.0), "two turns up"


def test_a_z_of_zero_is_a_plane():
    table = tracks_table(range(3), [1] * 3, [0, 1, 3], [0, 2, 1])
    flat = measure_steps(sort_points(table, np.arange(3.0)))
    plane = measure_steps(sort_points(table.assign(z_um=0.0), np.arange(3.0)))
    for name in ("speed", "angle_deg", "path_um", "net_um"):
        np.testing.assert_array_equal(getattr(flat, name), getattr(plane, name))


def test_confidence_of_a_track_and_columns_that_other_programs_do_not_give():
    table = tracks_table([0, 1, 0, 1], [1, 1, 2, 2], [0] * 4, range(4))
    table["track_confidence"] = [0.25, 0.25, np.nan, np.nan]
    _, summary = motion(table, range(2))
    np.testing.assert_array_equal(summary["track_confidence"], [0.25, np.nan])
    bare = table.drop(columns=["area_um2", "link_confidence", "track_confidence"])
    _, summary = motion(bare, range(2))
    unknown = ["mean_area_um2", "mean_link_confidence", "track_confidence"]
    assert summary[unknown].isna().all(axis=None)
