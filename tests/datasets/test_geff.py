"""geff: what we write is read by geff's own tools, and theirs comes in."""

from __future__ import annotations

import builtins

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import EXCHANGED_TRACKS
from cyto_kedro.datasets import GeffDataset
from tables import tracks_table

geff = pytest.importorskip("geff", reason="the extra 'exchange' is not installed")

KEYS = ["frame", "label"]
SAME = [*KEYS, "time_min", "y_um", "x_um", "track_id", "parent_track_id", "gap_frames"]


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
def lineage(movie):
    """Track 1 (a gap at frame 2) divides into 3 and 4; track 2 is one point."""
    table = tracks_table(
        frame=[0, 1, 3, 0, 4, 5, 4, 5],
        track_id=[1, 1, 1, 2, 3, 3, 4, 4],
        y_um=[0.0, 3.0, 3.0, 40.0, 2.0, 1.0, 4.0, 5.1],
        x_um=[0.0, 4.0, 4.5, 50.0, 5.0, 6.0, 5.0, 6.7],
        parent_track_id=pd.array([None] * 4 + [1] * 4, dtype="Int64"),
        area_um2=np.arange(8) + 50.0,
        mean_dye=[1.5, np.nan, *range(6)],
        gap_frames=[0, 0, 1, 0, 0, 0, 0, 0],
    )
    times = movie[1].times_min[table["frame"].to_numpy()]
    return table.assign(label=table["label"] * 1000 + 7, time_min=times)


def pairs(graph):
    """Edges as ((frame, label), (frame, label))."""
    key = {n: (int(d["t"]), int(d["label"])) for n, d in graph.nodes(data=True)}
    return {(key[a], key[b]) for a, b in graph.edges}


def test_round_trip(tmp_path, movie, lineage):
    dataset = GeffDataset(tmp_path / "a" / "tcell.geff", calibration=movie[0])
    dataset.save(lineage)
    loaded = EXCHANGED_TRACKS.validate(dataset.load())
    ordered = lineage.sort_values(KEYS, ignore_index=True)
    pd.testing.assert_frame_equal(loaded[SAME], ordered[SAME], check_dtype=False)
    dataset.save(loaded)
    pd.testing.assert_frame_equal(dataset.load()[SAME], loaded[SAME])


def test_geff_itself_reads_what_we_write(tmp_path, lineage):
    """As a networkx graph, with geff's own checks of structure, axes and tracks."""
    path = tmp_path / "tcell.geff"
    GeffDataset(path, labels="../labels.zarr").save(lineage)
    config = geff.validate.data.ValidationConfig(
        graph=True, sphere=True, tracklet=True, lineage=True
    )
    graph, about = geff.read(path, data_validation=config)
    assert isinstance(graph, nx.DiGraph)
    assert [(a.name, a.type, a.unit) for a in about.axes] == [
        ("t", "time", "frame"),
        ("y", "space", "micrometer"),
        ("x", "space", "micrometer"),
    ]
    label = lineage.set_index(["track_id", "frame"])["label"].to_dict()
    point = {key: (key[1], int(value)) for key, value in label.items()}
    steps = [(1, 0, 1, 1), (1, 1, 1, 3), (3, 4, 3, 5), (4, 4, 4, 5)]
    steps += [(1, 3, 3, 4), (1, 3, 4, 4)]
    assert pairs(graph) == {(point[a, s], point[b, t]) for a, s, b, t in steps}
    by_key = {(int(d["t"]), int(d["label"])): d for _, d in graph.nodes(data=True)}
    first = by_key[0, int(label[1, 0])]
    assert (first["mean_dye"], first["area_um2"]) == (1.5, 50.0)
    assert first["radius_um"] == pytest.approx(np.sqrt(50 / np.pi))
    assert about.node_props_metadata["area_um2"].unit == "micrometer2"
    assert about.track_node_props == {"tracklet": "track_id"}
    assert about.related_objects[0].path == "../labels.zarr"


def theirs(path, edges, axes, directed=True, **columns):
    """A geff as another program would write it, by geff's networkx writer."""
    graph = nx.DiGraph() if directed else nx.Graph()
    for k in range(len(columns["t"])):
        graph.add_node(10 + k, **{name: value[k] for name, value in columns.items()})
    graph.add_edges_from(edges)
    names, types, units = zip(*axes, strict=True)
    geff.write(
        graph,
        path,
        axis_names=list(names),
        axis_types=list(types),
        axis_units=list(units),
    )
    return path


PIXELS = [("t", "time", None), ("y", "space", "pixel"), ("x", "space", "pixel")]


@pytest.mark.parametrize("directed", [True, False])
def test_pixels_and_frames_of_another_program(tmp_path, directed):
    path = theirs(
        tmp_path / "their.zarr",
        [(10, 11), (11, 12), (11, 13)],
        PIXELS,
        directed,
        t=[0, 1, 2, 2],
        y=[4.0, 4.0, 2.0, 6.0],
        x=[8.0, 8.0, 8.0, 8.0],
    )
    with pytest.raises(DatasetError, match="without a physical size"):
        GeffDataset(path).load()
    with pytest.raises(DatasetError, match="frames but no times"):
        GeffDataset(path, pixel_size_um=0.5).load()
    table = GeffDataset(path, pixel_size_um=0.5, frame_interval_min=2.0).load()
    assert table["y_um"].tolist() == [2.0, 2.0, 1.0, 3.0]
    assert table["time_min"].tolist() == [0.0, 2.0, 4.0, 4.0]
    assert table["label"].tolist() == [1, 1, 1, 2]
    assert table["source_id"].tolist() == [10, 11, 12, 13]
    assert table["track_id"].tolist() == [1, 1, 2, 3]
    assert table["parent_track_id"].tolist()[2:] == [1, 1]


def test_physical_units(tmp_path):
    axes = [
        ("t", "time", "second"),
        ("y", "space", "nanometer"),
        ("x", "space", "millimeter"),
    ]
    path = theirs(
        tmp_path / "their.geff",
        [(10, 11)],
        axes,
        t=[0.0, 240.0, 120.0],
        y=[1500.0] * 3,
        x=[0.001] * 3,
    )
    table = GeffDataset(path).load()
    assert table["frame"].tolist() == [0, 1, 2]
    assert table["time_min"].tolist() == [0.0, 2.0, 4.0]
    assert table["y_um"].tolist() == pytest.approx([1.5] * 3)
    assert table["x_um"].tolist() == pytest.approx([1.0] * 3)
    assert table["gap_frames"].max() == 1


def test_merges_are_kept_or_cut(tmp_path):
    path = theirs(
        tmp_path / "m.geff",
        [(10, 12), (11, 12)],
        PIXELS,
        t=[0, 0, 1],
        y=[1.0, 9.0, 2.0],
        x=[1.0, 1.0, 1.0],
    )
    sizes = {"pixel_size_um": 1.0, "frame_interval_min": 1.0}
    kept = GeffDataset(path, **sizes).load()
    assert kept["merged_into_track_id"].notna().sum() == 2
    again = tmp_path / "again.geff"
    GeffDataset(again).save(kept)
    assert pairs(geff.read(again)[0]) == {((0, 1), (1, 1)), ((0, 2), (1, 1))}
    cut = GeffDataset(path, merges="cut", **sizes).load()
    assert cut["track_id"].tolist() == [1, 2, 1]


def test_what_cannot_be_read_is_refused(tmp_path, movie):
    z = [*PIXELS, ("z", "space", "pixel")]
    deep = theirs(
        tmp_path / "z.geff", [], z, t=[0, 1], y=[0.0] * 2, x=[0.0] * 2, z=[0.0, 3.0]
    )
    with pytest.raises(DatasetError, match="three-dimensional"):
        GeffDataset(deep, calibration=movie[0]).load()
    side = theirs(
        tmp_path / "s.geff", [(10, 11)], PIXELS, t=[1, 1], y=[0.0, 5.0], x=[0.0] * 2
    )
    with pytest.raises(DatasetError, match="10 and 11 of one frame"):
        GeffDataset(side, calibration=movie[0]).load()
    late = theirs(tmp_path / "l.geff", [], PIXELS, t=[12], y=[0.0], x=[0.0])
    with pytest.raises(DatasetError, match="reach frame 12, but the movie has 9"):
        GeffDataset(late, calibration=movie[0]).load()
    flat = theirs(tmp_path / "f.geff", [], PIXELS[:2], t=[0], y=[0.0])
    with pytest.raises(DatasetError, match="no axis x"):
        GeffDataset(flat, calibration=movie[0]).load()
    (tmp_path / "no.geff").mkdir()
    with pytest.raises(DatasetError, match="Not a geff"):
        GeffDataset(tmp_path / "no.geff").load()
    with pytest.raises(ConfigError, match=r"\.geff or \.zarr"):
        GeffDataset(tmp_path / "tracks.csv")


def test_without_the_package_it_says_what_to_install(tmp_path, lineage, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "geff":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DatasetError, match=r"cyto-kedro\[exchange\]"):
        GeffDataset(tmp_path / "a.geff").save(lineage)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, lineage, movie, monkeypatch):
    dataset = GeffDataset(tmp_path / "a.geff", calibration=movie[0])
    dataset.save(lineage)
    before = dataset.load()

    def fails(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("geff.core_io.write_arrays", fails)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(lineage.head(1))
    pd.testing.assert_frame_equal(dataset.load(), before)
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".partial"] == []


@settings(
    deadline=None,
    max_examples=4,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**31))
def test_random_lineages_come_back(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows, parent, fresh = [], {}, [(1, 0)]
    count = 1
    while fresh:
        track, first = fresh.pop()
        frames = first + np.cumsum(rng.integers(1, 3, rng.integers(1, 5))) - 1
        rows += [(int(t), track, *rng.uniform(0, 99, 2)) for t in frames]
        if rng.random() < 0.5 and count < 12:
            for _ in range(2):
                count += 1
                parent[count] = track
                fresh.append((count, int(frames[-1]) + 1))
    frame, track, y, x = (list(column) for column in zip(*rows, strict=True))
    parents = pd.array([parent.get(k) for k in track], dtype="Int64")
    table = tracks_table(frame, track, y, x, parent_track_id=parents)
    dataset = GeffDataset(tmp_path / "r.geff", frame_interval_min=1.0)
    dataset.save(table)
    both = dataset.load().merge(table, on=KEYS, suffixes=("", "_old"))
    assert len(both) == len(table)
    for new, old in (("track_id", "track_id_old"), ("track_id_old", "track_id")):
        assert (both.groupby(new)[old].nunique() == 1).all()
    name = both.drop_duplicates("track_id").set_index("track_id")["track_id_old"]
    kin = both["parent_track_id"].map(name).astype("Int64")
    pd.testing.assert_series_equal(kin, both["parent_track_id_old"], check_names=False)


def test_input_error_is_one(tmp_path):
    with pytest.raises(DatasetError) as caught:
        GeffDataset(tmp_path / "a.geff").save(pd.DataFrame({"frame": [1]}))
    assert isinstance(caught.value.__cause__, InputError)
