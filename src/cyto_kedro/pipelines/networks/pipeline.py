"""The networks pipeline: one node over all roles and pairs."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.networks.nodes import build_networks


def create_pipeline(layout: Layout) -> Pipeline:
    """`networks.build`: all roles' cells and all pairs' contacts to one graph."""
    inputs = {"calibration": "calibration", "options": "params:networks"}
    inputs |= {f"tracks:{role}": f"{role}.tracks" for role in layout.roles}
    inputs |= {f"contacts:{a}_{b}": f"{a}_{b}.contacts" for a, b in layout.pairs}
    node = Node(build_networks, inputs, ["network", "network_metrics"], name="build")
    return Pipeline([node], namespace="networks", prefix_datasets_with_namespace=False)
