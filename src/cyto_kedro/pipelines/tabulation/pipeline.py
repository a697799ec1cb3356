"""The tabulation pipeline: one `<role>.tabulate` node per role."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.tabulation.nodes import tabulate


def create_pipeline(layout: Layout) -> Pipeline:
    """Labels of each role and images of all channels -> detections, frame counts."""
    return sum((_of_role(layout, role) for role in layout.roles), Pipeline([]))


def _of_role(layout: Layout, role: str) -> Pipeline:
    channels = tuple(layout.channels)
    named = partial(
        tabulate,
        role=role,
        own_channel=layout.roles[role].channels[0],
        channels=channels,
    )
    images = {f"image_{channel}": f"{channel}.image" for channel in channels}
    node = Node(
        update_wrapper(named, tabulate),
        ["labels", "calibration", "drift", "params:tabulation", *images],
        ["detections", "frame_counts"],
        name="tabulate",
    )
    return Pipeline(
        [node],
        namespace=role,
        inputs={"calibration": "calibration", "drift": "drift", **images},
        parameters={"params:tabulation": "params:tabulation"},
    )
