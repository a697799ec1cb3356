"""The report names every key of every golden file, and refuses misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import (
    read_pipeline,
    read_resources,
    sibling_resources,
)
from cyto_kedro.legacy.modules import MODULES
from cyto_kedro.legacy.translate import translate
from cyto_kedro.runners.profiles import ExecutionConfig
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


def test_masks_are_only_what_a_table_takes_as_masks(tmp_path: Path) -> None:
    stages = {
        "segmentation": [{"name": "ImageToLabel", "channels": "all", "args": None}],
        "label_to_sparse": {"image_label_pair": [["PI", "Cancer"]], "output": True},
    }
    channels = {"PI": "pi.tif", "Cancer": "masks.tif"}
    found = of({"channels": channels, "pipeline": stages}, tmp_path)
    assert set(found.layout["roles"]) == {"Cancer"}
    assert set(found.layout["channels"]) == {"PI"}
    told = {row.key: row.note for row in found.report.of("changed")}
    assert told["pipeline.segmentation[0] ImageToLabel channels"].startswith("not PI")


def test_a_table_needs_masks(tmp_path: Path) -> None:
    table = {"image_label_pair": [["TCell", "TCell"]], "output": True}
    with pytest.raises(ConfigError, match="nothing segments it"):
        of({"pipeline": {"label_to_sparse": table}}, tmp_path)


def test_tables_pass_their_filters_on(tmp_path: Path) -> None:
    filters = [
        {
            "name": "FeatureFilter",
            "channels": [source],
            "args": {"column": column, "operation": sign, "value": value},
            "output_channel_name": [out],
            "output": True,
        }
        for source, out, column, sign, value in (
            ("TCell", "Large", "size", ">", 50),
            ("Large", "LargeRound", "roundness", ">=", 0.8),
            ("TCell", "Late", "frame", ">", 3),
        )
    ]
    kde = {"name": "KernelDensityEstimation", "channels": ["Large"], "args": {}}
    stages = {"segmentation": [CELLS], "postprocessing": [*filters, kde]}
    found = of({"pipeline": stages, "output_dir": "o"}, tmp_path)
    shown = {a.path.split("/")[-1]: a.table for a in found.artefacts if a.table}
    assert shown["LargeRound.csv"].conditions == (
        ("area_px", ">", 50.0),
        ("roundness", ">=", 0.8),
    )
    assert shown["Late.csv"].conditions == (("frame", ">", 3.0),)
    notes = [row.note for row in found.report.of("changed")]
    assert any("not only those that pass" in note for note in notes)


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("8Gi", "8Gi"),
        ("32G", "32G"),
        ("32GB", "32G"),
        ("512Mi", "512Mi"),
        ("16 gb", "16G"),
    ],
)
def test_forms_of_memory(tmp_path: Path, written: str, ours: str) -> None:
    task = {"type": "container", "runner": "docker", "image": "x:1"}
    tasks = {"tcell": task | {"resources": {"memory": written}}}
    values = {"execution_configs": {"hybrid": tasks}}
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    document = {"tasks": {"tcell": {"module": "CellPose"}}, "spacing": 1.0}
    file = tmp_path / "p.yaml"
    head = {"channels": {"TCell": "t.tif"}}
    file.write_text(yaml.safe_dump(head | document), encoding="utf-8")
    found = translate(
        read_pipeline(file), name="x", base=tmp_path, resources=read_resources(path)
    )
    entry = found.execution["profiles"]["hybrid"]["TCell.segment"]
    assert entry["resources"] == {"mem": ours}
    ExecutionConfig.read(found.execution)
