"""The tracking pipeline: `<role>.track` and `<role>.audit` for every role."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.tracking.nodes import audit, track

_AUDIT = "params:tracking_audit"


def create_pipeline(layout: Layout) -> Pipeline:
    """Tracks of every role of the layout, and what is suspicious in them."""
    return sum((_of_role(role) for role in layout.roles), Pipeline([]))


def _of_role(role: str) -> Pipeline:
    nodes = [
        Node(
            track,
            inputs=["detections", "labels", "calibration", "params:tracking"],
            outputs="tracks",
            name="track",
        ),
        Node(
            audit,
            inputs=["tracks", "calibration", _AUDIT],
            outputs="suspicious_events",
            name="audit",
        ),
    ]
    return Pipeline(
        nodes,
        namespace=role,
        inputs={"calibration"},
        parameters={"params:tracking": f"params:tracking.{role}", _AUDIT: _AUDIT},
    )
