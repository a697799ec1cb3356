"""Execution profiles: which container a node gets, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.containers import Container
from cyto_kedro.runners.profiles import ExecutionConfig, Profile
from project import REPOSITORY, Project

BASE = REPOSITORY / "conf/base/execution.yml"


def profile_of(**images: str) -> Profile:
    nodes = {k: {"engine": "docker", "image": v} for k, v in images.items()}
    return ExecutionConfig.read({"profiles": {"p": nodes}}).profile("p")


def image_of(profile: Profile, *node: Any) -> str | None:
    container = profile.container_for(*node)
    return container.image if container else None


NODE = ("tcell.segment", {"gpu", "frame_wise"}, "tcell")


@pytest.mark.parametrize(
    "wins",
    ["tcell.segment", "*.segment", "tag:gpu", "namespace:tcell", "default"],
)
def test_most_exact_selector_wins(wins: str) -> None:
    order = ["tcell.segment", "*.segment", "tag:gpu", "namespace:tcell", "default"]
    weaker = order[order.index(wins) :]
    assert image_of(profile_of(**{s: s for s in reversed(weaker)}), *NODE) == wins


def test_selectors_of_other_nodes_do_not_count() -> None:
    others = profile_of(
        **dict.fromkeys(("cancer.segment", "*.track", "tag:cpu", "namespace:t"), "x")
    )
    assert image_of(others, *NODE) is None


def test_a_nested_namespace_is_within_the_outer_one() -> None:
    assert image_of(profile_of(**{"namespace:a": "x"}), "a.b.n", (), "a.b") == "x"
    assert image_of(profile_of(**{"namespace:b": "x"}), "a.b.n", (), "a.b") is None


def test_a_tie_is_an_error_that_names_both() -> None:
    tied = profile_of(**{"*.segment": "x", "tcell.*": "y", "default": "z"})
    with pytest.raises(ConfigError) as caught:
        tied.container_for(*NODE)
    for word in ("*.segment", "tcell.*", "tcell.segment"):
        assert word in str(caught.value)
    solved = profile_of(**{"*.segment": "x", "tcell.*": "y", "tcell.segment": "z"})
    assert image_of(solved, *NODE) == "z"


def test_an_empty_image_is_bare_metal() -> None:
    config = {"profiles": {"p": {"default": {"engine": "apptainer", "image": ""}}}}
    assert ExecutionConfig.read(config).profile("p").container_for(*NODE) is None


def test_an_unknown_profile_names_the_nearest() -> None:
    config = ExecutionConfig.read(yaml.safe_load(BASE.read_text()))
    with pytest.raises(ConfigError, match="did you mean 'cluster'"):
        config.profile("clutser")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"engin": "docker"}, "did you mean 'engine'"),
        ({"engine": "dokcer"}, "'docker'"),
        ({"engine": "docker", "image": "x", "gpu": -1}, "gpu"),
        ({"engine": "docker", "image": "x", "gpu": True}, "gpu"),
        ({"image": "x"}, "needs an engine"),
        ({"engine": "apptainer", "image": "docker://x"}, "fetched at run time"),
        ({"engine": "docker", "image": "x", "binds": ["data"]}, "absolute"),
        ({"engine": "docker", "image": "x", "binds": ["/a:/b:rx"]}, "source:target"),
        ({"engine": "docker", "image": "x", "resources": {"mem": "lots"}}, "mem"),
    ],
)
def test_wrong_entries_are_told_with_their_place(entry: dict, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ExecutionConfig.read({"profiles": {"hybrid": {"*.segment": entry}}})
    assert said in str(caught.value)
    assert "profiles.hybrid.*.segment" in str(caught.value)


def test_gpu_null_is_auto() -> None:
    assert Container(engine="docker", image="x", gpu=None).gpu == "auto"  # type: ignore


def test_shipped_profiles_do_what_their_names_say() -> None:
    config = ExecutionConfig.read(yaml.safe_load(BASE.read_text()))
    track = ("tcell.track", (), "tcell")

    def engines(name: str | None) -> tuple[str, str]:
        found = [config.profile(name).container_for(*n) for n in (NODE, track)]
        segment, other = (c.engine if c else "bare" for c in found)
        return segment, other

    assert engines(None) == ("bare", "bare")
    assert engines("hybrid") == ("docker", "bare")
    assert engines("container") == ("docker", "docker")
    assert engines("cluster") == ("apptainer", "apptainer")
    assert engines("cloud") == ("kubernetes", "kubernetes")


def test_a_site_overrides_single_keys(tmp_path: Path) -> None:
    """As Kedro loads it: conf/local names an image, the rest of the entry stays."""
    from cyto_kedro.config import CytoConfigLoader
    from cyto_kedro.settings import CONFIG_LOADER_ARGS

    project = Project.create(tmp_path / "p")
    text = 'profiles: {cluster: {"*.segment": {image: /site/x.sif}}}'
    project.configure("execution.yml", text)
    loader = CytoConfigLoader(str(project.folder / "conf"), **CONFIG_LOADER_ARGS)
    cluster = ExecutionConfig.read(loader["execution"]).profile("cluster")
    segment = cluster.container_for(*NODE)
    assert segment is not None
    assert (segment.engine, segment.image) == ("apptainer", "/site/x.sif")
    other = cluster.container_for("tcell.track", (), "tcell")
    assert other is not None
    assert other.image == "containers/images/cyto-cpu.sif"


def test_the_site_example_picks_images_by_default() -> None:
    from cyto_kedro.config import CytoConfigLoader
    from cyto_kedro.settings import CONFIG_LOADER_ARGS

    loader = CytoConfigLoader(
        str(REPOSITORY / "conf"), env="bmrc", **CONFIG_LOADER_ARGS
    )
    container = ExecutionConfig.read(loader["execution"]).profile()
    assert container.name == "cluster"
    assert image_of(container, *NODE) == "containers/images/cyto-gpu.sif"
