"""Ultrack's and btrack's CSV: their layouts are written, and their files come in."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from cyto_kedro.core.schemas import EXCHANGED_TRACKS
from cyto_kedro.datasets import BtrackTracksDataset, UltrackTracksDataset
from tables import tracks_table

KEYS = ["frame", "label"]
SAME = [*KEYS, "time_min", "y_um", "x_um", "track_id", "parent_track_id", "gap_frames"]
SIZES = {"pixel_size_um": 0.5, "frame_interval_min": 2.0}
BOTH = pytest.mark.parametrize("kind", [UltrackTracksDataset, BtrackTracksDataset])


@pytest.fixture
def lineage():
    """Track 1 (a gap at frame 2) divides into 3 and 4; 3 into 5 and 6; 2 is a point."""
    return tracks_table(
        frame=[0, 1, 3, 0, 4, 5, 4, 5, 6, 6],
        track_id=[1, 1, 1, 2, 3, 3, 4, 4, 5, 6],
        y_um=[0.0, 3.0, 3.0, 40.0, 2.0, 1.0, 4.0, 5.1, 0.5, 1.5],
        x_um=[0.0, 4.0, 4.5, 50.0, 5.0, 6.0, 5.0, 6.7, 6.0, 6.2],
        interval_min=2.0,
        parent_track_id=pd.array([None] * 4 + [1] * 4 + [3] * 2, dtype="Int64"),
        gap_frames=[0, 0, 1, *[0] * 7],
    ).assign(label=lambda table: table["label"] * 1000 + 7)


@BOTH
def test_round_trip(kind, tmp_path, lineage):
    dataset = kind(tmp_path / "out" / "tcell.csv", **SIZES)
    dataset.save(lineage)
    loaded = EXCHANGED_TRACKS.validate(dataset.load())
    ordered = lineage.sort_values(KEYS, ignore_index=True)
    pd.testing.assert_frame_equal(loaded[SAME], ordered[SAME], check_dtype=False)
    assert all(path.is_file() for path in dataset.paths)
    assert sorted((tmp_path / "out").iterdir()) == sorted(dataset.paths)


@BOTH
def test_no_tracks(kind, tmp_path, lineage):
    dataset = kind(tmp_path / "none.csv", **SIZES)
    dataset.save(lineage.head(0))
    assert len(EXCHANGED_TRACKS.validate(dataset.load())) == 0


@BOTH
def test_merges_are_refused(kind, tmp_path, lineage):
    merged = lineage.assign(
        merged_into_track_id=lineage["track_id"].map({2: 4}).astype("Int64")
    )
    with pytest.raises(DatasetError, match="merge"):
        kind(tmp_path / "a.csv", **SIZES).save(merged)


def test_ultrack_layout(tmp_path, lineage):
    """Every point names the point before it; pixels, as on the image."""
    path = tmp_path / "tcell.csv"
    UltrackTracksDataset(path, pixel_size_um=0.5).save(lineage)
    rows = list(csv.DictReader(path.open()))
    columns = "track_id t y x id parent_track_id parent_id label".split()
    assert list(rows[0]) == columns
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows)
    steps = {
        (by_id[row["parent_id"]]["track_id"], row["track_id"], row["t"])
        for row in rows
        if row["parent_id"] != "-1"
    }
    along = {("1", "1", "1"), ("1", "1", "3"), ("3", "3", "5"), ("4", "4", "5")}
    born = {("1", "3", "4"), ("1", "4", "4"), ("3", "5", "6"), ("3", "6", "6")}
    assert steps == along | born
    parents = {row["track_id"]: row["parent_track_id"] for row in rows}
    assert parents == {"1": "-1", "2": "-1", "3": "1", "4": "1", "5": "3", "6": "3"}
    assert [float(r["y"]) for r in rows if r["track_id"] == "2"] == [80.0]


def test_ultrack_file_of_a_3d_movie_of_one_plane(tmp_path):
    path = tmp_path / "ultrack.csv"
    path.write_text(
        "track_id,t,z,y,x,id,parent_track_id,parent_id\n"
        "1,0,0.0,4.0,8.0,1000001,-1,-1\n"
        "2,1,0.0,2.0,8.0,2000001,1,1000001\n"
        "3,1,0.0,6.0,8.0,2000002,1,1000001\n"
    )
    table = UltrackTracksDataset(path, **SIZES).load()
    assert table["parent_track_id"].tolist()[1:] == [1, 1]
    assert table["source_id"].tolist() == [1000001, 2000001, 2000002]
    assert table["y_um"].tolist() == [2.0, 1.0, 3.0]


def test_btrack_layout(tmp_path, lineage):
    path = tmp_path / "tcell.csv"
    BtrackTracksDataset(path, pixel_size_um=0.5).save(lineage)
    head, *lines = [line.split(" ") for line in path.read_text().splitlines()]
    own = "ID t x y z parent root state generation dummy".split()
    assert head[: len(own)] == own
    kin = {(row[0], row[5], row[6], row[8]) for row in lines}
    assert kin == {
        *(("1", "1", "1", "0"), ("2", "2", "2", "0")),
        *(("3", "1", "1", "1"), ("4", "1", "1", "1")),
        *(("5", "3", "1", "2"), ("6", "3", "1", "2")),
    }
    lbep = np.loadtxt(tmp_path / "tcell.lbep.txt", dtype=int)
    assert lbep.tolist() == [
        *([1, 0, 3, 1], [2, 0, 0, 2], [3, 4, 5, 1]),
        *([4, 4, 5, 1], [5, 6, 6, 3], [6, 6, 6, 3]),
    ]


def test_btrack_points_that_were_not_seen_are_left_out(tmp_path):
    """A file in btrack's own layout: blanks, floats, and a dummy that fills a gap."""
    path = tmp_path / "btrack.csv"
    path.write_text(
        "ID t x y z parent root state generation dummy\n"
        "1.0 0.0 8.0 4.0 0.0 1.0 1.0 5.0 0.0 0.0\n"
        "1.0 1.0 8.0 4.5 0.0 1.0 1.0 5.0 0.0 1.0\n"
        "1.0 2.0 8.0 5.0 0.0 1.0 1.0 5.0 0.0 0.0\n"
        "2.0 3.0 8.0 3.0 0.0 1.0 1.0 5.0 1.0 0.0\n"
        "3.0 3.0 8.0 7.0 0.0 1.0 1.0 5.0 1.0 0.0\n"
    )
    table = BtrackTracksDataset(path, **SIZES).load()
    assert table["frame"].tolist() == [0, 2, 3, 3]
    assert table["gap_frames"].tolist() == [0, 1, 0, 0]
    assert table["track_id"].tolist() == [1, 1, 2, 3]
    assert table["parent_track_id"].isna().tolist() == [True, True, False, False]
    assert table["parent_track_id"].dropna().tolist() == [1, 1]


def test_a_table_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a b\n1 2\n")
    with pytest.raises(DatasetError, match="lacks ID, t, x, y"):
        BtrackTracksDataset(path, **SIZES).load()
    with pytest.raises(DatasetError, match="lacks track_id"):
        UltrackTracksDataset(path, **SIZES).load()
