"""`run-yaml` and `import-yaml`: pyCyto's pipeline files, run or translated."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from kedro.framework.startup import ProjectMetadata, bootstrap_project
from kedro.runner import AbstractRunner
from kedro.utils import find_kedro_project, load_obj

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.cli.legacy_publish import publish
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.datasets.sources import read_stack
from cyto_kedro.legacy.formats import (
    DagPipeline,
    LegacyPipeline,
    read_pipeline,
    read_resources,
    sibling_resources,
)
from cyto_kedro.legacy.resources import LOCAL
from cyto_kedro.legacy.state import Facts, Options
from cyto_kedro.legacy.toml import read_layers, translate_toml
from cyto_kedro.legacy.translate import Translation, environment_name, translate
from cyto_kedro.legacy.write import write_environment, write_toml
from cyto_kedro.session import CytoSession

logger = logging.getLogger(__name__)

#: Environments of files that are run without having been imported.
RUN_PREFIX = "pycyto_"
# Frames that a channel's mean is measured on.
_SAMPLED = 8
_ALLOCATION = "cyto_kedro.runners.AllocationRunner"
_SLURM = "cyto_kedro.runners.SlurmRunner"


@dataclass(frozen=True)
class Wanted:
    """What the user says beside the pipeline file.

    Attributes:
        pipeline: The file.
        resources: Its resources; the sibling ``pipeline-resources.X.yaml`` by default.
        profile: Execution profile.
        channels: Image files by channel, for files that name none.
        options: Further wishes.
        skip_refused: Leave out what has no equivalent.
    """

    pipeline: Path
    resources: Path | None = None
    profile: str | None = None
    channels: dict[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    skip_refused: bool = False


def project_here() -> ProjectMetadata:
    """The project around the current folder, ready for a session.

    Raises:
        ConfigError: There is none.
    """
    root = find_kedro_project(Path.cwd())
    if root is None:
        raise ConfigError(
            "This is not inside a project of cyto_kedro",
            where=str(Path.cwd()),
            fix="cd to the folder with pyproject.toml and conf/",
        )
    return bootstrap_project(Path(root))


def translation_of(wanted: Wanted, name: str | None = None) -> Translation:
    """Translate a file; its images are opened for what they say of themselves.

    Raises:
        ConfigError: The file cannot be translated, or not as a whole.
    """
    document = read_pipeline(wanted.pipeline)
    if wanted.channels:
        known = dict(document.channels) | wanted.channels
        document = document.model_copy(update={"channels": known})
    beside = wanted.resources or sibling_resources(wanted.pipeline)
    translation = translate(
        document,
        name=name or environment_name(wanted.pipeline),
        base=Path.cwd(),
        facts=facts_of(document),
        resources=None if beside is None else read_resources(beside),
        profile=wanted.profile,
        options=wanted.options,
    )
    if not wanted.skip_refused:
        translation.refuse()
    return translation


def facts_of(document: LegacyPipeline | DagPipeline) -> Facts:
    """What the first image that is there says about size, pixels and time."""
    for path in document.channels.values():
        if path is None:
            continue
        try:
            raw = read_stack(Path.cwd() / path, None, None)
        except InputError as exc:
            logger.warning(
                "%s cannot be read, so only the pipeline file says what pixels and "
                "frames are: %s",
                path,
                str(exc).splitlines()[0],
            )
            continue
        pixel = raw.pixel_size_um
        frames, height, width = raw.data.shape
        interval = raw.frame_interval_min
        if interval is None and raw.frame_times_min and len(raw.frame_times_min) > 1:
            interval = raw.frame_times_min[1] - raw.frame_times_min[0]
        return Facts(
            shape=(frames, height, width),
            pixel_size_um=None if pixel is None else float(pixel[1]),
            frame_interval_min=interval,
            full_scale=_full_scale(raw.data.dtype),
            means=_means(document),
        )
    return Facts()


def _means(document: LegacyPipeline | DagPipeline) -> dict[str, float]:
    """Mean grey value of channels that are merged without weights, by a few frames."""
    if not isinstance(document, LegacyPipeline):
        return {}
    merges = [
        item
        for item in document.pipeline.preprocessing
        if item.name == "ChannelMerge" and "weights" not in item.args
    ]
    groups = [g for item in merges if item.channels != "all" for g in item.channels]
    names = {name for group in groups if isinstance(group, list) for name in group}
    means = {}
    for name in sorted(names & set(document.channels)):
        path = document.channels[name]
        try:
            data = read_stack(Path.cwd() / str(path), None, None).data
        except InputError:
            continue
        frames = np.unique(np.linspace(0, len(data) - 1, _SAMPLED).round().astype(int))
        means[name] = float(np.mean([compute_frame(data, int(t)) for t in frames]))
    return means


def _full_scale(dtype: np.dtype) -> float:
    """The largest value of an image type; 1 for floating point, as in scikit-image."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def import_yaml(
    metadata: ProjectMetadata, wanted: Wanted, env: str | None, force: bool
) -> tuple[Path, Translation]:
    """Translate a file into an environment of its own.

    Raises:
        ConfigError: The file or the environment's name cannot be used.
    """
    name = env or environment_name(wanted.pipeline)
    # What is imported goes on beyond the file: to kills and survival.
    options = replace(wanted.options, markers=True)
    translation = translation_of(replace(wanted, options=options), name)
    conf = Path(metadata.project_path) / "conf"
    source = wanted.pipeline
    return write_environment(translation, conf, name, source, force=force), translation


def import_toml(folder: Path, conf: Path, env: str, force: bool) -> list[Path]:
    """Translate the TOML files of a folder into an environment; returns its files.

    Raises:
        ConfigError: There are none, or files of the environment would be overwritten.
    """
    values = read_layers(folder, "config") | read_layers(folder, "benchmark")
    if not values:
        raise ConfigError(
            "The folder has neither config.def.toml nor benchmark.def.toml",
            where=str(folder),
            fix="name pyCyto's notebooks/ or scripts/benchmark/",
        )
    files, report = translate_toml(values)
    return write_toml(files, report, conf / env, folder, force=force)


@dataclass(frozen=True)
class Ran:
    """What `run-yaml` did.

    Attributes:
        run_id: The run.
        env: Its environment.
        translation: What the file came to, with the report of its keys.
        files: What was copied to ``output_dir``.
        folder: Folder of the run; None after a dry run.
    """

    run_id: str
    env: str
    translation: Translation
    files: list[Path]
    folder: Path | None = None


def run_yaml(
    metadata: ProjectMetadata,
    wanted: Wanted,
    runner: str | None = None,
    dry_run: bool = False,
) -> Ran:
    """Run a file through our pipelines and copy what it asks for to ``output_dir``.

    The environment that it is translated to stays, so that the run can be looked at,
    resumed and exported; the next run of the same file replaces it.

    Args:
        metadata: The project.
        wanted: The file and how to take it.
        runner: Dotted name of a Kedro runner; chosen by the profile by default.
        dry_run: Show what would be submitted to SLURM.

    Raises:
        ConfigError: The file cannot be translated, or a container engine is missing.
        MoviesFailed: The movie failed.
    """
    name = environment_name(wanted.pipeline)
    translation = translation_of(wanted, name)
    env = RUN_PREFIX + name
    project = Path(metadata.project_path)
    folder = write_environment(
        translation, project / "conf", env, wanted.pipeline, force=True
    )
    logger.info("%s is run as environment '%s': %s", wanted.pipeline, env, folder)
    for row in translation.report.of("changed"):
        logger.warning("%s: %s", row.key, row.note)
    chosen = runner_of(translation, wanted.profile, runner, dry_run)
    session = CytoSession.create(project_path=project, env=env)
    with session:
        session.run(pipeline_names=list(translation.pipelines), runner=chosen)
    run_id = session.session_id
    if dry_run:
        return Ran(run_id, env, translation, [])
    run = FinishedRun.open(metadata, run_id, env)
    files = publish(run, translation)
    return Ran(run_id, env, translation, files, run.folder)


def runner_of(
    translation: Translation, wanted: str | None, runner: str | None, dry_run: bool
) -> AbstractRunner | None:
    """The runner that a profile needs; None: Kedro's sequential one.

    Raises:
        ConfigError: The profile's container engine is missing, or is Kubernetes.
    """
    boxed = translation.in_containers
    if not translation.execution and wanted not in (None, LOCAL):
        boxed = True  # a profile of conf/base
    if runner is None and dry_run:
        runner = _SLURM
    if runner is None and translation.profile == "cluster":
        runner = _SLURM if boxed or translation.slurm else None
    elif runner is None and boxed:
        runner = _ALLOCATION
    if runner is None:
        return None
    options: dict[str, Any] = {}
    if runner in (_SLURM, _ALLOCATION):
        named = bool(translation.execution) or boxed
        options["profile"] = translation.profile if named else LOCAL
    if dry_run:
        options["dry_run"] = True
    if boxed:
        _check_engines(translation)
    made: AbstractRunner = load_obj(runner, "kedro.runner")(**options)
    return made


def _check_engines(translation: Translation) -> None:
    profiles = translation.execution.get("profiles", {})
    entries = profiles.get(translation.profile, {})
    engines = sorted({str(e["engine"]) for e in entries.values()} - {"bare"})
    if "kubernetes" in engines:
        env, profile = translation.name, translation.profile
        node = next(n for n, e in entries.items() if e["engine"] == "kubernetes")
        raise ConfigError(
            f"The profile '{translation.profile}' runs on Kubernetes, to which nothing "
            "is submitted from here",
            where="execution_configs",
            fix=f"kedro cyto import-yaml makes conf/{env}; then python -m "
            f"cyto_kedro.runners.kubernetes --env {env} --profile {profile} --node "
            f"{node} -- kedro run --env {env} writes the Job; or run with --profile "
            "local",
        )
    missing = [one for one in engines if shutil.which(one) is None]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} is not installed on this machine, or not in PATH",
            where=f"execution_configs.{translation.profile}",
            fix="run with --profile local, or install it",
        )
