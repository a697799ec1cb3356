"""The networks pipeline: inputs follow the layout, parameters are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.networks import create_pipeline
from cyto_kedro.pipelines.networks.params import NetworksParams

# Kedro warns of every dataset of another namespace, here the roles'.
pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names")

CONF = Path(__file__).parents[3] / "conf" / "base"
LAYOUT = {
    "data_root": "a",
    "scratch_root": "b",
    "output_root": "c",
    "dataset": "d",
    "sheet": "e",
    "channels": {"green": {"files": "g"}, "red": {"files": "r"}},
}
THREE = {
    "tcell": {"kind": "effector", "channels": ["green"]},
    "nk": {"kind": "effector", "channels": ["green"]},
    "cancer": {"kind": "target", "channels": ["red"]},
}


def test_the_shipped_parameters_are_valid_and_are_the_defaults():
    text = (CONF / "parameters_networks.yml").read_text()
    assert NetworksParams(**yaml.safe_load(text)["networks"]) == NetworksParams()


def test_one_typed_node_over_all_roles_and_pairs():
    pipeline = create_pipeline(Layout.model_validate(LAYOUT | {"roles": THREE}))
    (node,) = pipeline.nodes
    assert node.name == "networks.build"
    assert pipeline.outputs() == {"network", "network_metrics"}
    assert pipeline.inputs() == {
        "calibration",
        "params:networks",
        "tcell.tracks",
        "nk.tracks",
        "cancer.tracks",
        "tcell_cancer.contacts",
        "nk_cancer.contacts",
    }
    types = TypeExtractor({"n": pipeline}).extract_types_from_pipelines()
    assert types == {"networks": NetworksParams}


def test_without_pairs_there_are_still_neighbours():
    roles = {"nuclei": {"kind": "other", "channels": ["green"]}}
    pipeline = create_pipeline(Layout.model_validate(LAYOUT | {"roles": roles}))
    assert "nuclei.tracks" in pipeline.inputs()
