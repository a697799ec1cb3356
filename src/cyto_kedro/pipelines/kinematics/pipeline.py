"""The kinematics pipeline: one node per role."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.kinematics.nodes import measure_motion


def create_pipeline(layout: Layout) -> Pipeline:
    """`{role}.kinematics` for every role of the layout."""
    return sum((_of_role(role) for role in layout.roles), Pipeline([]))


def _of_role(role: str) -> Pipeline:
    node = Node(
        measure_motion,
        ["tracks", "calibration", "params:kinematics"],
        ["kinematics", "track_summary", "msd"],
        name="kinematics",
    )
    return Pipeline(
        [node],
        namespace=role,
        inputs={"calibration"},
        parameters={"params:kinematics"},
    )
