"""pyCyto's pipeline files from Python: what `kedro cyto run-yaml` does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto_kedro.cli.legacy import Ran, Wanted, project_here
from cyto_kedro.cli.legacy import import_yaml as _import
from cyto_kedro.cli.legacy import run_yaml as _run
from cyto_kedro.legacy.state import Options


def run_yaml(
    pipeline: Path | str,
    *,
    resources: Path | str | None = None,
    profile: str | None = None,
    channels: Mapping[str, str] | None = None,
    runner: str | None = None,
    dry_run: bool = False,
    skip_refused: bool = False,
    **options: Any,
) -> Ran:
    """Run a pipeline file of pyCyto, from anywhere inside the project's folder.

    Args:
        pipeline: The file; its relative paths start at the current folder.
        resources: Resources file; ``pipeline-resources.X.yaml`` beside
            ``pipeline.X.yaml`` by default.
        profile: hybrid, container, local, cluster or cloud; else what the files say.
        channels: Image files by channel, where the file names none.
        runner: Dotted name of a Kedro runner; else the profile's.
        dry_run: Show what SLURM would be asked for.
        skip_refused: Leave out what has no equivalent.
        options: See :class:`cyto_kedro.legacy.state.Options`.

    Returns:
        Run id, environment, translation with its report, and the files that were
        copied to ``output_dir``.

    Raises:
        ConfigError: The file cannot be translated, or there is no project here.
        MoviesFailed: The movie failed.
    """
    wanted = _wanted(pipeline, resources, profile, channels, skip_refused, options)
    return _run(project_here(), wanted, runner, dry_run)


def import_yaml(
    pipeline: Path | str,
    env_name: str | None = None,
    *,
    resources: Path | str | None = None,
    profile: str | None = None,
    channels: Mapping[str, str] | None = None,
    skip_refused: bool = False,
    force: bool = False,
    **options: Any,
) -> Path:
    """Translate a pipeline file of pyCyto into an environment; returns its folder.

    Args:
        pipeline: The file.
        env_name: Name of the environment; the file's by default.
        resources: As in :func:`run_yaml`.
        profile: As in :func:`run_yaml`.
        channels: As in :func:`run_yaml`.
        skip_refused: As in :func:`run_yaml`.
        force: Overwrite an environment that was translated from this very file.
        options: See :class:`cyto_kedro.legacy.state.Options`.

    Raises:
        ConfigError: The file or the environment's name cannot be used.
    """
    wanted = _wanted(pipeline, resources, profile, channels, skip_refused, options)
    return _import(project_here(), wanted, env_name, force)[0]


def _wanted(
    pipeline: Path | str,
    resources: Path | str | None,
    profile: str | None,
    channels: Mapping[str, str] | None,
    skip_refused: bool,
    options: dict[str, Any],
) -> Wanted:
    return Wanted(
        pipeline=Path(pipeline),
        resources=None if resources is None else Path(resources),
        profile=profile,
        channels=dict(channels or {}),
        options=Options(**options),
        skip_refused=skip_refused,
    )
