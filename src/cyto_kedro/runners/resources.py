"""What `slurm.yml` declares: partitions, classes, and which node asks for what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.runners.profiles import select

_WHERE = "conf/*/slurm.yml"
_MEM = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?$", re.IGNORECASE)
_TO_MIB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "": 1.0}


def parse_mem(value: Any) -> int:
    """MiB of ``8G``, ``8Gi``, ``8192M`` or a plain number of MiB, as sbatch."""
    match = _MEM.match(str(value).strip())
    if match is None:
        raise ValueError(f"'{value}' is not an amount of memory such as 8G or 8192M")
    return max(1, round(float(match[1]) * _TO_MIB[match[2].upper()]))


def mem_text(mib: int) -> str:
    """MiB for sbatch."""
    return f"{mib // 1024}G" if mib % 1024 == 0 else f"{mib}M"


def parse_time(value: Any) -> int:
    """Seconds of ``MM``, ``MM:SS``, ``HH:MM:SS``, ``D-HH[:MM[:SS]]``, as sbatch."""
    text = str(value).strip()
    if not re.match(r"^(\d+-)?\d+(:\d+){0,2}$", text):
        raise ValueError(f"'{value}' is not a time such as 30, 04:00:00 or 2-12:00:00")
    days, dash, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, minutes, seconds = 0, parts[0], [*parts, 0][1]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def time_text(seconds: int) -> str:
    """Seconds for sbatch, rounded up to minutes."""
    minutes = -(-seconds // 60)
    days, rest = divmod(minutes, 24 * 60)
    clock = f"{rest // 60:02d}:{rest % 60:02d}:00"
    return f"{days}-{clock}" if days else clock


Mem = Annotated[int, BeforeValidator(parse_mem)]
Time = Annotated[int, BeforeValidator(parse_time)]


class Poll(Params):
    """How often the cluster is asked."""

    first: float = Field(default=10.0, gt=0, description="after news (s)")
    max: float = Field(default=120.0, gt=0, description="while nothing changes (s)")


class Partition(Params):
    """One partition of the site."""

    max_time: Time | None = Field(default=None, description="time limit")
    kind: Literal["cpu", "gpu"] = Field(
        default="cpu", description="what its nodes have"
    )
    gres_models: tuple[str, ...] = Field(default=(), description="GPU models")
    max_mem: Mem | None = Field(default=None, description="memory of a node")
    long_sibling: str | None = Field(
        default=None, description="partition for jobs that run out of time here"
    )


@dataclass(frozen=True)
class PartitionLimit:
    """What a partition admits; by ``sinfo``, else by ``slurm.yml``."""

    max_time_s: int | None = None
    kind: str = "cpu"
    gres_models: frozenset[str] = frozenset()
    max_mem_mib: int | None = None
    max_cpus: int | None = None
    nodes_up: int = 1


class FanOut(Params):
    """A node cut into windows of frames, or movies packed into tasks."""

    frames: int | None = Field(
        default=None, ge=1, description="frames of a unit; null = whole movies"
    )
    units_per_task: int = Field(
        default=1, ge=1, description="units that one array task does in turn"
    )
    max_parallel: int | None = Field(
        default=None, ge=1, description="array tasks at a time"
    )


class Request(Params):
    """Keys of a class, of a rule, or of the defaults; null: not said here."""

    use: str | None = Field(default=None, description="class that this adds to")
    partition: str | None = Field(default=None, description="partition")
    cpus_per_task: int | None = Field(default=None, ge=1, description="CPU cores")
    mem: Mem | None = Field(default=None, description="memory, such as 32G")
    time: Time | None = Field(default=None, description="time limit")
    gres: str | None = Field(default=None, description="such as gpu:a100:1")
    retries: int | None = Field(default=None, ge=0, description="times to try again")
    fan_out: FanOut | None = Field(default=None, description="windows of frames")
    where: Literal["cluster", "driver"] | None = Field(
        default=None, description="driver: no job, the driver does it itself"
    )
    extra: dict[str, str] = Field(
        default_factory=dict, description="any other sbatch flag: account, qos, ..."
    )


class Escalation(Params):
    """What to change when a task ended in one state."""

    mem: str | None = Field(default=None, pattern=r"^x\d+(\.\d+)?$", description="x1.5")
    time: str | None = Field(default=None, pattern=r"^x\d+(\.\d+)?$", description="x2")
    max: str | None = Field(default=None, description="most memory, or longest time")
    exclude_node: bool = Field(default=False, description="not on that node again")


_ESCALATE = {
    "OUT_OF_MEMORY": Escalation(mem="x1.5", max="256G"),
    "TIMEOUT": Escalation(time="x2"),
    "NODE_FAIL": Escalation(exclude_node=True),
}


class SlurmConfig(Params):
    """Content of ``slurm.yml``."""

    max_jobs: int = Field(default=200, ge=1, description="array tasks queued at a time")
    submit_interval: float = Field(default=0.5, ge=0, description="between sbatch (s)")
    poll: Poll = Field(default_factory=Poll, description="questions to the cluster")
    latency_wait: float = Field(
        default=60.0, ge=0, description="wait for files of a finished task (s)"
    )
    on_failure: Literal["drain", "cancel"] = Field(
        default="drain", description="other movies go on, or everything stops"
    )
    nested: Literal["refuse", "allow"] = Field(
        default="refuse", description="submitting from inside a job"
    )
    group: bool = Field(
        default=True, description="nodes with equal resources share a job"
    )
    partitions: dict[str, Partition] = Field(
        default_factory=dict, description="partitions of the site"
    )
    defaults: Request = Field(default_factory=Request, description="of every node")
    classes: dict[str, Request] = Field(default_factory=dict, description="named sets")
    escalate: dict[str, Escalation] = Field(
        default_factory=lambda: dict(_ESCALATE), description="retries, by state"
    )
    nodes: dict[str, Request] = Field(
        default_factory=dict, description="rules, by node selector"
    )

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> SlurmConfig:
        """Check the configuration as loaded.

        Raises:
            ConfigError: Each unknown or wrong key, with the nearest one that exists.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            lines = "\n".join(_told(error) for error in exc.errors())
            raise ConfigError(f"slurm.yml is wrong:\n{lines}", where=_WHERE) from exc


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
    def gpus(self) -> int:
        """GPUs asked for."""
        last = (self.gres or "").rpartition(":")[2]
        return (int(last) if last.isdigit() else 1) if "gpu" in (self.gres or "") else 0

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
class Advice:
    """Why there is no further try, and what a person can do."""

    text: str


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
        ConfigError: Two rules of one rank fit, or a class is unknown.
    """
    named = {name: (name, rule) for name, rule in config.nodes.items()}
    found = select(named, node, tags, namespace, where=f"{_WHERE}: nodes")
    name, rule = found if found is not None else ("defaults", Request())
    layers = [config.defaults]
    if rule.use is not None:
        if rule.use not in config.classes:
            raise _unknown("class", rule.use, config.classes, f"nodes: {name}")
        layers.append(config.classes[rule.use])
    layers.append(rule)

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
    """Limits by partition: what the cluster says wins over ``slurm.yml``."""
    limits = {
        name: PartitionLimit(
            max_time_s=given.max_time,
            kind=given.kind,
            gres_models=frozenset(given.gres_models),
            max_mem_mib=given.max_mem,
        )
        for name, given in config.partitions.items()
    }
    return limits | dict(seen or {})


def check_plan(
    config: SlurmConfig, plan: NodePlan, limits: Mapping[str, PartitionLimit]
) -> None:
    """Refuse what would be rejected, or would pend for ever.

    Raises:
        ConfigError: Unknown or unsuitable partition, too much time, memory or cores.
    """
    asked = plan.resources
    where = f"{_WHERE}, node {plan.node} by rule '{plan.rule}'"
    if asked.partition is None:
        raise ConfigError("No partition is named", where=where, fix="set defaults")
    limit = limits.get(asked.partition)
    if limit is None:
        raise _unknown("partition", asked.partition, limits, where)
    gpus = asked.gpus > 0
    if gpus and limit.kind != "gpu":
        others = [name for name, other in limits.items() if other.kind == "gpu"]
        raise ConfigError(
            f"It asks for {asked.gres}, partition '{asked.partition}' has no GPUs",
            where=where,
            fix=f"use one of: {', '.join(sorted(others)) or 'none here'}",
        )
    model = _model(asked.gres)
    if gpus and model and limit.gres_models and model not in limit.gres_models:
        raise ConfigError(
            f"Partition '{asked.partition}' has no GPU '{model}'",
            where=where,
            fix=f"it has: {', '.join(sorted(limit.gres_models))}",
        )
    if limit.max_time_s is not None and asked.time_s > limit.max_time_s:
        sibling = _sibling(config, asked.partition)
        raise ConfigError(
            f"{time_text(asked.time_s)} is more than partition '{asked.partition}' "
            f"admits ({time_text(limit.max_time_s)}): the job would wait for ever",
            where=where,
            fix=f"ask for less, or use '{sibling}'" if sibling else "ask for less time",
        )
    if limit.max_mem_mib is not None and asked.mem_mib > limit.max_mem_mib:
        raise ConfigError(
            f"{mem_text(asked.mem_mib)} is more than the largest node of "
            f"'{asked.partition}' has ({mem_text(limit.max_mem_mib)})",
            where=where,
            fix="ask for less memory, or fan the node out over fewer frames",
        )
    if limit.max_cpus is not None and asked.cpus_per_task > limit.max_cpus:
        raise ConfigError(
            f"{asked.cpus_per_task} cores are more than a node of "
            f"'{asked.partition}' has ({limit.max_cpus})",
            where=where,
            fix="ask for fewer cores",
        )


def escalate(
    config: SlurmConfig,
    resources: Resources,
    state: Any,
    attempt: int,
    limits: Mapping[str, PartitionLimit],
) -> Resources | Advice:
    """What to ask for when a task is tried again.

    Args:
        config: The rules.
        resources: What the task had.
        state: How it ended: ``state.state`` and ``state.node``.
        attempt: The number of the next try; 1 is the first retry.
        limits: Limits by partition.

    Returns:
        The next request, or why there is none.
    """
    name = state.state
    lost = name == "UNKNOWN"
    rule = config.escalate.get(name)
    if rule is None and not lost:
        return Advice("It is not tried again: trying again would not help.")
    if attempt > resources.retries:
        return Advice(f"It was tried {attempt} times (retries: {resources.retries}).")
    if rule is None:
        return resources
    changed = {**vars(resources)}
    if rule.exclude_node and state.node:
        changed["exclude"] = (*resources.exclude, state.node)
    if rule.mem is not None:
        return _more_memory(changed, resources, rule, limits)
    if rule.time is not None:
        return _more_time(config, changed, resources, rule, limits)
    return Resources(**changed)


def _more_memory(
    changed: dict[str, Any],
    resources: Resources,
    rule: Escalation,
    limits: Mapping[str, PartitionLimit],
) -> Resources | Advice:
    most = [parse_mem(rule.max)] if rule.max else []
    limit = limits.get(resources.partition or "")
    if limit is not None and limit.max_mem_mib:
        most.append(limit.max_mem_mib)
    wanted = round(resources.mem_mib * float((rule.mem or "x1")[1:]))
    wanted = min([wanted, *most])
    if wanted <= resources.mem_mib:
        return Advice(
            f"{mem_text(resources.mem_mib)} is the most that there is here: give the "
            "node fewer frames (fan_out: frames), or larger nodes."
        )
    return Resources(**changed | {"mem_mib": wanted})


def _more_time(
    config: SlurmConfig,
    changed: dict[str, Any],
    resources: Resources,
    rule: Escalation,
    limits: Mapping[str, PartitionLimit],
) -> Resources | Advice:
    wanted = round(resources.time_s * float((rule.time or "x1")[1:]))
    if rule.max:
        wanted = min(wanted, parse_time(rule.max))
    partition = resources.partition or ""
    for name in (partition, _sibling(config, partition)):
        limit = limits.get(name or "")
        if limit is None:
            continue
        fits = wanted if limit.max_time_s is None else min(wanted, limit.max_time_s)
        if fits == wanted or (fits > resources.time_s and name != partition):
            return Resources(**changed | {"time_s": fits, "partition": name})
    limit = limits.get(partition)
    if limit is not None and limit.max_time_s and limit.max_time_s > resources.time_s:
        return Resources(**changed | {"time_s": limit.max_time_s})
    return Advice(
        f"{time_text(resources.time_s)} is the longest that '{partition}' admits: give "
        "each task fewer units or frames (fan_out), or name a long_sibling."
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


def _sibling(config: SlurmConfig, partition: str) -> str | None:
    known = config.partitions.get(partition)
    return known.long_sibling if known is not None else None


def _model(gres: str | None) -> str | None:
    parts = (gres or "").split(":")
    return parts[1] if len(parts) > 1 and not parts[1].isdigit() else None


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> ConfigError:
    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return ConfigError(
        f"There is no {what} '{name}'",
        where=where,
        fix=f"{hint}known: {', '.join(sorted(known))}",
    )


def _told(error: Any) -> str:
    """One finding of pydantic in plain words."""
    place = ".".join(str(part) for part in error["loc"])
    text = f"  - {place}: {error['msg']}"
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        models = (SlurmConfig, Request, Partition, Escalation, FanOut, Poll)
        known = {name for model in models for name in model.model_fields}
        near = get_close_matches(key, sorted(known), n=1)
        text = f"  - {place}: there is no such key"
        text += f"; did you mean '{near[0]}'?" if near else ""
    return text
