"""`kedro cyto export`: the command line of :mod:`cyto_kedro.cli.export`."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.options import env_option, movie_option, run_argument

_FORMATS = ("napari", "ome-zarr", "trackmate", "geff", "prism")


@click.command(name="export")
@run_argument
@click.option("--to", type=click.Choice(_FORMATS), required=True, help="Program.")
@movie_option
@env_option
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder; <run>/export/<program> by default.",
)
@click.pass_obj
def export_command(
    metadata: ProjectMetadata,
    run_id: str,
    to: str,
    movie: str | None,
    env: str | None,
    output: Path | None,
) -> None:
    """Write RUN_ID (the newest by default) as files of another program."""
    from cyto_kedro.cli.export import export
    from cyto_kedro.cli.finished import FinishedRun

    for path in export(FinishedRun.open(metadata, run_id, env), to, movie, output):
        click.echo(path)
