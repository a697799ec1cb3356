"""The preprocessing pipeline: drift once, then one namespace per channel."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.pipelines.preprocessing.nodes import (
    estimate_drift,
    measure_intensity_range,
    measure_residual_motion,
    merge_channels,
    preprocess,
)


def create_pipeline(layout: Layout) -> Pipeline:
    """Raw channels and calibration -> drift, what it leaves, images, merged images."""
    parts = [_registration(layout)]
    parts += [_of_channel(channel) for channel in layout.channels]
    parts += [
        _merged(role, spec.channels)
        for role, spec in layout.roles.items()
        if len(spec.channels) > 1
    ]
    return sum(parts, Pipeline([]))


def driving_channel(layout: Layout) -> str:
    """First channel of the first target role: targets adhere, effectors crawl."""
    role = (*layout.targets, *layout.roles)[0]
    return layout.roles[role].channels[0]


def _registration(layout: Layout) -> Pipeline:
    driver = driving_channel(layout)
    ordered = [driver, *(name for name in layout.channels if name != driver)]
    raws = {f"raw_{channel}": f"{channel}.raw" for channel in ordered}
    estimate = Node(
        estimate_drift,
        ["calibration", "params:registration", *raws],
        ["drift", "deformation"],
        name="estimate_drift",
    )
    groups = ["params:registration", "params:residual_motion"]
    residual = Node(
        measure_residual_motion,
        ["calibration", "drift", "deformation", *groups, *raws],
        "residual_motion",
        name="measure_residual_motion",
    )
    return Pipeline(
        [estimate, residual],
        namespace="preprocessing",
        inputs={"calibration": "calibration", **raws},
        outputs={"drift", "deformation", "residual_motion"},
        parameters={
            group: group.replace("params:", "params:preprocessing.") for group in groups
        },
    )


def _of_channel(channel: str) -> Pipeline:
    moves = ("calibration", "drift", "deformation")
    measure = Node(
        measure_intensity_range,
        ["raw", *moves, "params:channel"],
        "intensity_range",
        name="measure_intensity_range",
    )
    image = Node(
        preprocess,
        ["raw", *moves, "intensity_range", "params:channel"],
        "image",
        name="preprocess",
        tags=FRAME_WISE,
    )
    return Pipeline(
        [measure, image],
        namespace=channel,
        inputs=set(moves),
        parameters={"params:channel": f"params:preprocessing.channels.{channel}"},
    )


def _merged(role: str, channels: tuple[str, ...]) -> Pipeline:
    named = partial(merge_channels, channels=channels)
    images = {f"image_{channel}": f"{channel}.image" for channel in channels}
    node = Node(
        update_wrapper(named, merge_channels),
        ["params:merge", *images],
        "merged",
        name="merge",
        tags=FRAME_WISE,
    )
    return Pipeline(
        [node],
        namespace=role,
        inputs=images,
        parameters={"params:merge": f"params:preprocessing.merge.{role}"},
    )
