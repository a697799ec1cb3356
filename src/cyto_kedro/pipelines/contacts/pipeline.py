"""The contacts pipeline: who touches whom, how often, and how far the others are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.contacts.nodes import episodes, measure, nearest, rates


def create_pipeline(layout: Layout) -> Pipeline:
    """`measure`, `episodes`, `rates` of every pair, `nearest` of effectors and targets.

    Pairs are every effector with every target, and roles with themselves where
    `self_contacts` says so; empty without any.
    """
    pairs = (*layout.pairs, *layout.self_pairs)
    parts = (_of_pair(effector, target) for effector, target in pairs)
    return sum(parts, Pipeline([]))


def _of_pair(effector: str, target: str) -> Pipeline:
    labels = ["effector_labels", "target_labels"]
    tracks = ["effector_tracks", "target_tracks"]
    roles = {"effector": effector, "target": target}
    nodes = [
        Node(
            _bound(measure, **roles),
            [*labels, *tracks, "calibration", "params:contacts"],
            "contacts",
            name="measure",
        ),
        Node(
            episodes,
            ["contacts", *tracks, "calibration", "params:contacts"],
            "contact_episodes",
            name="episodes",
        ),
        Node(
            _bound(rates, **roles),
            ["contacts", "contact_episodes", *tracks, "calibration"],
            "contact_rates",
            name="rates",
        ),
    ]
    if effector != target:
        inputs = [*labels, *tracks, "calibration"]
        found = _bound(nearest, **roles)
        nodes.append(Node(found, inputs, "nearest_target", name="nearest"))
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


def _bound(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """``function`` with layout facts bound; Kedro still reads its name and hints."""
    return update_wrapper(partial(function, **fixed), function)
