"""Exports, read back by programs that are not ours where there are any."""

from __future__ import annotations

import json
import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.cli.export_images import relabelled, write_image
from cyto_kedro.cli.export_napari import LOADER, write_napari
from cyto_kedro.cli.export_prism import write_prism
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import (
    CONTACT_RATES,
    DEATHS,
    EPISODES,
    FRAME_COUNTS,
    KILLERS,
    KILLS,
    SURVIVAL,
    TRACK_SUMMARY,
)
from cyto_kedro.datasets import NapariTracksDataset, OmeZarrDataset
from stand_ins import RunInMemory, two_roles
from tables import filled, tracks_table

SHAPE = (3, 8, 10)
KNOWN = Calibration.regular(SHAPE, 0.5, 2.0, channels=("green", "red"), movie="m1")
LAYOUT = two_roles()


def labels():
    stack = np.zeros(SHAPE, np.uint32)
    stack[:, 1:3, 1:3] = 1
    stack[1, 5:7, 5:9] = 2
    return stack


def images():
    return {
        name: np.random.default_rng(n).random(SHAPE).astype(np.float32)
        for n, name in enumerate(("green", "red"))
    }


def test_masks_take_the_number_of_their_track():
    tracks = tracks_table([0, 1, 1, 2], [7, 3, 7, 7], 1.0, 1.0)
    # In frame 1 label 1 is track 3 and label 2 is track 7.
    found = np.asarray(relabelled(labels(), tracks))
    assert [np.unique(plane).tolist() for plane in found] == [[0, 7], [0, 3, 7], [0, 7]]
    assert (found[1, 5:7, 5:9] == 7).all()


def test_a_cell_without_a_track_and_a_frame_without_cells_vanish():
    found = np.asarray(relabelled(labels(), tracks_table([0], [4], 1.0, 1.0)))
    assert np.unique(found[0]).tolist() == [0, 4]
    assert not found[1:].any()


def test_the_ome_zarr_is_valid_and_holds_what_was_put_in(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v05")
    import zarr

    path = tmp_path / "m1.ome.zarr"
    stacks = images()
    write_image(path, stacks, {"cancer": labels()}, KNOWN)
    image = models.Image.from_zarr(zarr.open_group(path, mode="r"))
    assert [axis.name for axis in image.ome_attributes.multiscales[0].axes] == list(
        "tcyx"
    )
    models.ImageLabel.from_zarr(zarr.open_group(path / "labels" / "cancer", mode="r"))
    assert np.array_equal(zarr.open_array(path / "0")[:, 1], stacks["red"])
    assert np.array_equal(zarr.open_array(path / "labels/cancer/0")[:], labels())


def test_ome_zarr_py_finds_image_labels_and_scale(tmp_path):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path = tmp_path / "m1.ome.zarr"
    write_image(path, images(), {"cancer": labels()}, KNOWN)
    nodes = list(Reader(parse_url(path))())
    assert nodes[0].data[0].shape == (3, 2, 8, 10)
    step = nodes[0].metadata["coordinateTransformations"][0][0]["scale"]
    assert step == [2.0, 1.0, 0.5, 0.5]
    assert any(node.data[0].dtype == np.uint32 for node in nodes[1:] if node.data)


def test_large_frames_get_coarser_levels(tmp_path):
    import zarr

    plane = np.add.outer(np.arange(1500.0), np.zeros(9)).astype(np.float32)
    known = Calibration.regular((1, 1500, 9))
    mask = (plane > 700).astype(np.uint32) * 5
    write_image(tmp_path / "a", {"c": plane[None]}, {"r": mask[None]}, known)
    small = zarr.open_array(tmp_path / "a" / "1")[0, 0]
    assert small.shape == (750, 5)
    assert np.allclose(small[:, 0], 2 * np.arange(750) + 0.5)
    assert set(np.unique(zarr.open_array(tmp_path / "a/labels/r/1")[0])) == {0, 5}
    facts = zarr.open_group(tmp_path / "a").attrs["ome"]["multiscales"][0]["datasets"][
        1
    ]
    scale, move = facts["coordinateTransformations"]
    assert scale["scale"][-2:] == [2.0, 2.0]
    assert move["translation"][-2:] == [0.5, 0.5]


@pytest.fixture
def napari_run(tmp_path):
    calibration = tmp_path / "calibration"
    calibration.write_text(KNOWN.model_dump_json())
    data = {"calibration": KNOWN}
    for name, stack in images().items():
        data[f"{name}.image"] = stack
        folder = tmp_path / f"{name}_image"
        OmeZarrDataset(folder, calibration=calibration).save(stack)
    for role in LAYOUT.roles:
        data[f"{role}.labels"] = labels()
        data[f"{role}.tracks"] = tracks_table(
            [0, 1, 1, 2],
            [7, 3, 8, 8],
            [1.0, 2.0, 3.0, 3.0],
            [4.0, 2.0, 3.0, 3.0],
            2.0,
            parent_track_id=pd.array([None, 7, 7, 7], "Int64"),
        )
    data["kills@movie"] = filled(
        KILLS,
        {
            "target": ["cancer", "cancer"],
            "target_track_id": [8, 3],
            "death_frame": [2, 1],
            "effector": ["tcell", None],
            "effector_track_id": pd.array([8, None], "Int64"),
        },
    )
    return RunInMemory(tmp_path, data)


class Viewer:
    """Stands for napari's: keeps what it was given."""

    def __init__(self, title):
        self.title, self.layers = title, {}

    def __getattr__(self, name):
        def add(data, **options):
            kind = name.removeprefix("add_")
            self.layers[options["name"]] = (kind, data, options)

        return add


def test_the_napari_script_opens_images_masks_tracks_and_events(
    napari_run, tmp_path, monkeypatch
):
    (folder,) = write_napari(napari_run, ["m1"], tmp_path / "out")
    made = []
    module = SimpleNamespace(
        Viewer=lambda title: made.append(Viewer(title)) or made[-1], run=lambda: None
    )
    monkeypatch.setitem(sys.modules, "napari", module)
    runpy.run_path(str(folder / LOADER))
    layers = made[0].layers
    assert {name: layer[0] for name, layer in layers.items()} == {
        "green": "image",
        "red": "image",
        "cancer masks": "labels",
        "tcell masks": "labels",
        "cancer tracks": "tracks",
        "tcell tracks": "tracks",
        "deaths": "points",
        "kills": "points",
        "divisions": "points",
    }
    assert np.array_equal(np.asarray(layers["red"][1]), images()["red"])
    assert np.unique(np.asarray(layers["cancer masks"][1][1])).tolist() == [0, 3, 8]
    assert layers["cancer tracks"][1].tolist()[0] == [3.0, 1.0, 4.0, 4.0]
    assert layers["cancer tracks"][2]["graph"] == {3: [7], 8: [7]}
    # The second victim died in frame 1 at (2, 2) um: pixel 4, 4.
    assert layers["deaths"][1].tolist() == [[1, 4, 4], [2, 6, 6]]
    assert layers["kills"][1].tolist() == [[2, 6, 6]]


def test_the_exported_tracks_lie_on_the_exported_masks(napari_run, tmp_path):
    (folder,) = write_napari(napari_run, ["m1"], tmp_path / "out")
    known = folder / "calibration.json"
    again = NapariTracksDataset(folder / "tracks_cancer.csv", calibration=known).load()
    own = napari_run.data["cancer.tracks"]
    assert sorted(again["y_um"]) == sorted(own["y_um"])
    assert json.loads(known.read_text())["pixel_size_y_um"] == 0.5


def prism_run(tmp_path, movies):
    per_movie = {
        "tcell.track_summary": TRACK_SUMMARY,
        "cancer.track_summary": TRACK_SUMMARY,
    }
    data = {
        name: {
            movie: filled(
                spec,
                {"track_id": [1, 2], "mean_speed_um_per_min": [n + 1.0, n + 3.0]},
            )
            for n, movie in enumerate(movies)
        }
        for name, spec in per_movie.items()
    }
    for role in LAYOUT.roles:
        data[f"{role}.frame_counts"] = {
            movie: filled(
                FRAME_COUNTS,
                {"frame": [0, 1], "time_min": [0.0, 2.0], "n_cells": [4, 5]},
            )
            for movie in movies
        }
    data["tcell_cancer.contact_rates"] = filled(
        CONTACT_RATES, {"time_min": [0.0], "contacts_per_effector": [0.5]}
    )
    data["tcell_cancer.contact_episodes"] = filled(EPISODES, {"dwell_min": [6.0]})
    data["cancer.killers@movie"] = filled(KILLERS, {"kills_hazard": [1.0, 0.0]})
    data["cancer.deaths@movie"] = filled(
        DEATHS,
        {
            "track_id": [1, 2],
            "entry_min": 0.0,
            "exit_min": [9.0, 9.0],
            "death_time_min": [5.0, None],
            "censored": [False, True],
            "reason": ["died", "lost"],
            "peak_signal": 1.0,
        },
    )
    data["survival"] = filled(
        SURVIVAL, {"group": ["killing"], "role": "cancer", "time_min": [5.0]}
    )
    groups = ["killing", "killing", "control"][: len(movies)]
    data["conditions"] = pd.DataFrame({"movie": movies, "condition": groups})
    return RunInMemory(tmp_path, data, killing={"survival": {"group_by": "condition"}})


def test_prism_gets_a_column_per_group_and_movies_are_averaged(tmp_path):
    movies = ["a", "b", "c"]
    run = prism_run(tmp_path, movies)
    paths = write_prism(run, movies, tmp_path / "prism")
    assert all(path.is_file() for path in paths)
    what = "tcell_mean_speed_um_per_min"
    cells = pd.read_csv(tmp_path / "prism" / "cells" / f"{what}.csv")
    assert cells["killing"].tolist() == [1, 3, 2, 4]
    assert cells["control"].dropna().tolist() == [3, 5]
    means = pd.read_csv(tmp_path / "prism" / "movies" / f"{what}.csv")
    assert means["killing"].tolist() == [2, 3]
    counts = pd.read_csv(tmp_path / "prism" / "over_time" / "cancer_cells.csv")
    assert list(counts.columns) == ["time_min", *movies]
    died = pd.read_csv(tmp_path / "prism" / "survival_cells_cancer.csv")
    assert died["killing"].tolist()[:4] == [1, 0, 1, 0]
    assert (tmp_path / "prism" / "READ_ME.txt").is_file()


def test_without_a_grouping_column_each_movie_is_its_own_group(tmp_path):
    run = prism_run(tmp_path, ["a", "b"])
    run.record["parameters"] = {}
    write_prism(run, ["a", "b"], tmp_path / "prism")
    groups = pd.read_csv(tmp_path / "prism" / "groups.csv")
    assert groups["group"].tolist() == ["a", "b"]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["napari", "ome-zarr", "trackmate", "geff", "prism"])
def test_one_command_exports_a_finished_run(example_project, tmp_path, to):
    done = example_project.kedro("cyto", "export", "--to", to, "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killing_A1" in done.stdout or to == "prism"
    assert any(tmp_path.rglob("*"))


@pytest.mark.slow
def test_a_movie_that_is_not_there_is_named(example_project):
    done = example_project.kedro("cyto", "export", "--to", "geff", "--movie", "nope")
    assert done.returncode != 0
    assert "no finished movie 'nope'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
