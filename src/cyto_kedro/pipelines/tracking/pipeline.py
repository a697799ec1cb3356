"""The tracking pipeline: `<role>.track` for every role."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.tracking.nodes import track


def create_pipeline(layout: Layout) -> Pipeline:
    """One tracking node per role of the layout."""
    return sum((_of_role(role) for role in layout.roles), Pipeline([]))


def _of_role(role: str) -> Pipeline:
    node = Node(
        track,
        inputs=["detections", "calibration", "params:tracking"],
        outputs="tracks",
        name="track",
    )
    return Pipeline(
        [node],
        namespace=role,
        inputs={"calibration"},
        parameters={"params:tracking": f"params:tracking.{role}"},
    )
