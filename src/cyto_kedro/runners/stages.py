"""Groups the nodes of one movie's graph into stages: what one job does in one go.

A cluster job costs seconds before its first line of work, most nodes take less. Nodes
with the same resources that follow each other therefore share a job; a node that is
fanned out over frames is a stage of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.tags import EXPERIMENT, FRAME_WISE


@dataclass(frozen=True)
class Placement:
    """Where and how a node runs, as a runner decided.

    ``key`` is equal for nodes that may share a job; ``frames`` is the size of a window
    of a node that is fanned out; ``where`` is ``worker`` or ``driver``; ``container``
    is what its worker runs in (None: bare metal); ``detail`` is the runner's own.
    """

    key: Hashable
    frames: int | None = None
    where: str = "worker"
    gpu: bool = False
    container: Any = None
    detail: Any = None


@dataclass(frozen=True)
class Stage:
    """Nodes that one worker runs on one movie, or once if ``joint``."""

    name: str
    nodes: tuple[str, ...]
    placement: Placement
    joint: bool
    parents: tuple[str, ...] = ()


def stages_of(
    pipeline: Pipeline,
    placement_of: Callable[[Node], Placement],
    group: bool = True,
) -> list[Stage]:
    """The stages of a pipeline in an order that respects all dependencies.

    Args:
        pipeline: One movie's graph with its experiment-level nodes.
        placement_of: Decides for each node.
        group: Let nodes with equal placement share a stage.

    Raises:
        ConfigError: A node that is not frame-wise is to be fanned out.
    """
    producers = {name: node for node in pipeline.nodes for name in node.outputs}
    level: dict[str, int] = {}
    members: dict[tuple[Any, ...], list[Node]] = {}
    place: dict[str, tuple[Any, ...]] = {}
    placements: dict[tuple[Any, ...], Placement] = {}
    for number, node in enumerate(pipeline.nodes):
        placement = placement_of(node)
        if placement.frames is not None and FRAME_WISE not in node.tags:
            raise ConfigError(
                f"'{node.name}' cannot be fanned out over frames: its frames depend "
                "on each other, or it writes a table",
                where="fan_out in slurm.yml",
                fix="take fan_out off this node; movies still run side by side",
            )
        joint = EXPERIMENT in node.tags
        alone = placement.frames is not None or not group
        kind = (joint, number if alone else -1, placement.key, placement.where)
        found = (_plain(name, producers) for name in node.inputs)
        before = [producers[name] for name in found if name]
        own = 0
        for parent in before:
            same = place[parent.name][1:] == kind
            own = max(own, level[parent.name] + (0 if same else 1))
        level[node.name] = own
        place[node.name] = (own, *kind)
        members.setdefault(place[node.name], []).append(node)
        placements.setdefault(place[node.name], placement)
    return _named(members, placements, place, producers)


def _named(
    members: dict[tuple[Any, ...], list[Node]],
    placements: dict[tuple[Any, ...], Placement],
    place: dict[str, tuple[Any, ...]],
    producers: dict[str, Node],
) -> list[Stage]:
    names: dict[tuple[Any, ...], str] = {}
    for key, nodes in members.items():
        more = len(nodes) - 1
        names[key] = nodes[0].name + (f"+{more}" if more else "")
    stages = []
    for key in sorted(members, key=lambda item: (item[1], item[0])):
        nodes = members[key]
        parents: Iterable[str] = {
            names[place[producers[found].name]]
            for node in nodes
            for name in node.inputs
            if (found := _plain(name, producers))
            and place[producers[found].name] != key
        }
        stages.append(
            Stage(
                name=names[key],
                nodes=tuple(node.name for node in nodes),
                placement=placements[key],
                joint=key[1],
                parents=tuple(sorted(parents)),
            )
        )
    return stages


def _plain(name: str, producers: dict[str, Node]) -> str | None:
    """The produced dataset that an input stands for; ``x@all`` reads ``x@movie``."""
    if name in producers:
        return name
    movie = name.replace("@all", "@movie")
    return movie if movie in producers else None
