"""What a run is refused for before its first node."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.errors import ConfigError, InputError, StorageError
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.layout import Layout
from cyto_kedro.hooks.preflight import (
    check_catalog,
    check_disk,
    check_parameters,
    check_raw_files,
    check_roots,
)

USED = {"segmentation.tcell", "segmentation.cancer", "tracking.tcell", "contacts"}


def layout(folder, **options):
    values = {
        "data_root": folder / "raw",
        "scratch_root": folder / "scratch",
        "output_root": folder / "output",
        "dataset": "mine",
        "sheet": folder / "sheet.csv",
        "channels": {"cancer": {"files": "<movie>/cancer.tif"}},
        "roles": {"cancer": {"kind": "target", "channels": ["cancer"]}},
    }
    return Layout.model_validate(values | options)


def names(*inputs):
    """A pipeline that reads these names."""
    return Pipeline([Node(lambda *_: 0, list(inputs), "out", name="read")])


# -- parameters -----------------------------------------------------------------------


def test_parameters_that_nodes_read_pass():
    parameters = {
        "segmentation": {"tcell": {"min_area_um2": 3}, "cancer": {}},
        "contacts": {"any": {"thing": 1}},
        "movies": "A1",
    }
    check_parameters(parameters, USED)


@pytest.mark.parametrize(
    ("parameters", "key", "near"),
    [
        ({"segmentatoin": {"cancer": {}}}, "segmentatoin", "segmentation"),
        (
            {"segmentation": {"cancre": {}}},
            "segmentation.cancre",
            "segmentation.cancer",
        ),
        ({"contact": {"max_um": 2}}, "contact", "contacts"),
        ({"tracking": {"tcel": {}}}, "tracking.tcel", "tracking.tcell"),
    ],
)
def test_a_misspelt_key_is_named_with_the_nearest(parameters, key, near):
    with pytest.raises(ConfigError) as caught:
        check_parameters(parameters, USED)
    said = str(caught.value)
    assert f"- {key} (did you mean '{near}" in said
    assert "what to do:" in said
    assert "parameters_*.yml" in said


def test_all_unused_keys_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        check_parameters({"zzz": 1, "tracking": {"qqq": {}, "tcell": {}}}, USED)
    said = str(caught.value)
    assert "- zzz\n" in said, "nothing is near: nothing is proposed"
    assert "- tracking.qqq" in said
    assert "- tracking.tcell" not in said


def test_a_category_without_nodes_may_keep_its_group():
    check_parameters({"killing": {"window_min": 3}}, USED, inactive={"killing"})
    with pytest.raises(ConfigError, match="killing"):
        check_parameters({"killing": {"window_min": 3}}, USED)


# -- catalog --------------------------------------------------------------------------


def test_what_nobody_provides_is_named():
    catalog = DataCatalog({"calibration": MemoryDataset(1)})
    check_catalog(names("calibration"), catalog)
    with pytest.raises(ConfigError, match="labels_of_nobody") as caught:
        check_catalog(names("calibration", "labels_of_nobody"), catalog)
    assert "catalog" in str(caught.value)
    with pytest.raises(ConfigError, match="every role and channel") as caught:
        check_catalog(names("calibration", "params:tracking.nk"), catalog)
    assert "params:tracking.nk" in str(caught.value)


# -- raw files ------------------------------------------------------------------------


@pytest.fixture
def movies(tmp_path):
    """Two movies: one file each for cancer, a glob for death."""
    rows = []
    for name in ("A1", "B1"):
        folder = tmp_path / "raw" / "mine" / name
        (folder / "death").mkdir(parents=True)
        (folder / "cancer.tif").write_bytes(b"x" * 1000)
        (folder / "death" / "im_0.tif").write_bytes(b"x" * 500)
        paths = {
            "cancer": folder / "cancer.tif",
            "death": folder / "death" / "im_*.tif",
        }
        rows.append(Movie(name, "mine", paths))
    return tuple(rows)


def test_files_globs_and_folders_are_found(movies):
    check_raw_files(names("cancer.raw", "death.raw", "calibration"), movies)
    movies[0].paths["cancer"] = movies[0].paths["cancer"].parent
    check_raw_files(names("cancer.raw"), movies)


def test_each_missing_file_is_named_with_movie_and_channel(movies):
    (movies[1].paths["cancer"]).unlink()
    (movies[0].paths["death"].parent / "im_0.tif").unlink()
    with pytest.raises(InputError) as caught:
        check_raw_files(names("cancer.raw", "death.raw"), movies)
    said = str(caught.value)
    assert f"movie B1, channel cancer: {movies[1].paths['cancer']}" in said
    assert f"movie A1, channel death: {movies[0].paths['death']}" in said
    assert said.count("- movie") == 2
    assert "globals.yml" in said


def test_only_channels_that_the_pipeline_reads_must_be_there(movies):
    movies[1].paths["cancer"].unlink()
    check_raw_files(names("death.raw"), movies)


# -- roots ----------------------------------------------------------------------------


def test_roots_are_made(tmp_path):
    check_roots(layout(tmp_path), ())
    assert (tmp_path / "scratch").is_dir() and (tmp_path / "output").is_dir()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("key", ["scratch_root", "output_root"])
def test_a_root_inside_the_raw_data_is_refused(tmp_path, key):
    inside = tmp_path / "raw" / "mine" / "results"
    with pytest.raises(StorageError, match=f"{key} lies inside the raw data") as caught:
        check_roots(layout(tmp_path, **{key: inside}), ())
    assert str(inside) in str(caught.value)
    assert not inside.exists()


def test_a_link_into_the_raw_data_is_seen_through(tmp_path):
    (tmp_path / "raw" / "mine").mkdir(parents=True)
    (tmp_path / "scratch").symlink_to(tmp_path / "raw" / "mine")
    with pytest.raises(StorageError, match="inside the raw data"):
        check_roots(layout(tmp_path), ())


@pytest.mark.parametrize("key", ["scratch_root", "output_root"])
def test_a_root_that_cannot_be_written_is_named_with_its_key(tmp_path, key):
    (tmp_path / "file").write_text("in the way")
    root = tmp_path / "file" / "below"
    with pytest.raises(StorageError, match=f"{key} cannot be written") as caught:
        check_roots(layout(tmp_path, **{key: root}), ())
    assert str(root) in str(caught.value)
    assert f"set {key} in" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_root_is_refused(tmp_path):
    (tmp_path / "scratch").mkdir(mode=0o555)
    with pytest.raises(StorageError, match="scratch_root cannot be written"):
        check_roots(layout(tmp_path), ())


def test_raw_data_of_a_row_with_a_dataset_of_its_own_are_protected_too(tmp_path):
    inside = tmp_path / "raw" / "older" / "results"
    row = Movie("A1", "older", {})
    check_roots(layout(tmp_path), [row])
    with pytest.raises(StorageError, match="output_root lies inside the raw data"):
        check_roots(layout(tmp_path, output_root=inside), [row])
    assert not inside.exists()


# -- disk -----------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(monkeypatch):
    """Set the bytes that are free on every disk."""

    def set_free(free):
        monkeypatch.setattr(
            shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - free, free)
        )

    return set_free


def test_too_little_disk_is_refused_with_both_figures(tmp_path, movies, disk):
    disk(2**20)
    with pytest.raises(StorageError, match="The disk is too small") as caught:
        check_disk(layout(tmp_path), movies)
    said = str(caught.value)
    assert "0.00 GiB are free" in said and "GiB are needed" in said
    assert str(tmp_path / "scratch") in said
    assert "scratch_root in conf/local/globals.yml" in said


def test_the_need_grows_with_the_raw_data(tmp_path, movies, disk):
    """Room that is enough for small files is too little for large ones."""
    disk(2**30)
    check_disk(layout(tmp_path), movies)
    large = movies[0].paths["cancer"]
    with large.open("wb") as stream:
        stream.truncate(2**30)  # sparse: takes no room here
    with pytest.raises(StorageError, match="too small"):
        check_disk(layout(tmp_path), movies)


def test_files_of_a_glob_count(tmp_path, movies, disk):
    disk(2**30)
    with (movies[0].paths["death"].parent / "im_1.tif").open("wb") as stream:
        stream.truncate(2**30)
    with pytest.raises(StorageError, match="too small"):
        check_disk(layout(tmp_path), movies)
