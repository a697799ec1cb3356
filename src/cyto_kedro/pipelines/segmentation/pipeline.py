"""The segmentation pipeline: `segment` or `import_masks` per role."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout, Role
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.pipelines.segmentation.nodes import import_masks, segment


def create_pipeline(layout: Layout) -> Pipeline:
    """Masks of every role: found in its image, or taken as they are."""
    roles = (
        _segmented(name, role) if role.masks is None else _imported(name)
        for name, role in layout.roles.items()
    )
    return sum(roles, Pipeline([]))


def _segmented(name: str, role: Role) -> Pipeline:
    single = len(role.channels) == 1
    image = f"{role.channels[0]}.image" if single else f"{name}.merged"
    node = Node(
        segment,
        ["image", "calibration", "params:segmentation"],
        "labels",
        name="segment",
        tags=FRAME_WISE,
    )
    return Pipeline(
        [node],
        namespace=name,
        inputs={"image": image, "calibration": "calibration"},
        parameters={"params:segmentation": f"params:segmentation.{name}"},
    )


def _imported(name: str) -> Pipeline:
    node = Node(
        import_masks,
        ["ready_masks", "calibration", "drift", "deformation"],
        "labels",
        name="import_masks",
        tags=FRAME_WISE,
    )
    return Pipeline(
        [node], namespace=name, inputs={"calibration", "drift", "deformation"}
    )
