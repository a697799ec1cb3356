"""Tracks for napari: its layout is written, and other programs' files come in."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import EXCHANGED_TRACKS, TRACKS
from cyto_kedro.datasets import NapariTracksDataset
from tables import tracks_table

KEYS = ["frame", "label"]
SAME = [*KEYS, "time_min", "y_um", "x_um", "track_id", "parent_track_id"]


@pytest.fixture
def movie(tmp_path):
    """A calibration with pixels of 2 x 0.5 um and uneven times."""
    known = Calibration.regular((9, 64, 64)).model_copy(
        update={
            "pixel_size_y_um": 2.0,
            "pixel_size_x_um": 0.5,
            "frame_times_min": (0.0, 1.0, 3.0, 7.0, 8.0, 20.0, 21.0, 22.0, 23.0),
        }
    )
    path = tmp_path / "calibration.json"
    path.write_text(known.model_dump_json())
    return path, known


@pytest.fixture
def dataset(tmp_path, movie):
    return NapariTracksDataset(tmp_path / "out" / "tcell.csv", calibration=movie[0])


@pytest.fixture
def lineage(movie):
    """Track 1 (a gap at frame 2) divides into 3 and 4; track 2 is one point."""
    parent = pd.array([None] * 4 + [1] * 4, dtype="Int64")
    table = tracks_table(
        frame=[0, 1, 3, 0, 4, 5, 4, 5],
        track_id=[1, 1, 1, 2, 3, 3, 4, 4],
        y_um=[0.0, 3.0, 3.0, 40.0, 2.0, 1.0, 4.0, 5.1],
        x_um=[0.0, 4.0, 4.5, 50.0, 5.0, 6.0, 5.0, 6.7],
        parent_track_id=parent,
    )
    times = movie[1].times_min[table["frame"].to_numpy()]
    return table.assign(label=table["label"] * 1000 + 7, time_min=times)


def written(folder, text, graph=None, **options):
    """A dataset whose files another program wrote."""
    (folder / "theirs.csv").write_text(text)
    if graph is not None:
        (folder / "theirs.graph.json").write_text(graph)
    options = {"unit": "um", "frame_interval_min": 2.0} | options
    return NapariTracksDataset(folder / "theirs.csv", **options)


def test_the_file_is_what_a_tracks_layer_takes(dataset, lineage):
    dataset.save(lineage)
    text = dataset.path.read_text().splitlines()
    assert text[0] == "track_id,t,y,x,label"
    assert text[1:4] == [
        *("1,0,0.0,0.0,1007", "1,1,1.5,8.0,1007", "1,3,1.5,9.0,1007"),
    ]
    graph = json.loads((dataset.path.parent / "tcell.graph.json").read_text())
    assert graph == {"3": [1], "4": [1]}
    assert all(path.exists() for path in dataset.paths)


@pytest.mark.parametrize("unit", ["px", "um"])
def test_our_tracks_come_back(unit, dataset, lineage, movie):
    TRACKS.validate(lineage)
    dataset = NapariTracksDataset(dataset.path, unit, calibration=movie[0])
    dataset.save(lineage)
    again = dataset.load()
    EXCHANGED_TRACKS.validate(again)
    expected = lineage.sort_values(KEYS, ignore_index=True)[SAME]
    pd.testing.assert_frame_equal(again[SAME], expected)
    after_gap = again[(again["track_id"] == 1) & (again["frame"] == 3)].iloc[0]
    assert (after_gap.gap_frames, after_gap.link_distance_um) == (1, 0.5)
    dataset.save(again)
    pd.testing.assert_frame_equal(dataset.load(), again)


def test_merges_come_back(tmp_path):
    table = tracks_table([0, 0, 1, 2], [1, 2, 3, 3], [0, 4, 2, 2], [0, 4, 2, 3])
    merged = pd.array([3, 3, None, None], dtype="Int64")
    dataset = NapariTracksDataset(tmp_path / "a.csv", "um", frame_interval_min=1.0)
    dataset.save(table.assign(merged_into_track_id=merged))
    assert json.loads(dataset.paths[1].read_text()) == {"3": [1, 2]}
    again = dataset.load().sort_values(["track_id", "frame"], ignore_index=True)
    assert again["track_id"].tolist() == [1, 2, 3, 3]
    assert again["merged_into_track_id"].tolist()[:2] == [3, 3]
    assert again["parent_track_id"].isna().all()


def test_no_cells(dataset, lineage):
    dataset.save(lineage.iloc[:0])
    again = dataset.load()
    assert len(again) == 0
    EXCHANGED_TRACKS.validate(again)


def links(table):
    """Links of the cells by (frame, label), found with another library."""
    graph = nx.DiGraph()
    ends = {}
    for track, own in table.sort_values("frame").groupby("track_id"):
        cells = list(zip(own["frame"], own["label"], strict=True))
        nx.add_path(graph, cells)
        ends[track] = cells[0], cells[-1], own["parent_track_id"].iloc[0]
    for first, _, parent in ends.values():
        if not pd.isna(parent):
            graph.add_edge(ends[parent][1], first)
    return set(graph.nodes), set(graph.edges)


@st.composite
def families(draw):
    """Tracks with gaps, of which some divide in two."""
    rows, parent, open_tracks, count = [], {}, [], draw(st.integers(1, 3))
    open_tracks = [(track, 0) for track in range(1, count + 1)]
    while open_tracks and count < 9:
        track, start = open_tracks.pop()
        steps = draw(st.lists(st.integers(1, 3), max_size=4))
        frames = (start + np.cumsum([0, *steps])).tolist()
        place = st.floats(0, 1e4, allow_subnormal=False)
        rows += [(frame, track, draw(place), draw(place)) for frame in frames]
        if draw(st.booleans()):
            for _ in range(2):
                count += 1
                parent[count] = track
                open_tracks.append((count, frames[-1] + draw(st.integers(1, 2))))
    for track, start in open_tracks:
        rows.append((start, track, 1.0, 2.0))
    frame, track, y, x = zip(*rows, strict=True)
    above = pd.array([parent.get(one) for one in track], dtype="Int64")
    return tracks_table(frame, track, y, x, 2.0, parent_track_id=above)


@settings(max_examples=40, deadline=None)
@given(table=families())
def test_any_lineage_comes_back(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    dataset = NapariTracksDataset(path, "um", frame_interval_min=2.0)
    dataset.save(table)
    again = dataset.load()
    assert links(again) == links(table)
    columns = [*KEYS, "time_min", "y_um", "x_um"]
    pd.testing.assert_frame_equal(
        again[columns], table.sort_values(KEYS, ignore_index=True)[columns]
    )


def test_a_layer_saved_from_napari(tmp_path):
    """One float array, ids from 0, a bare number as parent, rows in any order."""
    text = "track_id,t,y,x\n1.0,1.0,5,6\n0.0,0.0,4,5\n2.0,1.0,3,4\n"
    tracks = written(tmp_path, text, '{"1": 0, "2": [0]}').load()
    assert tracks["track_id"].tolist() == [1, 3, 2], "row order gives labels 1, 2"
    assert tracks["label"].tolist() == [1, 1, 2]
    assert tracks["parent_track_id"].tolist()[1:] == [1, 1]
    assert tracks["time_min"].tolist() == [0.0, 2.0, 2.0]


def test_a_table_of_ultrack(tmp_path):
    text = (
        "track_id,t,z,y,x,id,parent_track_id,parent_id\n"
        "1,0,0.0,4,5,1000001,-1,-1\n"
        "2,1,0.0,5,6,2000001,1,1000001\n"
        "3,1,0.0,3,4,2000002,1,1000001\n"
    )
    tracks = written(tmp_path, text, unit="px", pixel_size_um=0.5).load()
    tracks = tracks.set_index("source_id")
    assert tracks.loc[2000001, ["y_um", "x_um"]].tolist() == [2.5, 3.0]
    mother = tracks.loc[1000001, "track_id"]
    assert pd.isna(tracks.loc[1000001, "parent_track_id"])
    assert tracks.loc[[2000001, 2000002], "parent_track_id"].tolist() == [mother] * 2


@pytest.mark.parametrize(
    ("text", "graph", "why"),
    [
        ("track_id,t,y\n1,0,2\n", None, "lacks x"),
        ("", None, "Not a CSV"),
        ("track_id,t,y,x\n1,0.5,2,3\n", None, "Column t: 0.5"),
        ("track_id,t,y,x\n-1,0,2,3\n", None, "Column track_id: -1"),
        ("track_id,t,y,x,label\n1,0,2,3,0\n", None, "Column label: 0"),
        ("track_id,t,y,x\n1,0,two,3\n", None, "Column y"),
        ("track_id,t,y,x\n1,0,,3\n", None, "no finite position"),
        ("track_id,t,y,x\n1,0,2,3\n1,0,4,3\n", None, "no finite position or repeat"),
        ("track_id,t,z,y,x\n1,0,7,2,3\n", None, "three-dimensional"),
        ("track_id,t,y,x\n1,0,2,3\n", "[1]", "Not a graph"),
        ("track_id,t,y,x\n1,0,2,3\n", "{", "Not a graph"),
        ("track_id,t,y,x\n1,0,2,3\n", '{"5": [1]}', "track 5, which has no points"),
        ("track_id,t,y,x\n1,0,2,3\n", '{"1": [5]}', "not in the table"),
        ("track_id,t,y,x\n1,0,2,3\n2,0,2,4\n", '{"2": [1]}', "does not end before"),
    ],
)
def test_files_that_contradict_themselves_are_refused(tmp_path, text, graph, why):
    with pytest.raises(DatasetError, match=why) as e:
        written(tmp_path, text, graph).load()
    assert isinstance(e.value.__cause__, InputError)


def test_a_track_in_two_merges_is_refused(tmp_path):
    text = "track_id,t,y,x\n" + "".join(f"{i},{i > 3},{i},3\n" for i in range(1, 6))
    with pytest.raises(DatasetError, match="Track 2 merges into tracks 4 and 5"):
        written(tmp_path, text, '{"4": [1, 2], "5": [2, 3]}').load()


def test_what_is_missing_is_asked_for(tmp_path, dataset, lineage):
    with pytest.raises(ConfigError, match=r"\.csv path"):
        NapariTracksDataset(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="px and um"):
        NapariTracksDataset(tmp_path / "a.csv", unit="mm")
    with pytest.raises(ConfigError, match="not positive"):
        NapariTracksDataset(tmp_path / "a.csv", pixel_size_um=0.0)
    with pytest.raises(DatasetError, match="need a pixel size"):
        NapariTracksDataset(tmp_path / "a.csv").save(lineage)
    assert not list(tmp_path.glob("a.*"))
    dataset.save(lineage)
    with pytest.raises(DatasetError, match="no times"):
        NapariTracksDataset(dataset.path, "um").load()


def test_tracks_of_a_longer_movie_are_refused(dataset, lineage, movie):
    dataset.save(lineage)
    short = Calibration.regular((5, 64, 64))
    movie[0].write_text(short.model_dump_json())
    with pytest.raises(DatasetError, match="reach frame 5, but the movie has 5"):
        dataset.load()
