"""The report names every key of every golden file, and refuses misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import read_pipeline, sibling_resources
from cyto_kedro.legacy.modules import MODULES
from cyto_kedro.legacy.translate import translate
from golden_pycyto import FOLDER, NAMES, translated

CELLS = {"name": "CellPose", "channels": ["TCell"], "args": {}}


def keys_of(document: dict[str, Any]) -> Iterator[str]:
    """Every key that a person wrote, as the report spells it."""
    for name, value in document.items():
        if name == "pipeline":
            for stage, items in value.items():
                if stage == "label_to_sparse":
                    yield from (f"pipeline.{stage}", f"pipeline.{stage} output")
                    continue
                for number, item in enumerate(items):
                    place = f"pipeline.{stage}[{number}] {item['name']}"
                    yield from part_keys(place, item, "args")
        elif name == "tasks":
            for task, values in value.items():
                module = values["module"].rpartition(".")[2]
                yield from part_keys(f"tasks.{task} {module}", values, "params")
        elif name in ("channels", "image_range", "contacts"):
            yield from (f"{name}.{key}" for key in value)
        else:
            yield name


def part_keys(place: str, part: dict[str, Any], word: str) -> Iterator[str]:
    yield place
    for key, value in part.items():
        if key == word and value:
            yield from (f"{place} {word}.{name}" for name in value)
        elif key not in ("name", "module"):
            yield f"{place} {key}"


def resource_keys(document: dict[str, Any]) -> Iterator[str]:
    for profile, tasks in document["execution_configs"].items():
        for task, values in tasks.items():
            place = f"execution_configs.{profile}.{task}"
            for key, value in values.items():
                if key == "resources":
                    yield from (f"{place}.{key}.{name}" for name in value)
                else:
                    yield f"{place}.{key}"
    if "default_profile" in document:
        yield "default_profile"


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_accounted_for(name: str) -> None:
    told = {row.key for row in translated(name).report.rows}
    document = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    wanted = set(keys_of(document))
    beside = sibling_resources(FOLDER / name)
    if beside is not None:
        wanted |= set(resource_keys(yaml.safe_load(beside.read_text("utf-8"))))
    # A task that the pipeline does not have is told as a whole.
    unknown = {key for key in told if key.count(".") == 2 and "execution" in key}
    missing = wanted - told
    assert {k for k in missing if not k.startswith(tuple(unknown) or "-")} == set()


def of(values: dict[str, Any], folder: Path) -> Any:
    path = folder / "pipeline.x.yaml"
    head = {"channels": {"TCell": "t.tif"}, "spacing": 1.0}
    path.write_text(yaml.safe_dump(head | values, sort_keys=False), encoding="utf-8")
    return translate(read_pipeline(path), name="x", base=folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pipeline": {"segmentaton": [CELLS]}}, "did you mean 'segmentation'"),
        ({"pipeline": {"analysis": [CELLS]}}, "There is no stage 'analysis'"),
        ({"pipeline": {}, "ouput_dir": "o"}, "did you mean 'output_dir'"),
        (
            {"pipeline": {"segmentation": [CELLS | {"chanels": ["TCell"]}]}},
            "did you mean 'channels'",
        ),
        (
            {"tasks": {"tcell": {"module": "CellPose", "depends": [], "tag": "a"}}},
            "did you mean 'tags'",
        ),
    ],
)
def test_misspelt_keys_are_refused(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        of(values, tmp_path)


def test_keys_that_pycyto_does_not_define_are_told(tmp_path: Path) -> None:
    item = CELLS | {"comment": "by Jane"}
    found = of({"pipeline": {"segmentation": [item]}, "owner": "Jane"}, tmp_path)
    ignored = {row.key for row in found.report.of("ignored")}
    assert {"owner", "pipeline.segmentation[0] CellPose comment"} <= ignored


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_known_by_their_dotted_names(name: str, tmp_path: Path) -> None:
    from cyto_kedro.legacy.plan import known_module

    module = MODULES[name]
    for path in (name, module.path, *module.also):
        assert known_module(path, "x") == name
    if not module.anywhere:
        with pytest.raises(ConfigError, match=re.escape(f"'{module.path}'")):
            known_module(f"cyto.{module.stage}.elsewhere.{name}", "x")
