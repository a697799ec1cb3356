"""`kedro cyto events export | import`: a person judges what the analysis called."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.options import env_option, movie_option, run_argument


@click.group(name="events")
def events_group() -> None:
    """Check deaths, kills, divisions and contacts by eye, and correct the results."""


@events_group.command(name="export")
@run_argument
@movie_option
@click.option(
    "--controls",
    type=click.FloatRange(0, 10),
    default=1.0,
    show_default=True,
    help="Events that were not called, per called one.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Called events per kind, role and movie.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["death", "kill", "division", "contact"]),
    multiple=True,
    help="What to ask about, several times for several; all by default.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Of the choice of controls and the order.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder; <run>/events by default.",
)
@env_option
@click.pass_obj
def export_events_command(
    metadata: ProjectMetadata,
    run_id: str,
    movie: str | None,
    controls: float,
    most: int,
    kinds: tuple[str, ...],
    seed: int,
    output: Path | None,
    env: str | None,
) -> None:
    """Write the events of RUN_ID (the newest by default) as a sheet with pictures."""
    from cyto_kedro.cli.events import PAGE, SHEET, export_events
    from cyto_kedro.cli.finished import FinishedRun

    run = FinishedRun.open(metadata, run_id, env)
    asked = {"kinds": kinds} if kinds else {}
    folder = export_events(run, movie, output, controls, most, seed, **asked)
    click.echo(f"{folder / PAGE}: open it in a browser, or fill {folder / SHEET}")


@events_group.command(name="import")
@click.argument("sheet", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@env_option
@click.pass_obj
def import_events_command(
    metadata: ProjectMetadata, sheet: Path, env: str | None
) -> None:
    """Compare the filled SHEET with the run and correct the results by it."""
    from cyto_kedro.cli.events_import import import_events, origin_of
    from cyto_kedro.cli.finished import FinishedRun

    run = FinishedRun.open(metadata, origin_of(sheet), env)
    outcome = import_events(run, sheet)
    for line in outcome.words:
        click.echo(line)
    click.echo(outcome.folder)
