"""Both pipeline formats as one list of steps in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import STAGES, DagPipeline, Item, LegacyPipeline, Task
from cyto_kedro.legacy.modules import FUNCTIONS, MODULES, Module
from cyto_kedro.legacy.names import bind, nearest, unbound

Channels = Literal["all"] | list[str | list[str]]


@dataclass(frozen=True)
class Step:
    """One module applied to some channels.

    Attributes:
        key: Where it stands in the file, for the report.
        task: Id of the task; name or tag of the item.
        module: Class name, a key of ``MODULES``.
        args: Its arguments as written.
        channels: Channels, or pairs of channels; ``all``.
        outputs: ``output_channel_name``.
        publish: Whether the user wants its result as a file.
        kind: ``role:`` of the item, if it says one.
        input_type, output_type: As written.
        word: What the file calls its arguments.
    """

    key: str
    task: str
    module: str
    args: dict[str, Any]
    channels: Channels = "all"
    outputs: tuple[str, ...] = ()
    publish: bool = False
    kind: str | None = None
    input_type: tuple[str, ...] = ()
    output_type: tuple[str, ...] = ()
    word: str = "args"

    @property
    def spec(self) -> Module:
        """What is known of the module."""
        return MODULES[self.module]

    def wants(self, kind: str) -> bool:
        """Whether a result of this kind is among those that the step publishes."""
        return self.publish and (not self.output_type or kind in self.output_type)

    def singles(self, known: Sequence[str]) -> list[str]:
        """Its channels one by one; those of ``known`` for ``all``.

        Raises:
            ConfigError: A pair is given, or a channel is not known.
        """
        if self.channels == "all":
            return list(known)
        for name in self.channels:
            if not isinstance(name, str):
                raise ConfigError(
                    f"{self.module} takes channels one by one, not {name}",
                    where=self.key,
                    fix="write channels: [A, B]",
                )
            check_known(name, known, self.key)
        return [name for name in self.channels if isinstance(name, str)]

    def pairs(self, known: Sequence[str]) -> list[tuple[str, ...]]:
        """Its groups of channels.

        Raises:
            ConfigError: They are not given as groups, or a channel is not known.
        """
        groups = [] if self.channels == "all" else self.channels
        if not groups or any(isinstance(group, str) for group in groups):
            raise ConfigError(
                f"{self.module} takes groups of channels",
                where=self.key,
                fix="write channels: [[A, B]]; there are: " + ", ".join(known),
            )
        for group in groups:
            for name in group:
                check_known(name, known, self.key)
        return [tuple(group) for group in groups]


@dataclass(frozen=True)
class Plan:
    """What a pipeline file asks for."""

    steps: tuple[Step, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    publish_tables: bool = False
    #: Arguments of every task by id, for resources; in legacy files, by tag or name.
    tasks: tuple[str, ...] = field(default=())
    #: Where the file says which tables are made, for the report.
    tables: str = "pipeline.label_to_sparse"


def check_known(name: str, known: Sequence[str], where: str) -> None:
    """Refuse a channel that does not exist at this point."""
    if name not in known:
        raise ConfigError(
            f"There is no channel or table '{name}' here",
            where=where,
            fix=f"{nearest(name, known)}there are: {', '.join(known) or 'none'}",
        )


def plan_of(document: LegacyPipeline | DagPipeline) -> Plan:
    """The steps of a pipeline file.

    Raises:
        ConfigError: An unknown module, a task without channel, dependencies in a loop.
    """
    if isinstance(document, DagPipeline):
        return _of_tasks(document)
    return _of_stages(document)


def _of_stages(document: LegacyPipeline) -> Plan:
    steps = [
        _of_item(item, stage, f"pipeline.{stage}[{number}]")
        for stage in STAGES
        for number, item in enumerate(getattr(document.pipeline, stage))
    ]
    table = document.pipeline.label_to_sparse
    tasks = tuple(dict.fromkeys(step.task for step in steps))
    if table is None:
        return Plan(tuple(steps), tasks=tasks)
    return Plan(tuple(steps), tuple(table.image_label_pair), table.output, tasks)


def _of_item(item: Item, stage: str, key: str) -> Step:
    module = known_module(item.name, key)
    if MODULES[module].stage != stage:
        raise ConfigError(
            f"'{item.name}' belongs to the stage {MODULES[module].stage}",
            where=key,
            fix=f"move it to pipeline.{MODULES[module].stage}",
        )
    return Step(
        key=f"{key} {module}",
        task=item.tag or item.name,
        module=module,
        args=item.args,
        channels=item.channels,
        outputs=item.output_channel_name,
        publish=item.output,
        kind=item.role,
        input_type=item.input_type,
        output_type=item.output_type,
    )


def known_module(name: str, where: str) -> str:
    """The class name of a module given by class name or dotted path.

    Names are looked up in :data:`MODULES`; nothing is imported.

    Raises:
        ConfigError: It is not known, with the nearest that is.
    """
    path, _, last = name.rpartition(".")
    module = last if last in MODULES else FUNCTIONS.get(last)
    if module is None:
        raise ConfigError(
            f"There is no module '{name}'",
            where=where,
            fix=f"{nearest(last, MODULES)}known modules: {', '.join(MODULES)}",
        )
    known = MODULES[module]
    if path and path != "cyto" and not known.is_at(name):
        raise ConfigError(
            f"There is no module '{name}'",
            where=where,
            fix=f"did you mean '{known.path}'?",
        )
    return module


def _of_tasks(document: DagPipeline) -> Plan:
    order = _in_order(document.tasks)
    channels: dict[str, list[str]] = {}
    steps, pairs = [], []
    for name in order:
        task = document.tasks[name]
        module = known_module(task.module, f"tasks.{name}.module")
        found = _channels(name, task, document, channels)
        channels[name] = found
        grouped = MODULES[module].grouped
        steps.append(
            Step(
                key=f"tasks.{name} {module}",
                task=name,
                module=module,
                args=task.params,
                channels=[found] if grouped else list(found),
                outputs=task.output_channel_name,
                publish=task.output,
                kind=task.role,
                word="params",
            )
        )
        if MODULES[module].stage == "tabulation":
            pairs += [(one, one) for one in found]
    ranked = sorted(steps, key=lambda step: _rank(step.spec.stage))
    return Plan(
        tuple(ranked), tuple(dict.fromkeys(pairs)), tasks=tuple(order), tables="tables"
    )


def _rank(stage: str) -> int:
    order = ("preprocessing", "segmentation", "tabulation", "tracking")
    return order.index(stage) if stage in order else len(order)


def _channels(
    name: str, task: Task, document: DagPipeline, before: Mapping[str, list[str]]
) -> list[str]:
    """What a task works on: its key, its id, its tags, or what it depends on."""
    merged = [
        out for other in document.tasks.values() for out in other.output_channel_name
    ]
    known = list(dict.fromkeys([*document.channels, *merged]))
    if task.channel:
        for channel in task.channel:
            check_known(channel, known, f"tasks.{name}.channel")
        return list(task.channel)
    found = bind(name, task.tags, known)
    if found is not None:
        return [found]
    earlier = [one for other in task.dependencies for one in before[other]]
    if earlier:
        return list(dict.fromkeys(earlier))
    if len(known) == 1:
        return known
    raise unbound(name, known)


def _in_order(tasks: Mapping[str, Task]) -> list[str]:
    """Task ids, each after those that it depends on."""
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(name: str, asked_by: str) -> None:
        if name not in tasks:
            raise ConfigError(
                f"'{asked_by}' depends on '{name}', which is no task",
                where=f"tasks.{asked_by}.dependencies",
                fix=f"{nearest(name, tasks)}tasks: {', '.join(tasks)}",
            )
        if name in path:
            raise ConfigError(
                "Tasks depend on each other in a loop: " + " -> ".join([*path, name]),
                where="tasks",
                fix="remove one of these dependencies",
            )
        if name not in done:
            path.append(name)
            for other in tasks[name].dependencies:
                visit(other, name)
            path.pop()
            done[name] = None

    for name in tasks:
        visit(name, name)
    return list(done)
