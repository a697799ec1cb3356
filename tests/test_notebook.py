"""`load_run`: results in a notebook belong to the run that they are said to be of."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pandas as pd
import pytest

from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.notebook import _below_each_other, load_run
from small_experiment import small_project

TABULATION = "tabulation"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project after a run that ends with the tables of cells per frame."""
    made = small_project(tmp_path_factory.mktemp("notebook") / "project", 2, 3)
    done = made.kedro("run", f"--pipeline={TABULATION}", timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return made


@pytest.fixture
def run(project):
    return load_run(workflow=TABULATION, project=project.folder)


def test_the_newest_complete_run_is_found_from_any_folder_below(project, monkeypatch):
    monkeypatch.chdir(project.folder / "data" / "01_raw")
    run = load_run(workflow=TABULATION)
    assert run.folder == project.runs(TABULATION)[-1].resolve()
    assert run.movies == ("killing_A1", "control_B1")
    assert run.metadata["pipeline"] == TABULATION
    assert load_run(run.id, TABULATION).folder == run.folder
    assert run.id in repr(run) and "completed" in repr(run)


def test_a_table_is_that_of_one_movie_or_of_all(project, run):
    path = project.scratch("control_B1", TABULATION) / "cancer" / "detections.parquet"
    one = run.table("cancer.detections", "control_B1")
    pd.testing.assert_frame_equal(one, pd.read_parquet(path), check_dtype=False)
    both = run.table("cancer.detections")
    assert both.columns[0] == "movie"
    assert both.groupby("movie").size()["control_B1"] == len(one)
    assert set(both["movie"]) == {"killing_A1", "control_B1"}


def test_masks_stay_lazy(run):
    labels = run.load("cancer.labels", "killing_A1")
    assert labels.shape == (3, 160, 160)
    assert hasattr(labels, "dask")
    assert "cancer.labels" not in run.tables


def test_what_is_not_there_is_refused_with_what_is(project, run, tmp_path):
    with pytest.raises(ConfigError, match=r"cancer\.detections"):
        run.table("cancer.detection")
    with pytest.raises(ConfigError, match="control_B1"):
        run.table("cancer.detections", "B1")
    with pytest.raises(ConfigError, match="20200101T000000Z"):
        load_run("20200101T000000Z", TABULATION, project.folder)
    with pytest.raises(ConfigError, match="no complete run of 'killing'"):
        load_run(workflow="killing", project=project.folder)
    with pytest.raises(ConfigError, match="no project"):
        load_run(project=tmp_path)


@pytest.mark.slow
def test_results_of_another_run_are_not_taken_for_those_of_this_one(project, tmp_path):
    copy = shutil.copytree(project.folder, tmp_path / "copy")
    first = load_run(workflow=TABULATION, project=copy)
    done = type(project)(copy).kedro(
        "run",
        f"--pipeline={TABULATION}",
        "--params=segmentation.cancer.method.edge_level=0.7",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    second = load_run(workflow=TABULATION, project=copy)
    assert second.id > first.id
    assert len(second.table("cancer.detections", "control_B1")) > 0
    with pytest.raises(InputError, match=second.id):
        first.table("cancer.detections", "control_B1")


def test_provenance_leads_to_code_inputs_and_parameters(project, run):
    of_run = run.provenance()
    assert of_run["run_id"] == run.id
    assert of_run["packages"]["kedro"].startswith("1.7")
    raw = project.folder / "data" / "01_raw" / "example" / "control_B1"
    assert any(path.startswith(str(raw)) for path in of_run["inputs"])
    assert any(path.endswith("globals.yml") for path in of_run["configuration"])
    of_table = run.provenance("cancer.detections", "control_B1")
    assert of_table["run_id"] == run.id
    assert {"cancer.labels", "cancer.image"} <= set(of_table["inputs"])
    with pytest.raises(InputError, match=r"cancer\.tracks"):
        run.provenance("cancer.tracks", "control_B1")


def test_a_session_that_is_running_keeps_its_configuration(project, run):
    mine = CytoConfigLoader.active
    load_run(workflow=TABULATION, project=project.folder)
    assert CytoConfigLoader.active is mine


def test_plain_python_needs_no_kedro_session(project):
    code = (
        "from cyto_kedro.notebook import load_run; import sys\n"
        f"run = load_run(workflow='{TABULATION}')\n"
        "print(len(run.table('cancer.frame_counts')), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.folder / "conf",
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split()[-2:] == ["6", "False"], done.stdout + done.stderr


def test_tables_without_rows_do_not_change_types():
    full = pd.DataFrame({"frame": [1], "alive": pd.array([None], "boolean")})
    both = _below_each_other({"a": full, "b": full.iloc[:0]})
    assert list(both) == ["movie", "frame", "alive"]
    assert both.dtypes["frame"] == "int64" and both.dtypes["alive"] == "boolean"
    none = _below_each_other({"a": full.iloc[:0], "b": full.iloc[:0]})
    assert list(none) == ["movie", "frame", "alive"] and len(none) == 0
