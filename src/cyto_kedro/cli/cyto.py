"""The console script `cyto -p PIPELINE.yaml`, as pyCyto's users know it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cyto_kedro.cli.legacy_command import shared_options, told, wanted_of
from cyto_kedro.core.errors import ConfigError, CytoError


@click.command(name="cyto")
@click.option(
    "--pipeline",
    "-p",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="pyCyto's pipeline file.",
)
@shared_options
@click.option("--runner", default=None, help="Kedro runner; else the profile's.")
@click.option("--dry-run", is_flag=True, help="Show what SLURM would be asked for.")
@click.option("--verbose", "-v", is_flag=True, help="Accepted; a run always reports.")
def main(
    pipeline: Path, runner: str | None, dry_run: bool, verbose: bool, **values: Any
) -> None:
    """Run a pipeline file of pyCyto, from anywhere inside the project's folder."""
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    from cyto_kedro.cli.legacy import run_yaml

    try:
        root = find_kedro_project(Path.cwd())
        if root is None:
            raise ConfigError(
                "This is not inside a project of cyto_kedro",
                where=str(Path.cwd()),
                fix="cd to the folder with pyproject.toml and conf/",
            )
        metadata = bootstrap_project(Path(root))
        told(run_yaml(metadata, wanted_of(pipeline, values), runner, dry_run))
    except CytoError as exc:
        raise click.ClickException(str(exc)) from exc


if __name__ == "__main__":
    main()
