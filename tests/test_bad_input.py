"""Bad input is refused before the first node, with what, where and what to do."""

from __future__ import annotations

import shutil

import pytest

from project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    made = Project.create(tmp_path_factory.mktemp("bad") / "project")
    done = made.kedro("cyto", "example")
    assert done.returncode == 0, done.stderr[-2000:]
    return made


@pytest.fixture
def project(example, tmp_path):
    folder = tmp_path / "p"
    shutil.copytree(example.folder, folder, symlinks=True)
    return Project(folder)


GLOBALS = "globals.yml"
# name: (file of conf/local, its text, words of the command, what the user reads)
CASES = {
    "misspelt key": (
        None,
        "",
        ["--params", "segmentation.cancer.min_area_umm2=3"],
        ["segmentation.cancer", "min_area_umm2"],
    ),
    "misspelt group": (
        "parameters_x.yml",
        "segmentatoin: {cancer: {min_area_um2: 3}}",
        [],
        ["segmentatoin", "did you mean 'segmentation"],
    ),
    "parameters of an unknown role": (
        "parameters_x.yml",
        "tracking: {macrophage: {}}",
        [],
        ["tracking.macrophage", "no node reads"],
    ),
    "negative size": (
        None,
        "",
        ["--params", "segmentation.cancer.min_area_um2=-3"],
        ["segmentation.cancer", "greater than or equal"],
    ),
    "role without parameters": (
        GLOBALS,
        "roles: {tcell: {kind: effector, channels: [tcell]}, "
        "cancer: {kind: target, channels: [cancer]}, "
        "nk: {kind: effector, channels: [tcell]}}",
        [],
        ["params:segmentation.nk", "every role"],
    ),
    "role on an unknown channel": (
        GLOBALS,
        "roles: {tcell: {kind: effector, channels: [gfp]}}",
        [],
        ["globals.yml is wrong", "gfp"],
    ),
    "unknown key in globals": (
        GLOBALS,
        "pixel_sise_um: 3",
        [],
        ["pixel_sise_um", "globals.yml"],
    ),
    "missing raw files": (
        GLOBALS,
        "channels: {tcell: {files: <movie>/tcell.ome.tif}, "
        "cancer: {files: <movie>/nothing_*.tif}, "
        "death: {files: <movie>/death.ome.zarr}}",
        [],
        ["Raw files are missing", "killing_A1", "cancer", "nothing_*.tif"],
    ),
    "missing sheet": (
        GLOBALS,
        "sheet: data/01_raw/example/nowhere.csv\ndataset: mine",
        [],
        ["experiment sheet is missing", "nowhere.csv"],
    ),
    "unwritable scratch": (
        GLOBALS,
        "scratch_root: /proc/scratch",
        [],
        ["scratch_root cannot be written", "conf/local/globals.yml"],
    ),
    "scratch inside raw": (
        GLOBALS,
        "scratch_root: data/01_raw/example/scratch",
        [],
        ["lies inside the raw data"],
    ),
    "contradicting pixel size": (
        GLOBALS,
        "pixel_size_um: 0.5",
        [],
        ["pixel", "0.65", "0.5", "death.ome.zarr"],
    ),
    "unknown movie": (None, "", ["--params", "movies=C9"], ["C9", "killing_A1"]),
    "range outside the movie": (
        "parameters_x.yml",
        "ingest: {image_range: {t: [0, 9999, 1]}}",
        [],
        ["9999", "image_range"],
    ),
    "parallel runner": (None, "", ["--runner", "ParallelRunner"], ["ParallelRunner"]),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_before_the_first_node(project, case):
    name, text, words, expected = CASES[case]
    if name:
        project.configure(name, text)
    done = project.kedro("run", *words)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for part in expected:
        assert part in said, f"'{part}' is not in:\n{said[-3000:]}"
    scratch = project.folder / "data" / "02_intermediate"
    stores = list(scratch.rglob("labels.zarr")) if scratch.exists() else []
    assert stores == []


def test_duplicate_movie_ids(project):
    sheet = project.folder / "data" / "01_raw" / "example" / "experiment.csv"
    sheet.chmod(0o644)
    lines = sheet.read_text().splitlines()
    sheet.write_text("\n".join([*lines, lines[1]]) + "\n")
    done = project.kedro("run")
    assert done.returncode != 0
    assert "Duplicate movie ids: killing_A1" in done.stdout + done.stderr
