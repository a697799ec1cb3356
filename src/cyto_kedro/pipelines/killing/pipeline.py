"""The killing pipeline: deaths and their culprits per target role, survival of all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.killing.nodes import (
    attribute_kills,
    compare_movies,
    viability,
)

_OPTIONS = "params:killing"


def create_pipeline(layout: Layout) -> Pipeline:
    """`{target}.viability` and `{target}.attribute` of each movie, then
    `experiment.survival` once; empty without a target role or a death marker.
    """
    channel = layout.marker_channel("death")
    if channel is None or not layout.targets:
        return Pipeline([])
    parts = [_of_target(layout, target, channel) for target in layout.targets]
    return sum(parts, _survival(layout.targets))


def _of_target(layout: Layout, target: str, death_channel: str) -> Pipeline:
    # The cells' own channel stands in for a live marker.
    live_channel = layout.marker_channel("live") or layout.roles[target].channels[0]
    nodes = [
        Node(
            _bound(
                viability,
                role=target,
                death_channel=death_channel,
                live_channel=live_channel,
            ),
            ["tracks", "calibration", _OPTIONS],
            ["viability", "deaths"],
            name="viability",
        )
    ]
    inputs = {"tracks": f"{target}.tracks", "calibration": "calibration"}
    if layout.effectors:
        contacts = {f"contacts_{e}": f"{e}_{target}.contacts" for e in layout.effectors}
        tracks = {f"tracks_{e}": f"{e}.tracks" for e in layout.effectors}
        inputs |= contacts | tracks
        nodes.append(
            Node(
                _bound(attribute_kills, effectors=layout.effectors, target=target),
                ["deaths", "calibration", _OPTIONS, *contacts, *tracks],
                ["attribution", "killers", "attribution_chance", "hit_model"],
                name="attribute",
            )
        )
    return Pipeline(
        nodes,
        namespace=target,
        inputs=inputs,
        outputs={"deaths": f"{target}.deaths@movie"},
        parameters={_OPTIONS: _OPTIONS},
    )


def _survival(targets: tuple[str, ...]) -> Pipeline:
    """The comparison of all movies, which runs once."""
    deaths = {f"deaths_{target}": f"{target}.deaths@all" for target in targets}
    node = Node(
        _bound(compare_movies, targets=targets),
        ["conditions", _OPTIONS, *deaths],
        ["survival", "comparison"],
        name="survival",
        tags=EXPERIMENT,
    )
    names = ("conditions", "survival", "comparison")
    return Pipeline(
        [node],
        namespace="experiment",
        inputs=deaths | {"conditions": "conditions"},
        outputs={name: name for name in names[1:]},
        parameters={_OPTIONS: _OPTIONS},
    )


def _bound(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """``function`` with layout facts bound; Kedro still reads its name and hints."""
    return update_wrapper(partial(function, **fixed), function)
