"""The features pipeline: what users derive from the tables of a movie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.features.nodes import (
    combine_features,
    correlate_channels,
    measure_capacity,
    select_tracks,
)

_OPTIONS = "params:features"
_OF_CELLS = ("tracks", "kinematics", "track_summary")


def create_pipeline(layout: Layout) -> Pipeline:
    """`{role}.select` of every role, `features.combine`, `features.correlate` with
    two channels or more, and `{target}.capacity` where deaths have culprits.
    """
    parts = [_of_role(layout, role) for role in layout.roles]
    if layout.marker_channel("death") is not None and layout.effectors:
        parts += [_of_target(layout, target) for target in layout.targets]
    return sum(parts, _of_movie(layout))


def _tables(layout: Layout, role: str) -> dict[str, str]:
    """Datasets of one role by the names that filters and operations use."""
    found = {name: f"{role}.{name}" for name in _OF_CELLS}
    dying = layout.marker_channel("death") is not None and layout.targets
    if dying and role in (*layout.targets, *layout.effectors):
        found |= {"viability": f"{role}.viability", "deaths": f"{role}.deaths@movie"}
    return found


def _of_role(layout: Layout, role: str) -> Pipeline:
    tables = _tables(layout, role)
    node = Node(
        _bound(select_tracks, role=role, roles=tuple(layout.roles)),
        {"options": _OPTIONS} | {name: name for name in tables},
        ["selection", "selection_steps"],
        name="select",
    )
    return Pipeline(
        [node], namespace=role, inputs=tables, parameters={_OPTIONS: _OPTIONS}
    )


def _of_movie(layout: Layout) -> Pipeline:
    tables = {
        f"{role}.{name}": dataset
        for role in layout.roles
        for name, dataset in _tables(layout, role).items()
    }
    tables |= {f"{role}.frame_counts": f"{role}.frame_counts" for role in layout.roles}
    nodes = [
        Node(
            combine_features,
            {"options": _OPTIONS} | tables,
            "cross_features",
            name="combine",
        )
    ]
    if len(layout.channels) > 1:
        stacks = {f"image:{name}": f"{name}.image" for name in layout.channels}
        stacks |= {f"labels:{role}": f"{role}.labels" for role in layout.roles}
        nodes.append(
            Node(
                correlate_channels,
                {"calibration": "calibration", "drift": "drift"} | stacks,
                "channel_correlation",
                name="correlate",
            )
        )
    return Pipeline(nodes, namespace="features", prefix_datasets_with_namespace=False)


def _of_target(layout: Layout, target: str) -> Pipeline:
    effectors = layout.effectors
    tables = {f"tracks_{e}": f"{e}.tracks" for e in effectors}
    tables |= {f"deaths_{e}": f"{e}.deaths@movie" for e in effectors}
    tables |= {f"episodes_{e}": f"{e}_{target}.contact_episodes" for e in effectors}
    node = Node(
        _bound(measure_capacity, effectors=effectors, target=target),
        ["deaths", "attribution", "calibration", _OPTIONS, *tables],
        ["killing_capacity", "delayed_viability"],
        name="capacity",
    )
    inputs = {"deaths": f"{target}.deaths@movie", "calibration": "calibration"}
    return Pipeline(
        [node],
        namespace=target,
        inputs=inputs | tables,
        parameters={_OPTIONS: _OPTIONS},
    )


def _bound(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """``function`` with layout facts bound; Kedro still reads its name and hints."""
    return update_wrapper(partial(function, **fixed), function)
