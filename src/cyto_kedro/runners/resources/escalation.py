"""Another try with more, within what the partitions admit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from cyto_kedro.runners.resources.plan import PartitionLimit, Resources
from cyto_kedro.runners.resources.quantities import (
    mem_text,
    parse_mem,
    parse_time,
    time_text,
)
from cyto_kedro.runners.resources.site import Escalation, SlurmConfig, State

_LOST = "UNKNOWN"
_STATES: tuple[State, ...] = get_args(State)


class Ended(Protocol):
    """How a task ended."""

    @property
    def state(self) -> str:
        """SLURM's name of it; ``UNKNOWN`` if no one can tell."""

    @property
    def node(self) -> str | None:
        """Where it ran."""


@dataclass(frozen=True)
class Advice:
    """Why there is no further try, and what a person can do."""

    text: str


def escalate(
    config: SlurmConfig,
    resources: Resources,
    state: Ended,
    attempt: int,
    limits: Mapping[str, PartitionLimit],
) -> Resources | Advice:
    """What to ask for when a task is tried again.

    Args:
        config: The rules.
        resources: What the task had.
        state: How it ended. A lost task is tried again as it was.
        attempt: The number of the next try; 1 is the first retry.
        limits: Limits by partition.

    Returns:
        The next request, or why there is none.
    """
    known = next((name for name in _STATES if name == state.state), None)
    rule = config.escalate.get(known) if known is not None else None
    if rule is None and state.state != _LOST:
        return Advice("It is not tried again: trying again would not help.")
    if attempt > resources.retries:
        return Advice(f"It was tried {attempt} times (retries: {resources.retries}).")
    if rule is None:
        return resources
    limit = limits.get(resources.partition or "", PartitionLimit())
    if rule.exclude_node and state.node:
        resources = _elsewhere(resources, state.node, limit)
    if rule.mem is not None:
        return _more_memory(resources, rule, float(rule.mem[1:]), limit)
    if rule.time is not None:
        factor = float(rule.time[1:])
        return _more_time(config, resources, rule, factor, limits)
    return resources


def _elsewhere(resources: Resources, node: str, limit: PartitionLimit) -> Resources:
    without = dict.fromkeys((*resources.exclude, node))
    if limit.nodes_up is not None and len(without) >= limit.nodes_up:
        # sbatch refuses a job that no node may run; one of them may come back.
        return resources
    return replace(resources, exclude=tuple(without))


def _more_memory(
    resources: Resources, rule: Escalation, factor: float, limit: PartitionLimit
) -> Resources | Advice:
    most = [parse_mem(rule.max)] if rule.max else []
    if limit.max_mem_mib:
        most.append(limit.max_mem_mib)
    wanted = min([round(resources.mem_mib * factor), *most])
    if wanted <= resources.mem_mib:
        return Advice(
            f"{mem_text(resources.mem_mib)} is the most that there is here: give the "
            "node fewer frames (fan_out: frames), or larger nodes."
        )
    return replace(resources, mem_mib=wanted)


def _more_time(
    config: SlurmConfig,
    resources: Resources,
    rule: Escalation,
    factor: float,
    limits: Mapping[str, PartitionLimit],
) -> Resources | Advice:
    """More here, else as much as the long sibling admits, else what is left here."""
    wanted = round(resources.time_s * factor)
    if rule.max:
        wanted = min(wanted, parse_time(rule.max))
    here, sibling = resources.partition, config.sibling(resources.partition)
    admitted: dict[str, int] = {}
    for name in (here, sibling):
        if name is not None and name in limits:
            longest = limits[name].max_time_s
            admitted[name] = wanted if longest is None else min(wanted, longest)
    # The first of equals is the partition itself.
    name = max(admitted, key=lambda n: admitted[n], default=None)
    if name is None or admitted[name] <= resources.time_s:
        return Advice(
            f"{time_text(resources.time_s)} is the longest that there is for it on "
            f"'{here}': give each task fewer units or frames (fan_out), or name a "
            "long_sibling."
        )
    return replace(resources, partition=name, time_s=admitted[name])
