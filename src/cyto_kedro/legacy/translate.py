"""A pipeline file of pyCyto as configuration of this project."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.account import account, check_keys
from cyto_kedro.legacy.cells import APPLY
from cyto_kedro.legacy.complete import catalog_of, complete, layout_of
from cyto_kedro.legacy.formats import (
    DagPipeline,
    LegacyPipeline,
    ResourcesFile,
    choose_profile,
)
from cyto_kedro.legacy.frame import calibration_keys, image_range
from cyto_kedro.legacy.names import identifier
from cyto_kedro.legacy.plan import Channels, Plan, Step, plan_of
from cyto_kedro.legacy.report import Report
from cyto_kedro.legacy.resources import execution_of
from cyto_kedro.legacy.roles import finish_pairs, kinds_of
from cyto_kedro.legacy.state import Artefact, Facts, Options, State
from cyto_kedro.legacy.tracking import tabulate

Document = LegacyPipeline | DagPipeline
# Keys that only say what the file is for.
_REMARKS = ("description", "microscope")


@dataclass(frozen=True)
class Translation:
    """What a pipeline file comes to.

    Attributes:
        name: Of the movie, the dataset and the environment.
        layout: Content of ``globals.yml``, without the sheet's path.
        sheet: Rows of the experiment sheet.
        parameters: By category; only what differs from the defaults.
        execution: Content of ``execution.yml``; empty without resources.
        slurm: Content of ``slurm.yml``; empty without resources.
        catalog: Content of ``catalog.yml``; empty where no table is asked for.
        pipelines: Pipelines to run.
        artefacts: Files that the user asked for.
        output_dir: Where they go; None: nowhere.
        profile: Execution profile.
        in_containers: Whether that profile has any container.
        report: What became of every key.
    """

    name: str
    layout: dict[str, Any]
    sheet: list[dict[str, Any]]
    parameters: dict[str, Any]
    pipelines: tuple[str, ...]
    artefacts: tuple[Artefact, ...]
    output_dir: Path | None
    profile: str
    report: Report
    execution: dict[str, Any] = field(default_factory=dict)
    slurm: dict[str, Any] = field(default_factory=dict)
    catalog: dict[str, Any] = field(default_factory=dict)
    in_containers: bool = False

    def refuse(self) -> None:
        """Raise a ConfigError where something of the file has no equivalent."""
        refused = self.report.of("refused")
        if refused:
            lines = [f"  - {row.key}: {row.note}" for row in refused]
            raise ConfigError(
                "Parts of the file have no equivalent here:\n" + "\n".join(lines),
                fix="remove them, or leave them out with --skip-refused",
            )


def translate(
    document: Document,
    *,
    name: str,
    base: Path,
    facts: Facts | None = None,
    resources: ResourcesFile | None = None,
    profile: str | None = None,
    options: Options | None = None,
) -> Translation:
    """Translate a pipeline file; no file is read and nothing is run.

    Args:
        document: The file.
        name: Name of the environment to be.
        base: Folder that relative paths in the file start at.
        facts: What the image files say.
        resources: The resources file.
        profile: Execution profile that the user wants.
        options: Further wishes of the user.

    Raises:
        ConfigError: Something in the file cannot be meant as it is written.
    """
    check_keys(document)
    report, facts = Report(), facts or Facts()
    pixel_um, keys = calibration_keys(document, facts, report)
    state = State(pixel_um, options or Options(), report, _channels(document, base))
    state.written = {identifier(one): one for one in document.channels}
    if not state.channels:
        raise _no_channels(document)
    plan = _renamed(plan_of(document))
    state.full_scale = facts.full_scale
    state.means = {identifier(one): mean for one, mean in facts.means.items()}
    state.measured = tuple(dict.fromkeys(masks for _, masks in plan.pairs))
    _remarks(document, report)
    _apply(state, plan)
    _contact_rule(document, state)
    kinds = kinds_of(state)
    finish_pairs(state, kinds)
    for role, kind in kinds.items():
        state.roles[role] = {"kind": kind} | state.roles[role]
    layout = layout_of(name, state, keys)
    cropped = image_range(document, facts, report)
    if cropped:
        state.put("ingest.image_range", cropped)
    complete(state)
    chosen = choose_profile(
        profile,
        document.execution_profile,
        resources.default_profile if resources else None,
    )
    execution, slurm, boxed = execution_of(resources, chosen, plan, state)
    account(document, plan, state)
    folder = document.output_dir
    return Translation(
        name=name,
        layout=layout,
        sheet=[{"movie": name, "condition": "imported", "control": False}],
        parameters=state.parameters,
        pipelines=tuple(state.pipelines) or ("ingest",),
        artefacts=tuple(state.artefacts.values()),
        output_dir=None if folder is None else base / folder,
        profile=chosen,
        report=report,
        execution=execution,
        slurm=slurm,
        catalog=catalog_of(state.artefacts.values()),
        in_containers=boxed,
    )


def environment_name(path: Path) -> str:
    """``pipeline.my_movie.yaml`` -> ``my_movie``: names a movie and a folder."""
    stem = re.sub(r"\.ya?ml$", "", path.name)
    stem = re.sub(r"^pipelines?[._-]+", "", stem)
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-") or "imported"


def _channels(document: Document, base: Path) -> dict[str, str]:
    return {
        identifier(name): str(base / path)
        for name, path in document.channels.items()
        if path is not None
    }


def _no_channels(document: Document) -> ConfigError:
    first = next(iter(getattr(document, "tasks", {})), "NAME")
    guess = first.split("_")[0]
    return ConfigError(
        "The file names no images",
        where="channels",
        fix=f"--channel {guess}=PATH for each channel, or the key 'channels' with "
        "NAME: PATH",
    )


def _renamed(plan: Plan) -> Plan:
    """Channels under names that may be keys."""

    def channels(given: Channels) -> Channels:
        if given == "all":
            return given
        return [
            identifier(one) if isinstance(one, str) else [identifier(n) for n in one]
            for one in given
        ]

    def renamed(step: Step) -> Step:
        outputs = tuple(identifier(one) for one in step.outputs)
        return replace(step, channels=channels(step.channels), outputs=outputs)

    pairs = tuple((identifier(a), identifier(b)) for a, b in plan.pairs)
    return replace(plan, steps=tuple(map(renamed, plan.steps)), pairs=pairs)


def _remarks(document: Document, report: Report) -> None:
    """What is at the top of the file and is not a setting."""
    for key in _REMARKS:
        if getattr(document, key) is not None:
            report.add(key, "ignored", "", "a remark; conditions go into the sheet")
    if getattr(document, "fiji_dir", None) is not None:
        report.add("fiji_dir", "ignored", "", "tracking needs no Fiji")
    for name, path in document.channels.items():
        if path is None:
            report.add(f"channels.{name}", "ignored", "", "it has no file")
        else:
            ours = f"channels.{identifier(name)}.files"
            report.add(f"channels.{name}", "mapped", ours)
    for key in document.unknown:
        report.add(key, "ignored", "", "no key of pyCyto's format")
    if document.output_dir is not None:
        report.add(
            "output_dir",
            "mapped",
            "run-yaml",
            "results with output: true are copied there; whole runs are kept below "
            "output_root",
        )


def _apply(state: State, plan: Plan) -> None:
    tabulated = False
    for step in plan.steps:
        spec = step.spec
        early = spec.stage in ("preprocessing", "segmentation")
        if not early and not tabulated:
            tabulate(state, plan)
            tabulated = True
        if spec.refused:
            state.report.add(step.key, "refused", "", spec.refused)
        elif spec.stage == "tabulation":
            state.arguments(step, "tabulation")
            state.done_by(step, *step.singles(list(state.roles)))
        else:
            APPLY[step.module](state, step)
    if not tabulated:
        tabulate(state, plan)


def _contact_rule(document: Document, state: State) -> None:
    """How contacts are counted: by distance, or by overlap as pyCyto did."""
    mode = state.options.contacts or document.contacts.get("mode", "edge")
    if mode not in ("edge", "overlap"):
        raise ConfigError(
            f"contacts.mode is '{mode}'", where="contacts.mode", fix="edge or overlap"
        )
    if state.pairs and mode == "overlap":
        state.put("contacts.rule", {"name": "overlap"})
        note = "shared pixels only, as pyCyto; cells that merely touch do not count"
        state.report.add("contacts.mode", "mapped", "contacts.rule", note)
    elif state.pairs:
        state.report.add(
            "contacts",
            "changed",
            "contacts.rule",
            "pyCyto counts overlapping masks only; here cells that touch are in "
            "contact, with episodes and dwell times (--contacts overlap: as pyCyto)",
        )
