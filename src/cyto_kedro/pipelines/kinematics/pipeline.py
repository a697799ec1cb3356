"""The kinematics pipeline: motion of every role, and around the contacts of pairs."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.kinematics.nodes import (
    measure_contact_motion,
    measure_motion,
    measure_persistence,
)

_OPTIONS = "params:kinematics"


def create_pipeline(layout: Layout) -> Pipeline:
    """`{role}.kinematics` and `{role}.persistence` of every role, then
    `{effector}_{target}.contact_motion` of every pair.
    """
    parts = [_of_role(role) for role in layout.roles]
    parts += [_of_pair(effector, target) for effector, target in layout.pairs]
    return sum(parts, Pipeline([]))


def _of_role(role: str) -> Pipeline:
    seen = ["tracks", "calibration", _OPTIONS]
    nodes = [
        Node(
            measure_motion,
            seen,
            ["kinematics", "track_summary", "msd"],
            name="kinematics",
        ),
        Node(
            measure_persistence,
            [*seen, "msd"],
            ["persistence", "motion_fit"],
            name="persistence",
        ),
    ]
    return Pipeline(
        nodes, namespace=role, inputs={"calibration"}, parameters={_OPTIONS}
    )


def _of_pair(effector: str, target: str) -> Pipeline:
    measure = partial(measure_contact_motion, effector=effector, target=target)
    node = Node(
        update_wrapper(measure, measure_contact_motion),
        ["tracks", "contact_episodes", "calibration", _OPTIONS],
        "contact_motion",
        name="contact_motion",
    )
    return Pipeline(
        [node],
        namespace=f"{effector}_{target}",
        inputs={"tracks": f"{effector}.tracks", "calibration": "calibration"},
        parameters={_OPTIONS: _OPTIONS},
    )
