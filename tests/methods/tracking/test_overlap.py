"""Overlap of masks: counted right, and enough to track dense cells by."""

from __future__ import annotations

import tracemalloc

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.core.schemas import DETECTIONS, TRACKS
from cyto_kedro.methods.tracking import TRACKERS, OverlapOptions
from cyto_kedro.methods.tracking.overlaps import contingency, find_overlaps
from cyto_kedro.methods.tracking.points import read_points
from tables import filled

FIELD = Calibration.regular((40, 120, 120))


def measured(labels: np.ndarray) -> pd.DataFrame:
    """DETECTIONS of masks, in um = px."""
    rows = []
    for frame, plane in enumerate(labels):
        for label in np.unique(plane[plane > 0]):
            y, x = np.nonzero(plane == label)
            rows.append((frame, label, y.mean(), x.mean(), len(y)))
    names = ["frame", "label", "y_um", "x_um", "area_px"]
    table = pd.DataFrame(rows, columns=names).astype({"frame": int, "label": int})
    return filled(DETECTIONS, table.assign(time_min=table["frame"] * 1.0))


def track(labels: np.ndarray, **options) -> pd.DataFrame:
    chosen = OverlapOptions(name="overlap", **options)
    lazy = da.from_array(labels, chunks=(1, *labels.shape[1:]))
    table = measured(labels)
    return TRACKS.validate(TRACKERS["overlap"].track(table, FIELD, chosen, lazy))


def square(plane: np.ndarray, label: int, y: int, x: int, size: int = 10) -> None:
    plane[y : y + size, x : x + size] = label


def ids(tracks: pd.DataFrame, frame: int) -> dict[int, int]:
    """Track of each label in a frame."""
    here = tracks[tracks["frame"] == frame]
    return dict(zip(here["label"], here["track_id"], strict=True))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_contingency_equals_counting_pixels(seed, height, width):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 4, (2, height, width)).astype(np.uint32) * 70_000
    a, b, pixels = contingency(one, other)
    found = dict(zip(zip(a.tolist(), b.tolist(), strict=True), pixels, strict=True))
    pairs = list(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    assert found == {pair: pairs.count(pair) for pair in set(pairs)}


def test_overlaps_across_a_step():
    labels = np.zeros((3, 120, 120), np.uint32)
    square(labels[0], 7, 20, 20)
    square(labels[2], 9, 24, 22)
    table = measured(labels)
    points = read_points(table)
    label = table["label"].to_numpy()[points.row]
    assert len(find_overlaps(points, label, labels)) == 0
    [pair] = [find_overlaps(points, label, labels, step=2)]
    assert pair.shared_px.tolist() == [6 * 8]
    assert pair.iou == pytest.approx([48 / (200 - 48)])


def test_packed_cells_are_followed():
    """A tiling of touching squares drifts by a third of a cell per frame."""
    labels = np.zeros((6, 120, 120), np.uint32)
    for t in range(6):
        for k, (row, column) in enumerate(np.ndindex(6, 6)):
            # Labels are shuffled: nothing but the place says who is who.
            label = 1 + (k * 7 + t * 5) % 36
            square(labels[t], label, 10 + 12 * row + 4 * t, 10 + 12 * column, 12)
    tracks = track(labels)
    number = (tracks["label"] - 1 - tracks["frame"] * 5) * 31 % 36  # 7 x 31 = 1 mod 36
    assert (tracks.groupby(number)["track_id"].nunique() == 1).all()
    assert tracks["track_id"].nunique() == 36


def test_a_missed_frame_is_bridged_and_a_long_one_is_not():
    labels = np.zeros((9, 120, 120), np.uint32)
    for t in (0, 1, 4, 8):
        square(labels[t], 5, 50 + t, 50)
    tracks = track(labels, max_gap_frames=2)
    assert tracks["track_id"].tolist() == [1, 1, 1, 2]
    assert tracks["gap_frames"].tolist() == [0, 0, 2, 0]
    assert track(labels, max_gap_frames=0)["track_id"].tolist() == [1, 1, 2, 3]


def test_division_and_merge():
    labels = np.zeros((6, 120, 120), np.uint32)
    for t in range(6):
        if 2 <= t < 4:
            labels[t, 50:70, 50:59], labels[t, 50:70, 61:70] = 1, 2
        else:
            labels[t, 50:70, 50:70] = 3
    tracks = track(labels, merging_min_overlap=0.8)
    mother = ids(tracks, 0)[3]
    daughters = tracks[tracks["frame"] == 2]
    assert daughters["parent_track_id"].tolist() == [mother, mother]
    assert ids(tracks, 5)[3] in daughters["track_id"].tolist()
    assert tracks["track_id"].nunique() == 3
    none = track(labels, splitting_min_overlap=None)
    assert none["parent_track_id"].isna().all()


def test_too_little_overlap_is_no_link():
    labels = np.zeros((2, 120, 120), np.uint32)
    square(labels[0], 1, 20, 20)
    square(labels[1], 1, 29, 29)
    assert track(labels)["track_id"].tolist() == [1, 2]
    assert track(labels, min_iou=0.001)["track_id"].tolist() == [1, 1]


def test_masks_are_needed_and_must_be_those_of_the_table():
    labels = np.zeros((3, 120, 120), np.uint32)
    square(labels[2], 1, 20, 20)
    table, options = measured(labels), OverlapOptions(name="overlap")
    with pytest.raises(InputError, match="needs the masks"):
        TRACKERS["overlap"].track(table, FIELD, options)
    with pytest.raises(InputError, match="reach frame 2, but there are only 2"):
        TRACKERS["overlap"].track(table, FIELD, options, labels[:2])


def test_the_movie_is_never_held():
    """40 frames of 4 MB are compared within the memory of a few of them."""

    def draw(block_info=None):
        plane = np.zeros((1, 1000, 1000), np.uint32)
        plane[0, 20:40, 20:40] = 1
        return plane

    chunks = ((1,) * 40, (1000,), (1000,))
    meta = np.empty((0, 0, 0), np.uint32)
    stack = da.map_blocks(draw, chunks=chunks, dtype=np.uint32, meta=meta)
    frame = np.arange(40)
    where = {"y_um": np.full(40, 29.5), "x_um": np.full(40, 29.5)}
    given = {"frame": frame, "label": np.ones(40, int), "time_min": frame * 1.0}
    table = filled(DETECTIONS, given | where)
    tracker = TRACKERS["overlap"]
    set_workers(1)
    tracemalloc.start()
    try:
        tracks = tracker.track(table, FIELD, OverlapOptions(name="overlap"), stack)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        set_workers(None)
    assert tracks["track_id"].unique().tolist() == [1]
    assert peak < 60e6, "the stack has 160 MB"
