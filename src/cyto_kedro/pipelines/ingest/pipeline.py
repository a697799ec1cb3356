"""The ingest pipeline: one node per movie."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.ingest.nodes import check_channels


def create_pipeline(layout: Layout) -> Pipeline:
    """`ingest.check_channels`: raw channels to `calibration` and `frame_stats`."""
    return Pipeline(
        [
            Node(
                check_channels,
                ["params:ingest", *(f"{name}.raw" for name in layout.channels)],
                ["calibration", "frame_stats"],
                name="check_channels",
            )
        ],
        namespace="ingest",
        prefix_datasets_with_namespace=False,
    )
