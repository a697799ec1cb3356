"""The networks pipeline: graphs over all roles and pairs, densities of each role."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.networks.nodes import build_networks, map_density

_OPTIONS = "params:networks"


def create_pipeline(layout: Layout) -> Pipeline:
    """`networks.build`: all roles' cells and all pairs' contacts to one graph, and
    `{role}.density_map` of every role.
    """
    inputs = {"calibration": "calibration", "options": _OPTIONS}
    inputs |= {f"tracks:{role}": f"{role}.tracks" for role in layout.roles}
    inputs |= {f"contacts:{a}_{b}": f"{a}_{b}.contacts" for a, b in layout.pairs}
    outputs = ["network", "network_metrics", "network_mixing"]
    node = Node(build_networks, inputs, outputs, name="build")
    whole = Pipeline([node], namespace="networks", prefix_datasets_with_namespace=False)
    return sum((_of_role(role) for role in layout.roles), whole)


def _of_role(role: str) -> Pipeline:
    inputs = ["tracks", "calibration", _OPTIONS]
    node = Node(map_density, inputs, "density_map", name="density_map")
    return Pipeline(
        [node], namespace=role, inputs={"calibration"}, parameters={_OPTIONS}
    )
