"""The configuration loader: tokens, roots, merged parameters, retired names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cyto_kedro.config import CytoConfigLoader, workflow_name
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.scope import Scope
from cyto_kedro.settings import CONFIG_LOADER_ARGS
from project import REPOSITORY, Project

OTHER_DYE = """
channels: {gfp: {files: g.tif}, rfp: {files: r.tif}, pi: {files: p.tif}}
roles:
  tcell: {kind: effector, channels: [gfp]}
  cancer: {kind: target, channels: [rfp]}
markers: {death: {channel: pi, kind: death}}
"""


@pytest.fixture
def project(tmp_path):
    return Project.create(tmp_path / "p")


def loader(project, **more):
    return CytoConfigLoader(str(project.folder / "conf"), **CONFIG_LOADER_ARGS, **more)


def test_roots_start_at_the_project_wherever_the_command_runs(project, monkeypatch):
    monkeypatch.chdir("/")
    made = loader(project)
    assert made.layout.scratch_root == project.folder / "data" / "02_intermediate"
    assert made["catalog"]["drift"]["filepath"].startswith(str(project.folder))


def test_catalog_paths_follow_the_scope(project):
    made = loader(project)
    made.scope = Scope("main", "20260101T000000Z", dataset="plate1", movie="A1")
    catalog = made["catalog"]
    assert catalog["drift"]["filepath"].endswith("plate1/A1/main/drift.parquet")
    output = catalog["survival"]["filepath"]
    assert output.endswith("main/run_20260101T000000Z/survival.parquet")
    assert catalog["{channel}.raw"]["layout"]["dataset"] == "example"


def test_an_option_of_the_local_environment_keeps_the_others(project):
    project.configure(
        "parameters_x.yml", "segmentation: {cancer: {method: {diameter_um: 33}}}"
    )
    method = loader(project)["parameters"]["segmentation"]["cancer"]["method"]
    assert method["diameter_um"] == 33
    assert method["name"] == "classical" and "significance" in method


def test_another_method_replaces_the_options_of_the_old_one(project):
    project.configure(
        "parameters_x.yml",
        "segmentation: {cancer: {method: {name: otsu_watershed}}}",
    )
    cancer = loader(project)["parameters"]["segmentation"]["cancer"]
    assert cancer["method"] == {"name": "otsu_watershed"}
    assert cancer["min_area_um2"] == 60


def test_only_entries_of_retired_roles_and_channels_are_dropped(project):
    project.configure("globals.yml", OTHER_DYE)
    found = loader(project)["parameters"]
    assert set(found["preprocessing"]["channels"]) == set()
    assert set(found["segmentation"]) == {"tcell", "cancer"}
    # A group that happens to be called like a retired channel stays.
    assert found["killing"]["death"]


def test_a_role_with_ready_masks_needs_no_segmentation(project):
    project.configure(
        "globals.yml",
        "roles: {cancer: {kind: target, channels: [cancer], masks: m.tif}}",
    )
    # The whole category goes: no node would read it.
    assert "segmentation" not in loader(project)["parameters"]


def test_the_example_of_the_documentation_is_a_layout(project):
    text = (REPOSITORY / "docs" / "configuration.md").read_text("utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    project.configure("globals.yml", block[1])
    layout = loader(project).layout
    assert layout.pairs == (("tcell", "cancer"),)
    assert layout.marker_channel("death") == "pi"


@pytest.mark.parametrize("env", ["nuclei_timelapse", "two_channel_intravital"])
def test_shipped_environments_are_complete(env):
    made = CytoConfigLoader(str(REPOSITORY / "conf"), env=env, **CONFIG_LOADER_ARGS)
    parameters = made["parameters"]
    assert set(parameters["segmentation"]) == set(made.layout.roles)
    assert set(parameters["tracking"]) == set(made.layout.roles)
    assert set(parameters["preprocessing"]["channels"]) == set(made.layout.channels)
    assert made.experiment.movies


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("channels: {a b: {files: x}}", "letters, digits"),
        ("roles: {results: {kind: target, channels: [cancer]}}", "name is taken"),
        (
            "markers: {a: {channel: death, kind: death}, b: {channel: tcell, "
            "kind: death}}",
            "only one marker",
        ),
        ("frame_interval_min: 0", "greater than 0"),
    ],
)
def test_wrong_globals_say_where(project, text, message):
    project.configure("globals.yml", text)
    with pytest.raises(ConfigError, match=message):
        loader(project)


def test_movies_are_chosen_by_id(project):
    sheet = Path(project.folder / "sheet.csv")
    sheet.write_text("movie\nA1\nB1\n7\n")
    project.configure("globals.yml", yaml.safe_dump({"sheet": str(sheet)}))
    for wanted, ids in (("A1;7", ["A1", "7"]), (7, ["7"]), (None, ["A1", "B1", "7"])):
        made = loader(project, runtime_params={"movies": wanted} if wanted else {})
        assert [movie.id for movie in made.movies()] == ids


def test_workflows_are_named_after_their_pipelines():
    assert workflow_name(None) == workflow_name(["__default__"]) == "cytotoxicity"
    assert workflow_name(["tracking", "contacts"]) == "contacts+tracking"
