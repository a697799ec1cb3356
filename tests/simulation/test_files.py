"""The example and the workload on disk."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
import zarr

from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.experiment import read_experiment
from cyto_kedro.core.layout import Layout
from cyto_kedro.simulation import (
    SimulationParams,
    simulate,
    synthetic_workload,
    write_example,
)
from cyto_kedro.simulation import example as example_module
from project import REPOSITORY


@pytest.fixture(scope="module")
def params(small_params):
    return small_params.model_copy(update={"n_frames": 6})


@pytest.fixture(scope="module")
def root(tmp_path_factory, params):
    return write_example(tmp_path_factory.mktemp("raw data") / "ex", params=params)


@pytest.fixture(scope="module")
def killing(params):
    return simulate(params)


def tree(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_sheet_names_movies_whose_files_exist(root):
    base = yaml.safe_load((REPOSITORY / "conf/base/globals.yml").read_text("utf-8"))
    place = {"data_root": root.parent, "dataset": root.name}
    layout = Layout.model_validate(base | place | {"sheet": root / "experiment.csv"})
    experiment = read_experiment(layout)
    assert experiment.ids == ("killing_A1", "control_B1")
    control = experiment["control_B1"]
    assert bool(control.conditions["control"]) is True
    assert control.conditions["effector_to_target"] == 0
    assert experiment["killing_A1"].conditions["well"] == "A1"
    for movie in experiment.movies:
        assert movie.paths["tcell"].is_file()
        assert movie.paths["death"].is_dir()
        pattern = movie.paths["cancer"]
        frames = sorted(pattern.parent.glob(pattern.name))
        assert [p.name for p in frames] == [f"im_{t:05d}.tif" for t in range(6)]


def test_the_ome_tiff_tells_its_calibration(root, killing):
    with tifffile.TiffFile(root / "killing_A1" / "tcell.ome.tif") as file:
        assert file.is_ome
        assert file.series[0].axes == "TYX"
        data = file.asarray()
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert data.dtype == np.uint16
    assert (data == np.stack([killing.frame("tcell", t) for t in range(6)])).all()
    assert pixels["PhysicalSizeX"] == pixels["PhysicalSizeY"] == 0.65
    assert pixels["PhysicalSizeXUnit"] == "µm"
    assert pixels["TimeIncrement"] == 2.0
    assert pixels["TimeIncrementUnit"] == "min"


def test_one_frame_tiffs_hold_the_frames(root, killing):
    for t in (0, 5):
        plane = tifffile.imread(root / "killing_A1" / "cancer" / f"im_{t:05d}.tif")
        assert (plane == killing.frame("cancer", t)).all()


def test_ome_zarr_py_reads_the_death_channel(root, killing):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    store = root / "killing_A1" / "death.ome.zarr"
    node = next(iter(Reader(parse_url(str(store)))()))
    assert [a["name"] for a in node.metadata["axes"]] == ["t", "y", "x"]
    units = [a["unit"] for a in node.metadata["axes"]]
    assert units == ["minute", "micrometer", "micrometer"]
    scale = node.metadata["coordinateTransformations"][0][0]["scale"]
    assert scale == [2.0, 0.65, 0.65]
    assert node.data[0].shape == killing.shape
    assert (np.asarray(node.data[0][3]) == killing.frame("death", 3)).all()
    array = zarr.open_group(store, mode="r")["0"]
    assert array.chunks == (1, *killing.shape[1:])


def test_truth_files_are_the_truth(root, killing):
    truth = root / "killing_A1" / "truth"
    for role in killing.roles:
        labels = tifffile.imread(truth / f"masks_{role}.tif")
        assert labels.dtype == np.uint32
        assert (labels == killing.label_stack(role).compute()).all()
    for name in ("tracks", "contacts", "deaths", "divisions", "drift"):
        table = getattr(killing, name)
        read = pd.read_csv(truth / f"{name}.csv")
        assert list(read.columns) == list(table.columns)
        assert len(read) == len(table)
    tracks = pd.read_csv(truth / "tracks.csv", float_precision="round_trip")
    assert np.array_equal(tracks["y_um"], killing.tracks["y_um"])
    assert "without" in (truth / "README.txt").read_text()
    recorded = json.loads((truth / "params.json").read_text())
    assert SimulationParams.model_validate(recorded) == killing.params


def test_the_same_seed_gives_the_same_bytes(root, params, tmp_path):
    again = write_example(tmp_path / "again", params=params)
    assert tree(again) == tree(root)


def test_what_is_complete_is_left_alone(root, params):
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    assert write_example(root, params=params) == root
    assert write_example(root) == root
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before


def test_another_example_is_not_overwritten(root, params):
    before = tree(root)
    with pytest.raises(StorageError, match="other parameters"):
        write_example(root, params=params.model_copy(update={"seed": 99}))
    assert tree(root) == before


def test_a_folder_with_other_files_is_not_touched(tmp_path, params):
    (tmp_path / "mine.tif").write_bytes(b"precious")
    with pytest.raises(StorageError, match="something else"):
        write_example(tmp_path, params=params)
    assert (tmp_path / "mine.tif").read_bytes() == b"precious"


def test_an_interrupted_generation_leaves_nothing(tmp_path, params, monkeypatch):
    write_movie = example_module.write_movie

    def fails_in_the_second_movie(movie, folder):
        write_movie(movie, folder)
        if "control" in folder.name:
            raise KeyboardInterrupt

    monkeypatch.setattr(example_module, "write_movie", fails_in_the_second_movie)
    with pytest.raises(KeyboardInterrupt):
        write_example(tmp_path / "ex", params=params)
    assert [p.name for p in tmp_path.iterdir()] == [".ex.lock"]  # empty, kept


def test_a_killed_generation_is_cleaned_up_by_the_next(tmp_path, params):
    """SIGKILL while it writes: no example by name, and a later one is whole."""
    code = (
        "import sys; from cyto_kedro.simulation import SimulationParams, write_example;"
        "write_example(sys.argv[1], params="
        "SimulationParams.model_validate_json(sys.argv[2]))"
    )
    folder = tmp_path / "ex"
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), params.model_dump_json()]
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".ex.*.partial/killing_A1/*")):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    running.kill()
    running.wait()
    assert not folder.exists()
    assert list(tmp_path.glob(".ex.*.partial"))
    write_example(folder, params=params)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".ex.lock", "ex"]


def test_the_workload_has_the_cells_and_files_asked_for(tmp_path):
    root = synthetic_workload(
        tmp_path / "wl", n_frames=2, size=400, n_cells=60, truth=True
    )
    tracks = pd.read_csv(root / "killing_A1" / "truth" / "tracks.csv")
    per_frame = tracks.groupby("frame").size()
    assert per_frame.between(55, 85).all()
    share = (tracks["role"] == "cancer").mean()
    assert 0.2 < share < 0.4
    assert tifffile.imread(root / "killing_A1" / "tcell.ome.tif").shape == (2, 400, 400)
    two = synthetic_workload(
        tmp_path / "two", n_frames=1, size=200, n_cells=10, death=False
    )
    names = sorted(p.name for p in (two / "killing_A1").iterdir())
    assert names == ["cancer", "tcell.ome.tif"]
    with pytest.raises(StorageError, match="exists"):
        synthetic_workload(root, n_frames=1, size=200, n_cells=10)
