"""`kedro cyto ...`: the commands of this project beside Kedro's own."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli import housekeeping, lifecycle, run_commands
from cyto_kedro.cli.doctor_command import doctor
from cyto_kedro.cli.events_command import events_group
from cyto_kedro.cli.export_command import export_command
from cyto_kedro.cli.help import SectionedGroup
from cyto_kedro.cli.init_command import init
from cyto_kedro.cli.legacy_command import import_toml, import_yaml, run_yaml
from cyto_kedro.cli.options import complete_movie, env_option
from cyto_kedro.cli.run import kedro_run, plain
from cyto_kedro.cli.weights_command import weights


class _PlainErrors(SectionedGroup):
    """Shows the errors that a user can act on as a message, not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Exception as exc:
            raise plain(exc) from exc


@click.group(name="cyto_kedro")
def cli() -> None:
    """Kedro finds this group by its name and adds its commands to its own."""


cli.add_command(kedro_run())


@cli.group(name="cyto", cls=_PlainErrors)
def cyto() -> None:
    """Movies of immune cells killing cancer cells: before, during and after a run.

    `kedro run` runs. RUN_ID is the id of a run; without it, or as `last`, it means
    the newest one.
    """


@cyto.command()
@click.option("--seed", type=int, default=None, help="Seed of the simulation.")
@click.pass_obj
def example(metadata: ProjectMetadata, seed: int | None) -> None:
    """Simulate the bundled example experiment (a run does so by itself)."""
    from cyto_kedro.cli.example import write

    click.echo(f"Example experiment: {write(metadata, seed)}")


cyto.add_command(init)
cyto.add_command(export_command)
cyto.add_command(run_yaml)
cyto.add_command(import_yaml)
cyto.add_command(import_toml)
cyto.add_command(events_group)


@cyto.command()
@click.argument("movie", shell_complete=complete_movie)
@click.option(
    "--frames",
    default="",
    metavar="0,40,79",
    help="0-based frames to show; first, middle and last by default.",
)
@env_option
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder for the PNGs; <output_root>/preview/<movie> by default.",
)
@click.pass_obj
def preview(
    metadata: ProjectMetadata,
    movie: str,
    frames: str,
    env: str | None,
    output: Path | None,
) -> None:
    """Outline cells on some frames of MOVIE at the current settings."""
    from cyto_kedro.cli.preview import write_preview

    for path in write_preview(metadata, movie, _numbers(frames), env, output):
        click.echo(path)


for _command in (
    *run_commands.COMMANDS,
    *lifecycle.COMMANDS,
    *housekeeping.COMMANDS,
    doctor,
    weights,
):
    cyto.add_command(_command)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as exc:
        raise click.BadParameter(
            f"'{text}' is not a list of frames such as 0,40,79", param_hint="--frames"
        ) from exc
