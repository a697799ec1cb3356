"""Cell Tracking Challenge folders: the independent scorer reads what we write."""

from __future__ import annotations

import shutil

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from tifffile import imread, imwrite

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import EXCHANGED_TRACKS, TRACKS
from cyto_kedro.datasets import CtcTracksDataset, LabelledTracks
from tables import tracks_table

# One row per cell and frame: frame, label, track, row, column. Track 1 is not seen in
# frame 2 and divides after frame 3 into 2 and 3; track 4 is seen throughout.
CELLS = [
    *[(0, 70_000, 1, 2, 2), (1, 5, 1, 2, 3), (3, 9, 1, 2, 4)],
    *[(4, 2, 2, 1, 5), (5, 3, 2, 1, 6), (4, 1, 3, 4, 5), (5, 8, 3, 5, 6)],
    *[(t, 6 + 10 * t, 4, 20, 20 + t) for t in range(6)],
]
PARENT = {2: 1, 3: 1}


def movie(shape=(6, 32, 32)):
    """Masks of 2 x 2 pixels and their tracks."""
    labels = np.zeros(shape, dtype=np.uint32)
    for t, label, _, y, x in CELLS:
        labels[t, y : y + 2, x : x + 2] = label
    t, label, track, y, x = map(np.array, zip(*CELLS, strict=True))
    table = tracks_table(t, track, y + 0.5, x + 0.5, 2.0, label=label, area_um2=4.0)
    parent = table["track_id"].map(PARENT).astype("Int64")
    return da.from_array(labels, chunks=(1, 32, 32)), table.assign(
        parent_track_id=parent
    )


@pytest.fixture
def dataset(tmp_path):
    return CtcTracksDataset(
        tmp_path / "01_RES", pixel_size_um=1.0, frame_interval_min=2.0
    )


def score(result, truth):
    """Score of py-ctcmetrics against a truth folder that holds TRA."""
    from ctc_metrics.scripts.evaluate import evaluate_sequence
    from ctc_metrics.scripts.validate import validate_sequence

    assert validate_sequence(str(result), threads=1) == {"Valid": 1}
    metrics = ["Valid", "DET", "TRA", "LNK", "CHOTA", "CT", "BC"]
    return evaluate_sequence(str(result), str(truth), metrics, threads=1)


def as_truth(result, folder):
    """The same folder under the names of the truth."""
    shutil.copytree(result, folder / "TRA")
    (folder / "TRA/res_track.txt").rename(folder / "TRA/man_track.txt")
    for path in (folder / "TRA").glob("mask*.tif"):
        path.rename(path.with_name(path.name.replace("mask", "man_track")))
    return folder


def lines(folder, name="res_track.txt"):
    text = (folder / name).read_text()
    return {tuple(map(int, line.split())) for line in text.splitlines()}


def test_a_lineage_is_written_as_the_format_says(dataset):
    dataset.save(movie())
    # The part of track 1 after its gap is 5, from which the daughters descend.
    assert lines(dataset.path) == {
        *[(1, 0, 1, 0), (5, 3, 3, 1), (2, 4, 5, 5), (3, 4, 5, 5), (4, 0, 5, 0)]
    }
    names = sorted(path.name for path in dataset.path.glob("*.tif"))
    assert names == [f"mask{t:03d}.tif" for t in range(6)]
    for t, name in enumerate(names):
        mask = imread(dataset.path / name)
        assert mask.dtype == np.uint16
        expected = np.zeros((32, 32), dtype=int)
        for frame, _, track, y, x in CELLS:
            if frame == t:
                number = 5 if (track, t) == (1, 3) else track
                expected[y : y + 2, x : x + 2] = number
        np.testing.assert_array_equal(mask, expected)


def test_the_independent_scorer_finds_our_copy_perfect(dataset, tmp_path):
    dataset.save(movie())
    scores = score(dataset.path, as_truth(dataset.path, tmp_path / "01_GT"))
    for name in ("Valid", "DET", "TRA", "LNK", "CHOTA", "CT", "BC(0)"):
        assert scores[name] == 1.0, name
    assert scores["gt_divisions"] == 1


def test_the_scorer_sees_one_wrong_link(dataset, tmp_path):
    labels, table = movie()
    dataset.save((labels, table))
    truth = as_truth(dataset.path, tmp_path / "01_GT")
    swapped = table["track_id"].replace({2: 3, 3: 2}).where(table["frame"] == 5)
    dataset.save((labels, table.assign(track_id=swapped.fillna(table["track_id"]))))
    assert score(dataset.path, truth)["LNK"] < 1.0


def test_our_tracks_come_back(dataset):
    labels, table = movie()
    dataset.save(LabelledTracks(labels, table))
    masks, tracks = dataset.load()
    EXCHANGED_TRACKS.validate(tracks)
    assert masks.dtype == np.uint32
    np.testing.assert_array_equal(masks > 0, labels > 0)
    keys = ["frame", "track_id"]
    columns = ["time_min", "y_um", "x_um", "parent_track_id"]
    pd.testing.assert_frame_equal(
        tracks.sort_values(keys).set_index(keys)[columns],
        table.sort_values(keys).set_index(keys)[columns],
    )
    joined = tracks.set_index(keys)
    assert joined.loc[(3, 1), "gap_frames"] == 1
    assert joined.loc[(3, 1), "link_distance_um"] == 1.0
    assert np.isnan(joined.loc[(4, 2), "link_distance_um"])
    np.testing.assert_allclose(tracks["radius_um"], np.sqrt(4 / np.pi))
    for row in tracks.itertuples():
        y, x = round(row.y_um), round(row.x_um)
        assert masks[row.frame, y, x].compute() == row.label
    # What was loaded can be saved again, and is the same.
    dataset.save((masks, tracks))
    pd.testing.assert_frame_equal(dataset.load().tracks, tracks)


def test_calibration_gives_sizes_and_times(dataset, tmp_path):
    dataset.save(movie())
    known = Calibration.regular((6, 32, 32)).model_copy(
        update={
            "pixel_size_x_um": 0.5,
            "pixel_size_y_um": 2.0,
            "frame_times_min": (0.0, 1.0, 3.0, 7.0, 8.0, 20.0),
        }
    )
    path = tmp_path / "calibration.json"
    path.write_text(known.model_dump_json())
    tracks = CtcTracksDataset(dataset.path, calibration=path).load().tracks
    last = tracks[tracks["track_id"] == 4].set_index("frame")
    assert (last["y_um"] == 2.0 * 20.5).all()
    assert last["x_um"].tolist() == [0.5 * (20.5 + t) for t in range(6)]
    assert last["time_min"].tolist() == [0.0, 1.0, 3.0, 7.0, 8.0, 20.0]
    short = Calibration.regular((5, 32, 32))
    path.write_text(short.model_dump_json())
    with pytest.raises(DatasetError, match="6 masks, but the movie has 5"):
        CtcTracksDataset(dataset.path, calibration=path).load()


@pytest.mark.real_data
def test_hand_truth_comes_in_and_a_copy_of_it_is_perfect(real_data, tmp_path):
    truth = real_data / "ctc_cellmigration/02_GT"
    labels, tracks = CtcTracksDataset(
        truth / "TRA", pixel_size_um=1 / 1.5779, frame_interval_min=1.0
    ).load()
    EXCHANGED_TRACKS.validate(tracks)
    assert labels.shape == (86, 1024, 1024)
    assert (len(tracks), tracks["track_id"].nunique()) == (26_087, 571)
    daughters = tracks.groupby("parent_track_id")["track_id"].nunique()
    assert (daughters > 1).sum() == 101
    # The first frames are enough for the scorer; they hold divisions.
    n = 12
    part = _first_frames(truth / "TRA", tmp_path / "02_GT/TRA", n)
    result = CtcTracksDataset(tmp_path / "02_RES")
    result.save((labels[:n], tracks[tracks["frame"] < n]))
    assert lines(result.path) == part
    for t in range(n):
        ours = imread(result.path / f"mask{t:03d}.tif")
        theirs = imread(truth / f"TRA/man_track{t:03d}.tif")
        np.testing.assert_array_equal(ours, theirs)
    scores = score(result.path, tmp_path / "02_GT")
    assert scores["gt_divisions"] > 0
    for name in ("Valid", "DET", "TRA", "LNK", "CHOTA", "CT", "BC(0)"):
        assert scores[name] == pytest.approx(1.0), name


def _first_frames(truth, folder, n):
    """The truth's own files of the first frames; its lines, ended there."""
    folder.mkdir(parents=True)
    for t in range(n):
        name = f"man_track{t:03d}.tif"
        (folder / name).symlink_to(truth / name)
    part = {(k, b, min(e, n - 1), p) for k, b, e, p in lines(truth, "man_track.txt")}
    part = {line for line in part if line[1] < n}
    text = "".join(" ".join(map(str, line)) + "\n" for line in sorted(part))
    (folder / "man_track.txt").write_text(text)
    return part


def test_a_movie_without_cells(dataset):
    dataset.save((np.zeros((3, 8, 8), np.uint32), TRACKS.empty()))
    masks, tracks = dataset.load()
    EXCHANGED_TRACKS.validate(tracks)
    assert tracks.empty and masks.shape == (3, 8, 8)


def test_large_ids_are_numbered_anew(dataset):
    labels, table = movie()
    big = table["track_id"] + 2**20
    parent = table["parent_track_id"] + 2**20
    dataset.save((labels, table.assign(track_id=big, parent_track_id=parent)))
    assert lines(dataset.path) == {
        *[(1, 0, 1, 0), (5, 3, 3, 1), (2, 4, 5, 5), (3, 4, 5, 5), (4, 0, 5, 0)]
    }


def test_too_many_tracks_are_refused(dataset):
    n = 70_000
    labels = np.arange(1, n + 1, dtype=np.uint32).reshape(1, 1, n)
    zeros = np.zeros(n)
    table = tracks_table(zeros.astype(int), np.arange(1, n + 1), zeros, zeros)
    with pytest.raises(DatasetError, match="70000 tracks do not fit"):
        dataset.save((labels, table))


def test_part_of_the_tracks_can_be_saved(dataset):
    labels, table = movie()
    part = table[table["track_id"] == 4]
    with pytest.raises(DatasetError, match="has no row in the table") as e:
        dataset.save((labels, part))
    assert isinstance(e.value.__cause__, InputError)
    assert not dataset.exists()
    some = CtcTracksDataset(dataset.path, untracked="drop")
    some.save((labels, part))
    assert lines(some.path) == {(4, 0, 5, 0)}
    assert set(np.unique(imread(some.path / "mask004.tif"))) == {0, 4}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda t: t.assign(merged_into_track_id=t["track_id"].map({2: 4})),
            "track 2 does not end before track 4 starts",
        ),
        (
            lambda t: pd.concat([t, t.tail(1).assign(label=999, track_id=7)]),
            "no pixels",
        ),
        (lambda t: t.assign(frame=t["frame"] + 3), "the masks have 6 frames"),
        (lambda t: t.drop(columns="parent_track_id"), "lacks parent_track_id"),
    ],
)
def test_tables_that_do_not_fit_are_refused(dataset, change, why):
    labels, table = movie()
    with pytest.raises(DatasetError, match=why) as e:
        dataset.save((labels, change(table)))
    assert isinstance(e.value.__cause__, InputError)
    assert not dataset.exists()


def test_merges_have_no_form(dataset):
    labels = np.zeros((2, 4, 4), np.uint32)
    labels[0, 0, 0], labels[0, 3, 3], labels[1] = 1, 2, 1
    table = tracks_table([0, 0, 1], [1, 2, 3], [0, 3, 1.5], [0, 3, 1.5])
    merged = pd.array([3, 3, None], dtype="Int64")
    with pytest.raises(DatasetError, match="Track 1 merges into track 3"):
        dataset.save((labels, table.assign(merged_into_track_id=merged)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 0 1\n", "L B E P"),
        ("1 0 x 0\n", "L B E P"),
        ("1 0 1 0\n1 0 1 0\n", "twice"),
        ("1 0 1 7\n", "not listed"),
        ("1 0 0 0\n", "not in the masks of exactly"),
        ("1 0 1 0\n2 1 1 0\n", "Track 2 is not in the masks"),
        ("", "Track 1 is not"),
    ],
)
def test_a_listing_that_contradicts_the_masks_is_refused(dataset, text, why):
    dataset.path.mkdir()
    for t in range(2):
        imwrite(dataset.path / f"mask{t:03d}.tif", np.eye(4, dtype=np.uint16))
    (dataset.path / "res_track.txt").write_text(text)
    with pytest.raises(DatasetError, match=why) as e:
        dataset.load()
    assert isinstance(e.value.__cause__, InputError)


def test_a_child_does_not_start_before_its_parent_ends(dataset):
    dataset.path.mkdir()
    for t in range(2):
        mask = np.array([[1, 2], [0, 0]], dtype=np.uint16)
        imwrite(dataset.path / f"mask{t:03d}.tif", mask)
    (dataset.path / "res_track.txt").write_text("1 0 1 0\n2 0 1 1\n")
    with pytest.raises(DatasetError, match="starts before its parent ends"):
        dataset.load()


def test_what_is_missing_is_asked_for(tmp_path, dataset):
    with pytest.raises(DatasetError, match="no folder of the Cell Tracking"):
        dataset.load()
    dataset.save(movie())
    with pytest.raises(DatasetError, match="no pixel size"):
        CtcTracksDataset(dataset.path).load()
    with pytest.raises(ConfigError, match="refuse nor drop"):
        CtcTracksDataset(tmp_path, untracked="keep")
    with pytest.raises(DatasetError, match=r"pair \(labels, tracks\)"):
        dataset.save(movie()[1])
