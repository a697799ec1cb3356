"""The console script `cyto -p PIPELINE.yaml`, as pyCyto's users know it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cyto_kedro.cli.legacy_command import shared_options, told, wanted_of
from cyto_kedro.core.errors import CytoError


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
    from cyto_kedro.cli.legacy import project_here, run_yaml

    try:
        wanted = wanted_of(pipeline, values)
        told(run_yaml(project_here(), wanted, runner, dry_run))
    except CytoError as exc:
        raise click.ClickException(str(exc)) from exc


if __name__ == "__main__":
    main()
