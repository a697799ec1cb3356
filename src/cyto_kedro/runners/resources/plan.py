"""What each node asks for, held against what the partitions admit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.profiles import select
from cyto_kedro.runners.resources.quantities import mem_text, time_text
from cyto_kedro.runners.resources.site import WHERE, FanOut, Rule, SlurmConfig, unknown


@dataclass(frozen=True)
class PartitionLimit:
    """What a partition admits; by ``sinfo``, else by ``slurm.yml``; None: unknown."""

    max_time_s: int | None = None
    kind: str = "cpu"
    gres_models: frozenset[str] = frozenset()
    max_mem_mib: int | None = None
    max_cpus: int | None = None
    nodes_up: int | None = None


@dataclass(frozen=True)
class Resources:
    """What a job asks for."""

    partition: str | None = None
    cpus_per_task: int = 1
    mem_mib: int = 4096
    time_s: int = 3600
    gres: str | None = None
    retries: int = 1
    exclude: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def gpu_models(self) -> tuple[tuple[str | None, int], ...]:
        """Each model of GPU asked for (None: any), and how many of it."""
        found = []
        for item in (self.gres or "").split(","):
            kind, *rest = item.split(":")
            if kind != "gpu":
                continue
            count = int(rest.pop()) if rest and rest[-1].isdigit() else 1
            found.append((rest[0] if rest else None, count))
        return tuple(found)

    @property
    def gpus(self) -> int:
        """GPUs asked for."""
        return sum(count for _, count in self.gpu_models)

    def describe(self) -> str:
        """One line for people."""
        text = f"{mem_text(self.mem_mib)}, {time_text(self.time_s)} on {self.partition}"
        return text + (f" without {', '.join(self.exclude)}" if self.exclude else "")


@dataclass(frozen=True)
class NodePlan:
    """What one node asks for, and which rule says so."""

    node: str
    resources: Resources
    fan_out: FanOut | None = None
    where: str = "cluster"
    rule: str = "defaults"


@dataclass(frozen=True)
class Totals:
    """What a run requests at most."""

    jobs: int
    tasks: int
    cpu_hours: float
    gpu_hours: float


def resolve(
    config: SlurmConfig, node: str, tags: Iterable[str], namespace: str | None
) -> NodePlan:
    """What a node asks for: its most exact rule over that rule's class over defaults.

    A rule's selector is an exact name, a glob, ``tag:x`` or ``namespace:x``; the more
    exact wins.

    Raises:
        ConfigError: Two rules of one rank fit.
    """
    named = {name: (name, rule) for name, rule in config.nodes.items()}
    found = select(named, node, tags, namespace, where=f"{WHERE}: nodes")
    name, rule = found if found is not None else ("defaults", Rule())
    layers = [config.defaults, rule]
    if rule.use is not None:
        layers.insert(1, config.classes[rule.use])

    def last(key: str) -> Any:
        values = (getattr(layer, key) for layer in reversed(layers))
        return next((value for value in values if value is not None), None)

    extra: dict[str, str] = {}
    for layer in layers:
        extra |= layer.extra
    asked = {
        "partition": last("partition"),
        "cpus_per_task": last("cpus_per_task"),
        "mem_mib": last("mem"),
        "time_s": last("time"),
        "gres": last("gres"),
        "retries": last("retries"),
        "extra": tuple(sorted(extra.items())),
    }
    given = {key: value for key, value in asked.items() if value is not None}
    where = last("where") or "cluster"
    return NodePlan(node, Resources(**given), last("fan_out"), where, name)


def limits_of(
    config: SlurmConfig, seen: Mapping[str, PartitionLimit] | None
) -> dict[str, PartitionLimit]:
    """Limits by partition: what the cluster says, else ``slurm.yml``.

    A cluster that answers is believed altogether: a partition that only ``slurm.yml``
    knows does not exist.
    """
    if seen:
        return dict(seen)
    return {
        name: PartitionLimit(
            max_time_s=given.max_time,
            kind=given.kind,
            gres_models=frozenset(given.gres_models),
            max_mem_mib=given.max_mem,
        )
        for name, given in config.partitions.items()
    }


def check_plan(
    config: SlurmConfig, plan: NodePlan, limits: Mapping[str, PartitionLimit]
) -> None:
    """Refuse what would be rejected, or would pend for ever.

    Raises:
        ConfigError: Unknown or unsuitable partition, too much time, memory or cores;
            all that is wrong with the plan, with what to do.
    """
    asked = plan.resources
    where = f"{WHERE}, node {plan.node} by rule '{plan.rule}'"
    if asked.partition is None:
        raise ConfigError("No partition is named", where=where, fix="set defaults")
    if asked.partition not in limits:
        raise unknown("partition", asked.partition, limits, where)
    sibling = config.sibling(asked.partition)
    if sibling is not None and sibling not in {*limits, *config.partitions}:
        raise unknown("partition (long_sibling)", sibling, limits, where)
    limit = limits[asked.partition]
    found = [*_gpu_faults(asked, limit, limits), *_too_much(asked, limit, sibling)]
    if found:
        raise ConfigError(
            "; ".join(what for what, _ in found),
            where=where,
            fix="; ".join(fix for _, fix in found),
        )


def _gpu_faults(
    asked: Resources, limit: PartitionLimit, limits: Mapping[str, PartitionLimit]
) -> Iterator[tuple[str, str]]:
    if not asked.gpus:
        return
    if limit.kind != "gpu":
        others = sorted(name for name, one in limits.items() if one.kind == "gpu")
        yield (
            f"It asks for {asked.gres}, partition '{asked.partition}' has no GPUs",
            f"use one of: {', '.join(others) or 'none here'}",
        )
        return
    for model, _ in asked.gpu_models:
        if model and limit.gres_models and model not in limit.gres_models:
            yield (
                f"Partition '{asked.partition}' has no GPU '{model}'",
                f"it has: {', '.join(sorted(limit.gres_models))}",
            )


def _too_much(
    asked: Resources, limit: PartitionLimit, sibling: str | None
) -> Iterator[tuple[str, str]]:
    here = f"'{asked.partition}'"
    if limit.max_time_s is not None and asked.time_s > limit.max_time_s:
        yield (
            f"{time_text(asked.time_s)} is more than partition {here} admits "
            f"({time_text(limit.max_time_s)}): the job would wait for ever",
            f"ask for less time, or use '{sibling}'"
            if sibling
            else "ask for less time",
        )
    if limit.max_mem_mib is not None and asked.mem_mib > limit.max_mem_mib:
        yield (
            f"{mem_text(asked.mem_mib)} is more than the largest node of {here} has "
            f"({mem_text(limit.max_mem_mib)})",
            "ask for less memory, or fan the node out over fewer frames",
        )
    if limit.max_cpus is not None and asked.cpus_per_task > limit.max_cpus:
        yield (
            f"{asked.cpus_per_task} cores are more than a node of {here} has "
            f"({limit.max_cpus})",
            "ask for fewer cores",
        )


def totals(plans: Iterable[tuple[NodePlan, int]]) -> Totals:
    """Upper bounds over submissions, each a plan and its number of tasks."""
    found = list(plans)
    hours = [(p.resources, n, n * p.resources.time_s / 3600) for p, n in found]
    return Totals(
        jobs=len(found),
        tasks=sum(n for _, n in found),
        cpu_hours=sum(r.cpus_per_task * h for r, _, h in hours),
        gpu_hours=sum(r.gpus * h for r, _, h in hours),
    )
