"""Every key of a pipeline file is accounted for: what the stages do not report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import STAGES, DagPipeline, Item, LegacyPipeline, Task
from cyto_kedro.legacy.names import misspelt, nearest
from cyto_kedro.legacy.plan import Plan
from cyto_kedro.legacy.report import Report, Verdict
from cyto_kedro.legacy.state import State

_Pipeline = LegacyPipeline | DagPipeline
_UNKNOWN = "no key of pyCyto's format"


def check_keys(document: _Pipeline) -> None:
    """Refuse keys that were probably meant to be others.

    Raises:
        ConfigError: A stage that does not exist, or a key that is nearly one.
    """
    for where, part in _parts(document):
        known = list(type(part).model_fields)
        if where == "pipeline" and part.unknown:
            name = next(iter(part.unknown))
            raise ConfigError(
                f"There is no stage '{name}'",
                where="pipeline",
                fix=f"{nearest(name, known)}stages: {', '.join(known)}",
            )
        for name in part.unknown:
            if misspelt(name, known):
                raise ConfigError(
                    f"There is no key '{name}'",
                    where=where or "the file",
                    fix=f"{nearest(name, known)}keys: {', '.join(known)}",
                )


def _parts(document: _Pipeline) -> Iterator[tuple[str, Any]]:
    """All parts of the file that have named keys, and where they stand."""
    yield "", document
    if isinstance(document, DagPipeline):
        for name, task in document.tasks.items():
            yield f"tasks.{name}", task
        return
    yield "pipeline", document.pipeline
    if document.pipeline.label_to_sparse is not None:
        yield "pipeline.label_to_sparse", document.pipeline.label_to_sparse
    for stage in STAGES:
        for number, item in enumerate(getattr(document.pipeline, stage)):
            yield f"pipeline.{stage}[{number}]", item


def account(document: _Pipeline, plan: Plan, state: State) -> None:
    """Add a row for each key that was written and that no stage has reported."""
    steps = {step.key.split(" ")[0]: step for step in plan.steps}
    for where, part in _parts(document):
        for name in part.unknown if where else ():
            state.report.add(f"{_place(where, steps)}{name}", "ignored", "", _UNKNOWN)
        if where not in steps:
            continue
        step = steps[where]
        rows = _of_task(part) if isinstance(part, Task) else _of_item(part)
        nodes = ", ".join(state.nodes.get(step.task, ()))
        _add(state.report, step.key, "mapped", nodes, "")
        for name, (verdict, note) in rows.items():
            if name in part.model_fields_set:
                _add(state.report, f"{step.key} {name}", verdict, "", note)
        if step.word in part.model_fields_set and not step.args:
            _add(state.report, f"{step.key} {step.word}", "mapped", "", "none")
    table = getattr(getattr(document, "pipeline", None), "label_to_sparse", None)
    if table is not None and "output" in table.model_fields_set:
        key = "pipeline.label_to_sparse output"
        _add(state.report, key, "mapped", "", _written(table.output))


def _place(where: str, steps: Mapping[str, Any]) -> str:
    return f"{steps[where].key} " if where in steps else f"{where} "


def _add(report: Report, key: str, verdict: Verdict, ours: str, note: str) -> None:
    """Unless something was said of the key already."""
    if not any(row.key == key for row in report.rows):
        report.add(key, verdict, ours, note)


def _written(output: bool) -> str:
    return "written to output_dir" if output else "kept with the run only"


def _of_item(item: Item) -> dict[str, tuple[Verdict, str]]:
    return {
        "channels": ("mapped", _words(item.channels)),
        "tag": ("mapped", f"resources may name it '{item.tag}'"),
        "input_type": ("ignored", "a module's inputs are known"),
        "output_type": ("mapped", "which of its files are written"),
        "output_channel_name": ("mapped", _words(item.output_channel_name)),
        "output": ("mapped", _written(item.output)),
        "role": ("mapped", f"{item.role}"),
    }


def _of_task(task: Task) -> dict[str, tuple[Verdict, str]]:
    order = "runs after them; without a channel of its own it takes theirs"
    return {
        "dependencies": ("mapped", order if task.dependencies else "none"),
        "tags": ("mapped", "one that names a channel says what the task works on"),
        "channel": ("mapped", _words(task.channel)),
        "output_channel_name": ("mapped", _words(task.output_channel_name)),
        "output": ("mapped", _written(task.output)),
        "role": ("mapped", f"{task.role}"),
    }


def _words(names: Any) -> str:
    """``A, B with C``."""
    if isinstance(names, str):
        return names
    return ", ".join(n if isinstance(n, str) else " with ".join(n) for n in names)
