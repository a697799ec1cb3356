"""Every parameter group is typed, described, and given in conf/base."""

from __future__ import annotations

import typing

import pytest
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel

from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.params import Params
from cyto_kedro.pipeline_registry import pipelines_of
from cyto_kedro.settings import CONFIG_LOADER_ARGS
from project import REPOSITORY

PREFIX = "params:"
ROOTS = {
    "data_root": "raw",
    "scratch_root": "scratch",
    "output_root": "output",
    "dataset": "mine",
    "sheet": "sheet.csv",
}
CANCER = {"kind": "target", "channels": ["cancer"]}
TCELL = {"kind": "effector", "channels": ["tcell"]}


def layout_of(channels, roles, markers=None):
    files = {name: {"files": f"<movie>/{name}.tif"} for name in channels}
    values = {"channels": files, "roles": roles, "markers": markers or {}}
    return Layout.model_validate(ROOTS | values)


LAYOUTS = {
    "one role": layout_of(["cancer"], {"cancer": CANCER}),
    "a role of two channels": layout_of(
        ["tcell", "cancer", "death"],
        {"tcell": TCELL, "cancer": CANCER | {"channels": ["cancer", "death"]}},
        {"death": {"channel": "death", "kind": "death"}},
    ),
    "ready masks": layout_of(
        ["tcell", "cancer"],
        {"tcell": TCELL | {"masks": "<movie>/masks.tif"}, "cancer": CANCER},
    ),
}


@pytest.fixture
def loader(monkeypatch):
    """The shipped configuration without a site's own."""
    monkeypatch.setattr(CytoConfigLoader, "active", None)
    return CytoConfigLoader(
        str(REPOSITORY / "conf"), **CONFIG_LOADER_ARGS | {"default_run_env": "base"}
    )


def groups_read(pipelines):
    """Names behind `params:` of all nodes; whole `parameters` would be untyped."""
    names = {
        name
        for pipeline in pipelines.values()
        for node in pipeline.nodes
        for name in node.inputs
    }
    assert "parameters" not in names
    return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}


def check_types(layout):
    pipelines = pipelines_of(layout)
    found = TypeExtractor(pipelines).extract_types_from_pipelines()
    names = groups_read(pipelines)
    assert names
    assert names - set(found) == set(), "groups without a type"
    for name in names:
        assert isinstance(found[name], type), name
        assert issubclass(found[name], Params), name
    return {name: found[name] for name in names}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_group_is_typed_in_every_layout(name):
    check_types(LAYOUTS[name])


def test_layouts_differ_in_what_they_ask_for():
    """The layouts above do take the branches they are named for."""
    asked = {name: set(check_types(layout)) for name, layout in LAYOUTS.items()}
    assert "preprocessing.merge.cancer" in asked["a role of two channels"]
    assert "segmentation.tcell" not in asked["ready masks"]
    assert "segmentation.cancer" in asked["ready masks"]
    assert "contacts" not in asked["one role"]


def test_conf_base_gives_every_group_and_each_is_valid(loader):
    parameters = loader["parameters"]
    for name, model in check_types(loader.layout).items():
        value = parameters
        for part in name.split("."):
            value = value[part]
        model.model_validate(value)


def test_no_group_is_wholly_left_to_the_defaults(loader):
    """A key that conf/base does not name cannot be found by a user."""
    parameters = loader["parameters"]
    for name, model in check_types(loader.layout).items():
        value = parameters
        for part in name.split("."):
            value = value[part]
        assert set(value) <= set(model.model_fields), name
        required = {k for k, f in model.model_fields.items() if f.is_required()}
        assert required <= set(value), name


def models_of(hint, seen):
    """Pydantic models within a type hint, at any depth."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        if hint not in seen:
            seen.add(hint)
            for field in hint.model_fields.values():
                models_of(field.annotation, seen)
        return
    for inner in typing.get_args(hint):
        models_of(inner, seen)


def all_models():
    seen = set()
    for layout in LAYOUTS.values():
        for model in check_types(layout).values():
            models_of(model, seen)
    models_of(Layout, seen)
    return sorted(seen, key=lambda model: (model.__module__, model.__name__))


def test_every_field_says_what_it_is():
    models = all_models()
    assert len(models) > 20, "nested methods and steps are looked at as well"
    silent = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        # `name` is the tag that picks a method: its value says it all.
        if not field.description
        and typing.get_origin(field.annotation) is not (typing.Literal)
    ]
    assert silent == []


def test_every_model_refuses_unknown_keys():
    for model in all_models():
        assert issubclass(model, Params), model
        assert model.model_config.get("extra") == "forbid", model
        assert model.model_config.get("allow_inf_nan") is False, model
