"""The killing pipeline: deaths and their culprits per target role, survival of all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.killing.checks import (
    check_thresholds,
    vary_density,
    vary_settings,
)
from cyto_kedro.pipelines.killing.nodes import attribute_kills, chance_level, viability
from cyto_kedro.pipelines.killing.populations import (
    compare_groups,
    compare_movies,
    leave_or_die,
    rate_killing,
)

_RATES = ("rates", "serial_killing", "kill_distribution", "first_kill", "et_ratio")
_GROUPS = ("superplot", "comparisons", "et_dependence")
_OPTIONS, _CONTACTS = "params:killing", "params:contacts"


def create_pipeline(layout: Layout) -> Pipeline:
    """`{role}.viability` and `{target}.attribute` of each movie, then
    `experiment.*` once; empty without a target role or a death marker.
    """
    channel = layout.marker_channel("death")
    if channel is None or not layout.targets:
        return Pipeline([])
    parts = [_of_target(layout, target, channel) for target in layout.targets]
    parts += [_of_effector(layout, effector, channel) for effector in layout.effectors]
    return sum(parts, _of_experiment(layout))


def _of_effector(layout: Layout, effector: str, death_channel: str) -> Pipeline:
    return Pipeline(
        [_watch(layout, effector, death_channel)],
        namespace=effector,
        inputs={"tracks": f"{effector}.tracks", "calibration": "calibration"},
        outputs={"deaths": f"{effector}.deaths@movie"},
        parameters={_OPTIONS: _OPTIONS},
    )


def _watch(layout: Layout, role: str, death_channel: str) -> Node:
    # The cells' own channel stands in for a live marker.
    live_channel = layout.marker_channel("live") or layout.roles[role].channels[0]
    watch = _bound(
        viability,
        role=role,
        effector=role in layout.effectors,
        death_channel=death_channel,
        live_channel=live_channel,
    )
    return Node(
        watch,
        ["tracks", "calibration", _OPTIONS],
        ["viability", "deaths", "death_evidence"],
        name="viability",
    )


def _of_target(layout: Layout, target: str, death_channel: str) -> Pipeline:
    nodes, parameters = [_watch(layout, target, death_channel)], {_OPTIONS: _OPTIONS}
    inputs = {"tracks": f"{target}.tracks", "calibration": "calibration"}
    if layout.effectors:
        contacts = {f"contacts_{e}": f"{e}_{target}.contacts" for e in layout.effectors}
        tracks = {f"tracks_{e}": f"{e}.tracks" for e in layout.effectors}
        inputs |= contacts | tracks
        parameters |= {_CONTACTS: _CONTACTS}
        nodes += _attribution(layout.effectors, target, [*contacts], [*tracks])
    outputs = {"deaths": f"{target}.deaths@movie"}
    if layout.effectors:
        outputs["killers"] = f"{target}.killers@movie"
    return Pipeline(
        nodes,
        namespace=target,
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
    )


def _attribution(
    effectors: tuple[str, ...], target: str, contacts: list[str], tracks: list[str]
) -> list[Node]:
    """Who killed, and how far that can be trusted."""
    roles: dict[str, Any] = {"effectors": effectors, "target": target}
    base = ["deaths", "calibration", _OPTIONS]
    seen = ["deaths", "viability", "calibration", _OPTIONS, _CONTACTS]
    return [
        Node(
            _bound(attribute_kills, **roles),
            [*base, "tracks", *contacts, *tracks],
            ["attribution", "killers", "hit_model"],
            name="attribute",
        ),
        Node(
            _bound(chance_level, **roles),
            [*base, "tracks", *contacts, *tracks],
            "attribution_chance",
            name="chance",
        ),
        Node(
            _bound(vary_settings, **roles),
            [*seen, *contacts],
            "sensitivity",
            name="sensitivity",
        ),
        Node(
            _bound(vary_density, **roles),
            [*base, *contacts, *tracks],
            "attribution_density",
            name="density",
        ),
    ]


def _of_experiment(layout: Layout) -> Pipeline:
    """What looks at all movies at once."""
    targets, effectors = layout.targets, layout.effectors
    deaths = {f"deaths_{role}": f"{role}.deaths@all" for role in targets}
    inputs = ["conditions", _OPTIONS, *deaths]
    roles: dict[str, Any] = {"targets": targets}
    nodes = [
        _once(compare_movies, inputs, ["survival", "comparison"], "survival", roles),
        _once(leave_or_die, inputs, ["competing_risks", "lysis"], "lysis", roles),
        _once(
            check_thresholds, inputs, "control_threshold", "control_threshold", roles
        ),
    ]
    killers = {}
    if effectors:
        killers = {f"killers_{target}": f"{target}.killers@all" for target in targets}
        deaths |= {f"deaths_{role}": f"{role}.deaths@all" for role in effectors}
        inputs = ["conditions", _OPTIONS, *deaths, *killers]
        both = roles | {"effectors": effectors}
        nodes.append(_once(rate_killing, inputs, [*_RATES], "rates", both))
    roles = {"targets": targets, "effectors": effectors}
    nodes.append(_once(compare_groups, inputs, [*_GROUPS], "compare", roles))
    written = {name for node in nodes for name in node.outputs}
    return Pipeline(
        nodes,
        namespace="experiment",
        inputs=deaths | killers | {"conditions": "conditions"},
        outputs={name: name for name in sorted(written)},
        parameters={_OPTIONS: _OPTIONS},
    )


def _once(
    function: Callable[..., Any],
    inputs: list[str],
    outputs: str | list[str],
    name: str,
    fixed: dict[str, Any],
) -> Node:
    """A node that runs once, after all movies."""
    bound = _bound(function, **fixed)
    return Node(bound, inputs, outputs, name=name, tags=EXPERIMENT)


def _bound(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """``function`` with layout facts bound; Kedro still reads its name and hints."""
    return update_wrapper(partial(function, **fixed), function)
