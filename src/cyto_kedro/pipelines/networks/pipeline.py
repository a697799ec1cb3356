"""The networks pipeline: graphs over all roles and pairs, densities of each role."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.networks.nodes import (
    build_networks,
    map_density,
    measure_mixing,
)

_OPTIONS = "params:networks"


def create_pipeline(layout: Layout) -> Pipeline:
    """`networks.build`: all roles' cells and all pairs' contacts to one graph;
    `networks.mixing` with two roles or more; `{role}.density_map` of every role.
    """
    seen = {"calibration": "calibration", "options": _OPTIONS}
    tracks = {f"tracks:{role}": f"{role}.tracks" for role in layout.roles}
    contacts = {f"contacts:{a}_{b}": f"{a}_{b}.contacts" for a, b in layout.pairs}
    nodes = [
        Node(
            build_networks,
            seen | tracks | contacts,
            ["network", "network_metrics"],
            name="build",
        )
    ]
    if len(layout.roles) > 1:
        nodes.append(
            Node(measure_mixing, seen | tracks, "network_mixing", name="mixing")
        )
    whole = Pipeline(nodes, namespace="networks", prefix_datasets_with_namespace=False)
    return sum((_of_role(role) for role in layout.roles), whole)


def _of_role(role: str) -> Pipeline:
    inputs = ["tracks", "calibration", _OPTIONS]
    node = Node(map_density, inputs, "density_map", name="density_map")
    return Pipeline(
        [node], namespace=role, inputs={"calibration"}, parameters={_OPTIONS}
    )
