"""The contacts pipeline: `measure` and `episodes` per effector-target pair."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.contacts.nodes import episodes, measure


def create_pipeline(layout: Layout) -> Pipeline:
    """Contacts and episodes of every pair; empty without effectors or targets."""
    pairs = (_of_pair(effector, target) for effector, target in layout.pairs)
    return sum(pairs, Pipeline([]))


def _of_pair(effector: str, target: str) -> Pipeline:
    named = partial(measure, effector=effector, target=target)
    tracks = ["effector_tracks", "target_tracks"]
    nodes = [
        Node(
            update_wrapper(named, measure),
            [
                "effector_labels",
                "target_labels",
                *tracks,
                "calibration",
                "params:contacts",
            ],
            "contacts",
            name="measure",
        ),
        Node(
            episodes,
            ["contacts", *tracks, "calibration", "params:contacts"],
            "contact_episodes",
            name="episodes",
        ),
    ]
    return Pipeline(
        nodes,
        namespace=f"{effector}_{target}",
        inputs={
            "effector_labels": f"{effector}.labels",
            "target_labels": f"{target}.labels",
            "effector_tracks": f"{effector}.tracks",
            "target_tracks": f"{target}.tracks",
            "calibration": "calibration",
        },
        parameters={"params:contacts": "params:contacts"},
    )
