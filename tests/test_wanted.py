"""A run is not begun for what the project does not have."""

from __future__ import annotations

import pytest
from kedro.pipeline import Node, Pipeline

from cyto_kedro.cli.run import check_runner
from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.wanted import check_filters, check_pipelines
from project import Project

PIPELINE = Pipeline(
    [Node(lambda image: image, "image", "labels", name="segment", tags="cellpose")],
    namespace="tcell",
)


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"node_names": ["tcell.segmnt"]}, "node 'tcell.segmnt'.*'tcell.segment'"),
        ({"to_nodes": ["segment"]}, "There is no node 'segment'"),
        ({"from_inputs": ["tcell.imag"]}, "dataset.*'tcell.image'"),
        ({"tags": ("celpose",)}, "tag.*'cellpose'"),
        ({"namespaces": ["tcel"]}, "namespace.*'tcell'"),
    ],
)
def test_a_mistyped_filter_is_met_with_the_nearest(filters, told) -> None:
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        check_filters(PIPELINE, filters)


def test_what_there_is_passes() -> None:
    check_filters(
        PIPELINE,
        {
            "node_names": ["tcell.segment"],
            "to_outputs": ["tcell.labels"],
            "tags": ("cellpose",),
            "namespaces": ["tcell"],
            "from_nodes": None,
            "load_versions": {"x": "y"},
        },
    )
    check_pipelines(["__default__", "benchmark"], ["__default__", "benchmark"])


def test_a_mistyped_pipeline_is_met_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'benchmark'"):
        check_pipelines(["benchmrk"], ["__default__", "benchmark", "contacts"])


@pytest.mark.parametrize("name", ["cyto_kedro.runners.SlurmRuner", "cyto.SlurmRunner"])
def test_a_mistyped_runner_is_met_with_the_nearest(name) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'cyto_kedro\.runners\.SlurmR"):
        check_runner(name)


def test_runners_that_exist_pass() -> None:
    for name in (None, "SequentialRunner", "cyto_kedro.runners.SlurmRunner"):
        check_runner(name)


def test_a_mistyped_environment_is_not_taken_for_an_empty_one(tmp_path) -> None:
    project = Project.create(tmp_path)
    words = {"base_env": "base", "default_run_env": "local"}
    with pytest.raises(ConfigError, match="did you mean 'bmrc'"):
        CytoConfigLoader(str(project.folder / "conf"), env="bmcr", **words)
    CytoConfigLoader(str(project.folder / "conf"), env="bmrc", **words)
    # The environment of one's own site: git does not keep its empty folder.
    (project.folder / "conf" / "local").rmdir()
    with pytest.raises(ConfigError, match=r"mkdir .*local"):
        CytoConfigLoader(str(project.folder / "conf"), **words)


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path) -> None:
    project = Project.create(tmp_path)
    done = project.kedro("run", "--pipelines=benchmrk")
    assert done.returncode == 1
    assert "did you mean 'benchmark'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (project.folder / "data").exists()
