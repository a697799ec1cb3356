"""Imaris' position CSV as tracks, against files in its layout and published counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import IMARIS_TRACKS, KINEMATICS
from cyto_kedro.datasets import ImarisTracksDataset
from cyto_kedro.methods.features.selection import (
    FillGaps,
    KeepPoints,
    KeepTracks,
    select,
)
from cyto_kedro.methods.kinematics.points import sort_points
from cyto_kedro.methods.kinematics.steps import measure_steps, step_table

PREAMBLE = "\nPosition\n ==================== \n"
HEADER = "Position X,Position Y,Position Z,Unit,Category,Collection,Time,TrackID,ID,\n"
ROWS = [
    "10,20,1,um,Surface,Position,1,1000000007,7,",
    "50,60,1,um,Surface,Position,1,1000000009,9,",
    "11,20,3,um,Surface,Position,3,1000000007,12,",
    "90,90,0,um,Surface,Position,3,,13,",
]


def write(path, rows=ROWS, header=HEADER):
    path.write_text(PREAMBLE + header + "\n".join(rows) + "\n")
    return path


def statistic(path, values, ids=(7, 9, 12, 13), times=(1, 1, 3, 3)):
    head = "\nIntensity Mean Ch=3 Img=1\n ==================== \n"
    head += "Intensity Mean,Unit,Category,Channel,Image,Time,TrackID,ID,\n"
    rows = [
        f"{value},,Surface,3,Image 1,{time},1,{own},"
        for value, time, own in zip(values, times, ids, strict=True)
    ]
    path.write_text(head + "\n".join(rows) + "\n")


def load(path, **arguments):
    given = {"frame_interval_min": 2.0} | arguments
    return IMARIS_TRACKS.validate(ImarisTracksDataset(path, **given).load())


def test_positions_frames_gaps_and_ids(tmp_path):
    table = load(write(tmp_path / "Position.csv"))
    assert table["frame"].tolist() == [0, 0, 2, 2], "Imaris counts from 1"
    assert table["time_min"].tolist() == [0, 0, 4, 4]
    assert table["x_um"].tolist() == [10, 50, 11, 90]
    assert table["y_um"].tolist() == [20, 60, 20, 90]
    assert table["z_um"].tolist() == [1, 1, 3, 0]
    assert table["gap_frames"].tolist() == [0, 0, 1, 0]
    assert table["link_distance_um"].iloc[2] == pytest.approx(np.sqrt(5))
    assert table["source_id"].tolist() == [7, 9, 12, 13]
    assert table["track_id"].nunique() == 3, "an object without a track is one point"
    assert table["source_track_id"].isna().tolist() == [False] * 3 + [True]


def test_statistics_are_joined_by_object_not_by_row(tmp_path):
    path = write(tmp_path / "Position.csv")
    file = tmp_path / "Intensity.csv"
    statistic(file, [4, 3, 2, 1], ids=(13, 12, 9, 7), times=(3, 3, 1, 1))
    table = load(path, statistics={"dead_dye": "Intensity.csv"})
    by_id = table.set_index("source_id")["dead_dye"]
    assert by_id.to_dict() == {7: 1, 9: 2, 12: 3, 13: 4}


def test_other_units_are_converted(tmp_path):
    rows = [row.replace(",um,", ",mm,") for row in ROWS]
    table = load(write(tmp_path / "Position.csv", rows))
    assert table["x_um"].tolist() == [10e3, 50e3, 11e3, 90e3]


def test_frame_times_of_the_movie(tmp_path):
    calibration = Calibration.regular((3, 9, 9), frame_interval_min=1.0)
    values = calibration.model_dump() | {"frame_times_min": (0.0, 1.0, 7.0)}
    file = tmp_path / "calibration.json"
    file.write_text(Calibration.model_validate(values).model_dump_json())
    path = write(tmp_path / "Position.csv")
    table = load(path, calibration=file, frame_interval_min=None)
    assert table["time_min"].tolist() == [0, 0, 7, 7]


def test_a_file_without_objects(tmp_path):
    assert len(load(write(tmp_path / "Position.csv", []))) == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, "12,20,1,um,Surface,Position,3,1000000007,14,"], "two objects"),
        ([*ROWS, ROWS[0]], "occurs twice"),
        ([row.replace(",um,", ",px,") for row in ROWS], "Positions in px"),
        ([*ROWS, "1,1,1,um,Surface,Position,0,1000000007,15,"], "time point from 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, rows, message):
    with pytest.raises(DatasetError, match=message):
        load(write(tmp_path / "Position.csv", rows))


def test_another_table_a_missing_clock_and_writing_are_refused(tmp_path):
    path = write(tmp_path / "Position.csv")
    with pytest.raises(DatasetError, match="no times"):
        load(path, frame_interval_min=None)
    with pytest.raises(DatasetError, match="Nothing was written"):
        ImarisTracksDataset(path).save(pd.DataFrame())
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="Position X"):
        load(other)
    statistic(tmp_path / "short.csv", [1, 2], ids=(7, 9), times=(1, 1))
    with pytest.raises(DatasetError, match="same objects"):
        load(path, statistics={"dye": "short.csv"})


# BEHAV3D's T cells (Dekkers et al. 2022, doi:10.1038/s41587-022-01397-w)
BASENAMES = ["DemoDataset1_20190523_CD8green", "DemoDataset2_20190523_CD4green"]
# The steps and settings of the published counts: time points 1 to 400, gaps filled by
# interpolation, time points below 400, at least 60 of them, not dead at the first.
STEPS = {
    "filt_exp_duration": KeepPoints(column="frame", max=399),
    "gaps": FillGaps(),
    "end": KeepPoints(column="frame", max=398),
    "filt_minLength": KeepTracks(column="frame", statistic="count", min=60),
    "filt_DeadCellStart": KeepTracks(column="dead_dye", statistic="first", max=10),
}


@pytest.fixture(scope="module")
def behav3d(real_data):
    folder = real_data / "tcell_tracks_behav3d"
    dye = {"dead_dye": "Intensity_Mean_Ch=3_Img=1.csv"}
    tables = {n: load(folder / n / "Position.csv", statistics=dye) for n in BASENAMES}
    counts = pd.read_csv(folder / "published_track_counts.tsv", sep="\t")
    return tables, counts.set_index("basename")


def counted(tracks, steps=STEPS):
    _, record = select({"tracks": tracks}, [*steps.values()], "tcell")
    return dict(zip(["unfiltered", *steps], record["n_tracks"], strict=True))


@pytest.mark.real_data
@pytest.mark.parametrize("name", BASENAMES)
def test_published_track_counts_are_reproduced(behav3d, name):
    tables, published = behav3d
    found, truth = counted(tables[name]), published.loc[name]
    for step in ("unfiltered", "filt_exp_duration", "filt_DeadCellStart"):
        assert found[step] == truth[step], step
    # The published script loses points of tracks that end at time point 100 to 108.
    off = {"DemoDataset1_20190523_CD8green": 1, "DemoDataset2_20190523_CD4green": 0}
    assert found["filt_minLength"] - truth["filt_minLength"] == off[name]


def with_a_mean_speed_in_text_order(times):
    """Time points of a gapless track that the published script keeps.

    It needs a mean over ten time points that ends at the point, in the order of the
    numbers as text, or one at a later point to fill it from.
    """
    has_mean = [int(text) for text in sorted(map(str, times))[9:]]
    return [t for t in times if t <= max(has_mean, default=0)]


@pytest.mark.real_data
def test_the_published_counts_are_exact_with_the_published_slip(behav3d):
    tables, published = behav3d
    lost = []
    for name in BASENAMES:
        tracks = tables[name].query("frame <= 399")
        length, first_dye = {}, {}
        for own, track in tracks.groupby("source_track_id"):
            track = track.sort_values("frame")
            ends = track["frame"].iloc[[0, -1]] + 1
            times = range(ends.iloc[0], ends.iloc[1] + 1)
            whole = sum(t < 400 for t in times)
            length[own] = sum(t < 400 for t in with_a_mean_speed_in_text_order(times))
            first_dye[own] = track["dead_dye"].iloc[0]
            lost += [own] if whole >= 60 > length[own] else []
        long = [own for own, n in length.items() if n >= 60]
        truth = published.loc[name]
        assert len(length) == truth["filt_exp_duration"]
        assert len(long) == truth["filt_minLength"]
        alive = [own for own in long if first_dye[own] < 10]
        assert len(alive) == truth["filt_DeadCellStart"]
    assert lost == [1000098386], "time points 46 to 106"


@pytest.mark.real_data
def test_without_interpolation_the_published_counts_are_missed(behav3d):
    tables, published = behav3d
    plain = {name: step for name, step in STEPS.items() if name != "gaps"}
    for name in BASENAMES:
        short = counted(tables[name], plain)["filt_minLength"]
        assert short < published.loc[name, "filt_minLength"] - 10


@pytest.mark.real_data
@pytest.mark.parametrize("name", BASENAMES)
def test_speeds_of_the_tracks_equal_a_plain_loop(behav3d, name):
    tracks = behav3d[0][name]
    points = sort_points(tracks, np.arange(tracks["frame"].max() + 1) * 2.0)
    table = KINEMATICS.validate(
        step_table(points, measure_steps(points), tracks["label"].to_numpy())
    )
    by_cell = tracks.merge(table, on=["track_id", "frame"])
    dead = by_cell["dead_dye"] >= 10
    speed = by_cell["speed_um_per_min"]
    assert speed[dead].median() < 0.8 * speed[~dead].median(), "the dead only drift"
    chosen = tracks[tracks["track_id"].isin(range(1, 30))]
    got = table.set_index(["track_id", "frame"])
    for track, own in chosen.groupby("track_id"):
        own = own.sort_values("frame")
        place = own[["x_um", "y_um", "z_um"]].to_numpy()
        frames = own["frame"].tolist()
        for k in range(1, len(own)):
            speed = np.linalg.norm(place[k] - place[k - 1]) / 2.0
            value = got.loc[(track, frames[k]), "speed_um_per_min"]
            if frames[k] - frames[k - 1] == 1:
                assert value == pytest.approx(speed, rel=1e-9)
            else:
                assert np.isnan(value)
