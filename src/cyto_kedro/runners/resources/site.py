"""`slurm.yml` as typed, checked objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.runners.resources.quantities import Mem, Time, parse_mem, parse_time

WHERE = "conf/*/slurm.yml"

# sbatch flags that have a key of their own, where limits are checked; or are ours.
_TYPED = {
    "cpus-per-gpu": "cpus_per_task",
    "cpus-per-task": "cpus_per_task",
    "gpus": "gres",
    "gpus-per-node": "gres",
    "gpus-per-task": "gres",
    "gres": "gres",
    "mem": "mem",
    "mem-per-cpu": "mem",
    "mem-per-gpu": "mem",
    "partition": "partition",
    "time": "time",
}
_OURS = frozenset({"array", "chdir", "job-name", "open-mode", "output", "parsable"})


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


def _flag_text(value: Any) -> Any:
    """YAML's numbers as text; ``true`` is a flag without value."""
    if value is True:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


class Request(Params):
    """Keys of the defaults, of a class or of a rule; null: not said here."""

    partition: str | None = Field(default=None, description="partition")
    cpus_per_task: int | None = Field(default=None, ge=1, description="CPU cores")
    mem: Mem | None = Field(default=None, description="memory, such as 32G")
    time: Time | None = Field(default=None, description="time limit")
    gres: str | None = Field(
        default=None,
        pattern=r"^[\w.-]+(:[\w.-]+){0,2}(,[\w.-]+(:[\w.-]+){0,2})*$",
        description="such as gpu:a100:1",
    )
    retries: int | None = Field(default=None, ge=0, description="times to try again")
    fan_out: FanOut | None = Field(default=None, description="windows of frames")
    where: Literal["cluster", "driver"] | None = Field(
        default=None, description="driver: no job, the driver does it itself"
    )
    extra: dict[str, Annotated[str, BeforeValidator(_flag_text)]] = Field(
        default_factory=dict, description="any other sbatch flag: account, qos, ..."
    )

    @model_validator(mode="after")
    def _extra_is_extra(self) -> Self:
        for key in self.extra:
            if key.startswith("-"):
                raise ValueError(f"extra: write '{key.lstrip('-')}' without dashes")
            if key in _TYPED:
                raise ValueError(
                    f"extra: '{key}' has a key of its own, '{_TYPED[key]}', whose "
                    "limits are checked"
                )
            if key in _OURS:
                raise ValueError(f"extra: '{key}' is set by the runner")
        return self


class Rule(Request):
    """What nodes with one selector ask for."""

    use: str | None = Field(default=None, description="class that this adds to")


class Escalation(Params):
    """What to change when a task ended in one state; nothing: once more as it was."""

    mem: str | None = Field(default=None, pattern=r"^x\d+(\.\d+)?$", description="x1.5")
    time: str | None = Field(default=None, pattern=r"^x\d+(\.\d+)?$", description="x2")
    max: str | None = Field(default=None, description="most memory, or longest time")
    exclude_node: bool = Field(default=False, description="not on that node again")

    @model_validator(mode="after")
    def _one_thing_that_grows(self) -> Self:
        if self.mem and self.time:
            raise ValueError("either mem or time grows: 'max' is of one of them")
        factor = self.mem or self.time
        if factor and float(factor[1:]) <= 1:
            raise ValueError(f"{factor} is no growth")
        if self.max and not factor:
            raise ValueError("'max' needs mem or time that grows")
        if self.max:
            (parse_mem if self.mem else parse_time)(self.max)
        return self


# BOOT_FAIL counts as NODE_FAIL; a preempted job comes back by itself, under its id.
State = Literal["OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "FAILED", "CANCELLED"]
_ESCALATE: dict[State, Escalation] = {
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
    escalate: dict[State, Escalation] = Field(
        default_factory=lambda: dict(_ESCALATE), description="retries, by state"
    )
    nodes: dict[str, Rule] = Field(
        default_factory=dict, description="rules, by node selector"
    )

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> SlurmConfig:
        """Check the configuration as loaded.

        Raises:
            ConfigError: Each unknown or wrong key, with the nearest one that exists.
        """
        said = {key: value for key, value in values.items() if value is not None}
        try:
            config = cls.model_validate(said)
        except ValidationError as exc:
            lines = "\n".join(_told(error) for error in exc.errors())
            raise ConfigError(f"slurm.yml is wrong:\n{lines}", where=WHERE) from exc
        for selector, rule in config.nodes.items():
            if rule.use is not None and rule.use not in config.classes:
                where = f"{WHERE}, nodes: {selector}"
                raise unknown("class", rule.use, config.classes, where)
        return config

    def sibling(self, partition: str | None) -> str | None:
        """Partition for jobs that run out of time in this one."""
        known = self.partitions.get(partition or "")
        return known.long_sibling if known is not None else None


def unknown(what: str, name: str, known: Iterable[str], where: str) -> ConfigError:
    """The error for a name that is not among the known ones."""
    there = sorted(known)
    near = get_close_matches(name, there, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return ConfigError(
        f"There is no {what} '{name}'",
        where=where,
        fix=f"{hint}known: {', '.join(there) or 'none'}",
    )


_GROUPS: dict[str, type[Params]] = {
    "classes": Request,
    "defaults": Request,
    "escalate": Escalation,
    "fan_out": FanOut,
    "nodes": Rule,
    "partitions": Partition,
    "poll": Poll,
}


def _told(error: Any) -> str:
    """One finding of pydantic in plain words."""
    path = [str(part) for part in error["loc"] if part != "[key]"]
    place = ".".join(path)
    if error["type"] == "extra_forbidden":
        key = path[-1]
        # 'fan_out' lies inside another group: the innermost one counts.
        inside = [_GROUPS[part] for part in path[:-1] if part in _GROUPS]
        known = (inside[-1] if inside else SlurmConfig).model_fields
        near = get_close_matches(key, sorted(known), n=1)
        meant = f"; did you mean '{near[0]}'?" if near else ""
        return f"  - {place}: there is no such key{meant}"
    return f"  - {place}: {error['msg'].removeprefix('Value error, ')}"
