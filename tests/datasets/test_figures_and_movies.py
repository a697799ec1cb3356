"""Figures in a folder, and views over all movies of a sheet."""

from __future__ import annotations

import base64

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError
from matplotlib import pyplot
from matplotlib.figure import Figure

from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.datasets import (
    ConditionsDataset,
    FiguresDataset,
    MovieCollectionDataset,
    TableDataset,
)

PNG = b"\x89PNG"


def figure(value=1):
    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([0, value])
    return drawn


def test_figures_come_back_as_files(tmp_path):
    dataset = FiguresDataset(tmp_path / "figures")
    dataset.save({"speed": figure(), "counts": figure(2)})
    back = dataset.load()
    assert list(back) == ["counts", "speed"]
    assert back["speed"]["png"][:4] == PNG
    assert b"<svg" in back["speed"]["svg"]
    assert base64.b64decode(dataset.preview()) == back["counts"]["png"]


def test_figures_of_an_earlier_run_do_not_linger(tmp_path):
    dataset = FiguresDataset(tmp_path / "figures", formats=["png"])
    dataset.save({"old": figure()})
    dataset.save({"new": figure()})
    assert list(dataset.load()) == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_equal_figures_give_equal_files(tmp_path):
    dataset = FiguresDataset(tmp_path / "figures")
    dataset.save({"a": figure(), "b": figure()})
    back = dataset.load()
    assert back["a"] == back["b"]


def test_saving_closes_pyplot_figures(tmp_path):
    drawn = pyplot.figure()
    FiguresDataset(tmp_path / "figures").save({"a": drawn})
    assert drawn.number not in pyplot.get_fignums()


def test_names_of_figures_stay_in_the_folder(tmp_path):
    with pytest.raises(DatasetError, match="file name"):
        FiguresDataset(tmp_path / "figures").save({"../a": figure()})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def layout(tmp_path):
    (tmp_path / "sheet.csv").write_text("movie,donor\nw2,a\nw1,b\nw3,\n")
    return {
        "data_root": str(tmp_path),
        "scratch_root": str(tmp_path / "scratch"),
        "output_root": str(tmp_path / "output"),
        "dataset": "set1",
        "sheet": str(tmp_path / "sheet.csv"),
        "channels": {"tcell": {"files": "<movie>.tif"}},
        "roles": {"tcell": {"kind": "effector", "channels": ["tcell"]}},
    }


def entry(tmp_path):
    return {
        "type": "cyto_kedro.datasets.TableDataset",
        "filepath": str(tmp_path / "%movie%" / "cells.parquet"),
    }


def test_all_movies_that_have_a_result(layout, tmp_path):
    for movie in ("w1", "w2"):
        table = pd.DataFrame({"movie": [movie]})
        TableDataset(tmp_path / movie / "cells.parquet").save(table)
    catalog = DataCatalog.from_config(
        {
            "cells@all": {
                "type": "cyto_kedro.datasets.MovieCollectionDataset",
                "layout": layout,
                "dataset": entry(tmp_path),
            }
        }
    )
    loaded = catalog.load("cells@all")
    assert {movie: list(t["movie"]) for movie, t in loaded.items()} == {
        "w2": ["w2"],
        "w1": ["w1"],
    }
    assert list(loaded) == ["w2", "w1"]
    sources = catalog["cells@all"].source_files()
    assert [path.parent.name for path in sources] == ["w2", "w1"]


def test_views_are_read_only(layout, tmp_path):
    for dataset in (
        MovieCollectionDataset(layout, entry(tmp_path)),
        ConditionsDataset(layout),
    ):
        with pytest.raises(DatasetError, match="read-only") as e:
            dataset.save({"w1": pd.DataFrame()})
        assert isinstance(e.value.__cause__, StorageError)
    assert not MovieCollectionDataset(layout, entry(tmp_path)).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.csv"]


def test_a_collection_needs_the_movie_in_its_path(layout):
    with pytest.raises(ConfigError, match="%movie%"):
        MovieCollectionDataset(layout, {"filepath": "cells.parquet"})


def test_conditions_of_the_sheet(layout):
    dataset = ConditionsDataset(layout)
    assert dataset.exists()
    table = dataset.load()
    assert list(table["movie"]) == ["w2", "w1", "w3"]
    assert list(table["donor"][:2]) == ["a", "b"]
    assert dataset.preview()["columns"] == ["dataset", "movie", "donor"]
