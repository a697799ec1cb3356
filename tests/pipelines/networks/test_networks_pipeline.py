"""The networks pipeline: inputs follow the layout, parameters are typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import DENSITY, NETWORK_MIXING
from cyto_kedro.pipelines.networks import create_pipeline
from cyto_kedro.pipelines.networks.nodes import build_networks, map_density
from cyto_kedro.pipelines.networks.params import NetworksParams
from tables import tracks_table

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


def test_typed_nodes_over_all_roles_and_pairs():
    pipeline = create_pipeline(Layout.model_validate(LAYOUT | {"roles": THREE}))
    of_roles = {f"{role}.density_map" for role in THREE}
    assert {node.name for node in pipeline.nodes} == {"networks.build"} | of_roles
    assert pipeline.outputs() == {
        "network",
        "network_metrics",
        "network_mixing",
        *(f"{role}.density_map" for role in THREE),
    }
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


def test_mixing_looks_at_both_graphs_of_all_roles():
    rng = np.random.default_rng(0)
    frame, track = (v.ravel() for v in np.meshgrid(range(2), range(1, 9)))
    tables = {
        f"tracks:{role}": tracks_table(frame, track, *rng.uniform(0, 90, (2, 16)))
        for role in ("tcell", "cancer")
    }
    where = Calibration.regular((2, 100, 100))
    *_, table = build_networks(where, NetworksParams(), **tables)
    NETWORK_MIXING.validate(table)
    assert table.groupby(["graph", "role_a", "role_b"]).size().to_dict() == {
        (kind, *roles): 3  # two frames and the whole movie
        for kind in ("delaunay", "radius")
        for roles in (("tcell", "tcell"), ("tcell", "cancer"), ("cancer", "cancer"))
    }
    del tables["tracks:cancer"]
    assert len(build_networks(where, NetworksParams(), **tables)[2]) == 0
    one = map_density(tables["tracks:tcell"], where, NetworksParams())
    assert DENSITY.validate(one)["window"].nunique() == 2
