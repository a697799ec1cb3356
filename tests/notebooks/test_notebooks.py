"""The notebooks run from top to bottom, in order, in a project of tiny movies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cyto_kedro.notebook import load_run
from project import REPOSITORY, Project
from small_experiment import small_project

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
# What takes time is repeated draws: a few show as much here.
_FEW_DRAWS = """
killing:
  attribution:
    chance: {n_shifts: 20, n_moves: 20, n_refits: 19}
    sensitivity: {n_shifts: 20}
    density: {n_repeats: 2}
  survival: {n_bootstrap: 20, n_permutations: 99}
"""


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["cells"]


def test_there_are_six_in_order():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] for cell in code)
    assert all(cell["execution_count"] is None for cell in code)
    assert json.loads(path.read_text("utf-8"))["metadata"]["language_info"] == {
        "name": "python"
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pages_say_first_what_they_show(path):
    first = cells(path)[0]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")


# -- executed -------------------------------------------------------------------------


def executed(path: Path, project: Project) -> list[dict]:
    """Outputs of all code cells; fails with the traceback of the cell that fails."""
    nbclient = pytest.importorskip("nbclient")
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=200,
        kernel_name="python3",
        resources={"metadata": {"path": str(project.folder / "notebooks")}},
    )
    client.execute()
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def text_of(outputs: list[dict]) -> str:
    told = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "\n".join(told)


def n_pictures(outputs: list[dict]) -> int:
    kinds = [kind for o in outputs for kind in o.get("data", {})]
    return sum(kind.startswith("image/") for kind in kinds)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that nothing has run in: the tour does."""
    made = small_project(tmp_path_factory.mktemp("notebooks") / "project", 2)
    made.configure("parameters_killing.yml", _FEW_DRAWS)
    (made.folder / "notebooks").mkdir()
    return made


@pytest.fixture(scope="module")
def tour(project):
    return executed(NOTEBOOKS[0], project)


@pytest.mark.slow
def test_the_tour_runs_the_example_and_draws_the_kill_curve(tour, project):
    run = load_run(project=project.folder)
    assert run.id in text_of(tour)
    assert run.movies == ("killing_A1", "control_B1")
    assert n_pictures(tour) == 2
    # What is made once per run is one table, whatever the movie.
    survival = run.table("survival")
    assert set(survival["level"]) == {"movie", "condition"}
    assert survival.equals(run.table("survival", "control_B1"))
    assert {"survival_cancer"} <= set(run.figures())
    assert {"paths", "strip"} <= set(run.figures("control_B1"))
    assert run.report.is_file()


@pytest.mark.slow
def test_bare_metal_is_compared_with_what_containers_there_are(tour, project):
    told = text_of(executed(NOTEBOOKS[1], project))
    assert "docker run" in told
    assert "cancer.segment" in told
    masks = load_run(workflow="segmentation", project=project.folder)
    assert masks.provenance("cancer.labels", "control_B1")["sha256"][:12] in told


@pytest.mark.slow
def test_a_method_is_written_and_scored(project):
    outputs = executed(NOTEBOOKS[2], project)
    assert "otsu_watershed" in text_of(outputs)
    assert n_pictures(outputs) == 1


@pytest.mark.slow
def test_tracks_and_events_are_drawn(tour, project):
    outputs = executed(NOTEBOOKS[3], project)
    assert n_pictures(outputs) >= 2
    assert "deaths in all movies" in text_of(outputs)


@pytest.mark.slow
def test_what_slurm_would_be_sent_is_shown_and_nothing_is_sent(tour, project):
    told = text_of(executed(NOTEBOOKS[4], project))
    assert "sbatch --parsable" in told
    assert "#SBATCH --partition=short" in told
    assert "Nothing was submitted" in told
    assert not project.runs("contacts")


@pytest.mark.slow
def test_two_runs_differ_by_the_threshold_and_share_their_masks(tour, project):
    before = load_run(project=project.folder)
    told = text_of(executed(NOTEBOOKS[5], project))
    after = load_run(project=project.folder)
    both = (before, after)
    assert after.id > before.id
    assert "killing.death.threshold.k" in told
    names = ("labels", "viability")
    of = {
        name: {run.provenance(f"cancer.{name}", "killing_A1")["sha256"] for run in both}
        for name in names
    }
    assert {name for name, hashes in of.items() if len(hashes) == 2} == {"viability"}
