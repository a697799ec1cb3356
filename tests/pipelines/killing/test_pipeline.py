"""The graph follows the layout, and its parameters are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.contacts.params import ContactsParams
from cyto_kedro.pipelines.killing import create_pipeline
from cyto_kedro.pipelines.killing.params import KillingParams

ROOT = Path(__file__).parents[3]


def _layout(roles: dict[str, str], death: bool = True) -> Layout:
    channels = {name: {"files": name} for name in (*roles, "dye")}
    marker = {"dye": {"channel": "dye", "kind": "death"}} if death else {}
    return Layout(
        data_root="raw",
        scratch_root="scratch",
        output_root="out",
        dataset="x",
        sheet="sheet.csv",
        channels=channels,
        roles={r: {"kind": kind, "channels": [r]} for r, kind in roles.items()},
        markers=marker,
    )


def test_every_target_has_its_nodes_and_the_experiment_has_one():
    roles = {"nk": "effector", "tcell": "effector", "a": "target", "b": "target"}
    nodes = {node.name: node for node in create_pipeline(_layout(roles)).nodes}
    assert set(nodes) == {
        "a.viability",
        "a.attribute",
        "a.chance",
        "a.sensitivity",
        "a.density",
        "b.viability",
        "b.attribute",
        "b.chance",
        "b.sensitivity",
        "b.density",
        "nk.viability",
        "tcell.viability",
        "experiment.survival",
        "experiment.lysis",
        "experiment.rates",
        "experiment.compare",
        "experiment.control_threshold",
    }
    for role in ("a", "nk"):
        outputs = [f"{role}.viability", f"{role}.deaths@movie"]
        assert nodes[f"{role}.viability"].outputs == [
            *outputs,
            f"{role}.death_evidence",
        ]
    assert nodes["b.attribute"].inputs == [
        "b.deaths@movie",
        "calibration",
        "params:killing",
        "b.tracks",
        "nk_b.contacts",
        "tcell_b.contacts",
        "nk.tracks",
        "tcell.tracks",
    ]
    joint = nodes["experiment.survival"]
    assert joint.inputs == [
        "conditions",
        "params:killing",
        "a.deaths@all",
        "b.deaths@all",
    ]
    assert joint.outputs == ["survival", "comparison"]
    assert nodes["a.attribute"].outputs[1] == "a.killers@movie"
    joint = nodes["experiment.compare"]
    assert joint.outputs == ["superplot", "comparisons", "et_dependence"]
    assert joint.inputs == nodes["experiment.rates"].inputs
    roles = ("a.deaths", "b.deaths", "nk.deaths", "tcell.deaths")
    tables = [*roles, "a.killers", "b.killers"]
    assert joint.inputs[2:] == [f"{table}@all" for table in tables]
    once = {n for n in nodes if EXPERIMENT in nodes[n].tags}
    assert once == {n for n in nodes if n.startswith("experiment.")}


@pytest.mark.parametrize(
    ("roles", "death"),
    [({"a": "target"}, False), ({"tcell": "effector"}, True)],
)
def test_without_targets_or_death_marker_there_is_nothing_to_do(roles, death):
    assert not create_pipeline(_layout(roles, death)).nodes


def test_targets_without_effectors_are_watched_but_nobody_is_blamed():
    nodes = create_pipeline(_layout({"a": "target"})).nodes
    assert {node.name for node in nodes} == {
        "a.viability",
        "experiment.survival",
        "experiment.lysis",
        "experiment.compare",
        "experiment.control_threshold",
    }


def test_kedro_sees_the_type_of_the_parameters():
    pipeline = create_pipeline(_layout({"t": "effector", "a": "target"}))
    found = [
        TypeExtractor({"killing": pipeline})._extract_types_from_node(node)
        for node in pipeline.nodes
    ]
    contacts = {"contacts": ContactsParams}
    for node, types in zip(pipeline.nodes, found, strict=True):
        both = contacts if node.name == "a.sensitivity" else {}
        assert types == {"killing": KillingParams} | both


def test_the_shipped_parameters_are_the_defaults():
    text = (ROOT / "conf/base/parameters_killing.yml").read_text("utf-8")
    assert KillingParams(**yaml.safe_load(text)["killing"]) == KillingParams()
