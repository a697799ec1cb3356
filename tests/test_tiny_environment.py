"""`--env test`: a small run in folders of its own, and what a second one lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyto_kedro.simulation.example import write_example
from cyto_kedro.simulation.params import SimulationParams
from project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project after one run in the environment `test`."""
    made = Project.create(tmp_path_factory.mktemp("tiny") / "project")
    # The bundled example would be cut to this size.
    params = SimulationParams(
        n_frames=16, height_px=192, width_px=192, n_effectors=6, n_targets=6
    )
    write_example(made.folder / "data" / "test" / "raw" / "example", params=params)
    done = made.kedro("run", "--env=test")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield made


def runs_of(project: Project) -> list[Path]:
    return sorted((project.folder / "data/test/output/cytotoxicity").glob("run_*"))


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "provenance_manifest.json").read_text("utf-8"))


def listed(folder: Path) -> dict[tuple[str, str | None], dict]:
    outputs = manifest_of(folder)["outputs"]
    return {(item["dataset"], item["movie"]): item for item in outputs}


def test_the_environment_is_small_and_keeps_to_its_folders(project):
    (folder,) = runs_of(project)
    record = json.loads((folder / "run_metadata.json").read_text("utf-8"))
    assert (record["env"], record["status"]) == ("test", "completed")
    assert record["total_frames"] == 2 * 16
    assert (folder / "report.html").is_file()
    assert [p.name for p in (project.folder / "data").iterdir()] == ["test"]


def test_a_run_of_what_is_missing_lists_every_output_with_its_hash(project):
    first = listed(runs_of(project)[0])
    done = project.kedro("run", "--env=test", "--only-missing-outputs")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = runs_of(project)[1]
    second = listed(folder)
    assert set(second) == set(first)
    reused = {key for key, item in second.items() if item["reused"]}
    assert ("drift", "killing_A1") in reused, "no node that ran again reads it"
    assert all(second[key]["sha256"] == first[key]["sha256"] for key in reused)
    assert not any(item["edited"] for item in second.values())
    inputs = [manifest_of(path)["inputs"] for path in runs_of(project)]
    assert inputs[0] == inputs[1]
    verified = project.kedro("cyto", "verify", "--env=test")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_scratch_of_both_runs_is_purged_by_what_the_second_lists(project):
    done = project.kedro("cyto", "purge", "--env=test", "--json", "--dry-run")
    text = done.stdout[done.stdout.index("{") :]
    folders = json.loads(text)["folders"]
    assert {f["movie"]: f["refused"] for f in folders} == {
        "killing_A1": "",
        "control_B1": "",
    }
