"""The notebooks run from top to bottom, in order, in a project of tiny movies."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cyto_kedro.notebook import load_run
from notebook_tool import pages
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


def test_a_page_shows_code_text_tables_and_pictures():
    def cell(source, *outputs):
        return {"cell_type": "code", "source": source, "outputs": list(outputs)}

    def shown(**data):
        kinds = {kind.replace("_", "/", 1): text for kind, text in data.items()}
        return {"output_type": "display_data", "data": kinds}

    said = {"output_type": "stream", "text": ["\x1b[31mone\x1b[0m\n", "```\n"]}
    link = "\x1b]8;id=1;file:///a.py\x1b\\a.py\x1b]8;;\x1b\\"
    said["text"].append(link + "\n")
    rich = shown(text_plain="two", text_html="<pre style='x'>two</pre>")
    table = shown(text_plain="3", text_html="<style>a</style>\n\n<table>3</table>")
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "Words."]},
            cell("print(1)", said, shown(text_plain="", text_html="<pre></pre>"), rich),
            cell("table", table),
            cell("plot()", shown(text_plain="Figure", image_png="iVBORw0KGgo=")),
        ]
    }
    text, pictures = pages.page_of(notebook, "05_x")
    assert text.startswith("# Title\nWords.\n\n*`notebooks/05_x.ipynb`, executed")
    assert "``` python\nprint(1)\n```\n\n" in text
    assert "```` { .text .output }\none\n```\na.py\ntwo\n````\n\n" in text
    assert '<div class="output">\n<table>3</table>\n</div>' in text
    assert pictures == {"05_x_3_0.png": b"\x89PNG\r\n\x1a\n"}
    assert "](05_x_3_0.png)" in text and "Figure" not in text
    unexecuted = {"cells": [notebook["cells"][0], cell("print(1)")]}
    assert ", not executed.*" in pages.page_of(unexecuted, "05_x")[0]


def test_a_copy_counts_as_long_as_nothing_changed(tmp_path, monkeypatch):
    monkeypatch.setenv(pages.FOLDER, str(tmp_path))
    path, project = NOTEBOOKS[0], Path("/tmp/somewhere/project")
    assert pages.executed_copy(path) is None
    said = {"output_type": "stream", "text": f"{project}/data"}
    notebook = {"cells": [{"cell_type": "code", "outputs": [said]}], "metadata": {}}
    pages.keep(path, notebook, project)
    kept = pages.executed_copy(path)
    assert kept["cells"][0]["outputs"][0]["text"] == "/home/you/cyto_kedro/data"
    monkeypatch.setattr(pages, "state", lambda: "of other code")
    assert pages.executed_copy(path) is None


# -- executed -------------------------------------------------------------------------


def executed(path: Path, project: Project) -> list[dict]:
    """Outputs of all code cells; fails with the traceback of the cell that fails.

    Where CYTO_KEDRO_NOTEBOOKS names a folder the executed copy goes there, for the
    site: CI executes each notebook once.
    """
    pytest.importorskip("nbclient")
    notebook = pages.execute(path, project.folder, timeout_s=200)
    if os.environ.get(pages.FOLDER):
        pages.keep(path, notebook, project.folder)
    text, pictures = pages.page_of(notebook, path.stem)
    assert all(f"]({name})" in text for name in pictures)
    assert len(pictures) == n_pictures(outputs_of(notebook))
    return outputs_of(notebook)


def outputs_of(notebook: dict) -> list[dict]:
    return [
        output
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
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
