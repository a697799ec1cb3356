"""The sheet: one row per movie, clear refusals."""

from __future__ import annotations

import pytest

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.experiment import read_experiment
from cyto_kedro.core.layout import Layout


def layout(tmp_path, **more):
    values = {
        "data_root": tmp_path / "raw",
        "scratch_root": tmp_path / "scratch",
        "output_root": tmp_path / "out",
        "dataset": "plate1",
        "sheet": tmp_path / "sheet.csv",
        "channels": {"tcell": {"files": "<movie>/t.tif"}, "dye": {"files": "d/*.tif"}},
        "roles": {"tcell": {"kind": "effector", "channels": ["tcell"]}},
    }
    return Layout.model_validate(values | more)


def test_rows_become_movies_with_paths_and_conditions(tmp_path):
    (tmp_path / "sheet.csv").write_text(
        "movie,dataset,donor,files:dye\n007,,D1,\nB2,plate2,D2,elsewhere/<movie>.tif\n"
    )
    experiment = read_experiment(layout(tmp_path))
    first, second = experiment.movies
    assert first.id == "007"  # ids stay text, leading zeros included
    assert first.dataset == "plate1"
    assert first.paths["tcell"] == tmp_path / "raw/plate1/007/t.tif"
    assert second.paths["dye"] == tmp_path / "raw/plate2/elsewhere/B2.tif"
    assert experiment.conditions()["donor"].tolist() == ["D1", "D2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movie\nA\nA\n", "Duplicate movie ids: A"),
        ("movie\n../etc\n", "not a usable movie id"),
        ("movie,x\n,1\n", "not a usable movie id"),
        ("well\nA1\n", "needs a column 'movie'"),
        ("movie\n", "needs a column 'movie' and at least one row"),
        ("movie,files:gfp\nA,x.tif\n", "names no channel"),
        (None, "is missing"),
    ],
)
def test_bad_sheets_are_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "sheet.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_experiment(layout(tmp_path))


def test_unknown_movie_names_the_known_ones(tmp_path):
    (tmp_path / "sheet.csv").write_text("movie\nA1\nB1\n")
    with pytest.raises(ConfigError, match="A1, B1"):
        read_experiment(layout(tmp_path))["C1"]


def test_a_role_must_name_an_existing_channel(tmp_path):
    roles = {"nk": {"kind": "effector", "channels": ["gfp"]}}
    with pytest.raises(ValueError, match="names channel 'gfp'"):
        layout(tmp_path, roles=roles)


def test_every_effector_meets_every_target(tmp_path):
    kinds = {"t": "effector", "nk": "effector", "c": "target", "m": "other"}
    roles = {name: {"kind": k, "channels": ["tcell"]} for name, k in kinds.items()}
    assert layout(tmp_path, roles=roles).pairs == (("t", "c"), ("nk", "c"))


def test_one_file_of_several_positions_becomes_several_movies(tmp_path):
    (tmp_path / "sheet.csv").write_text(
        "movie,files,scene,donor\nA1,exp.czi,007,D1\nB2,exp.czi,Position 2,D2\n"
    )
    channel = {"files": "<files>", "scene": "<scene>", "index": 0}
    chosen = layout(tmp_path, channels={"tcell": channel})
    first, second = read_experiment(chosen).movies
    assert first.paths["tcell"] == second.paths["tcell"]
    assert first.paths["tcell"] == tmp_path / "raw/plate1/exp.czi"
    assert (first.scenes, second.scenes) == (
        {"tcell": "007"},
        {"tcell": "Position 2"},
    )
    assert first.conditions == {"donor": "D1"}


def test_a_token_without_value_is_refused(tmp_path):
    (tmp_path / "sheet.csv").write_text("movie,files\nA1,a.czi\nB2,\n")
    chosen = layout(tmp_path, channels={"tcell": {"files": "<files>"}})
    with pytest.raises(ConfigError, match=r"(?s)'tcell' uses <files>.*movie B2"):
        read_experiment(chosen)
