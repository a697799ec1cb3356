"""`kedro cyto ...`: the commands of this project beside Kedro's own."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata
from kedro.validation.exceptions import ParameterValidationError

from cyto_kedro.cli import housekeeping, lifecycle
from cyto_kedro.cli.doctor_command import doctor
from cyto_kedro.cli.events_command import events_group
from cyto_kedro.cli.export_command import export_command
from cyto_kedro.cli.help import SectionedGroup
from cyto_kedro.cli.init_command import init
from cyto_kedro.cli.legacy_command import import_toml, import_yaml, run_yaml
from cyto_kedro.core.errors import CytoError

# What a user can act on; anything else is a defect and keeps its traceback.
_USER_ERRORS = (CytoError, ParameterValidationError)


class _PlainErrors(SectionedGroup):
    """Shows the errors that a user can act on as a message, not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Exception as exc:
            raise _plain(exc) from exc


def _plain(error: Exception) -> Exception:
    """A message for the first cause that a user can act on, else the error itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _USER_ERRORS):
            return click.ClickException(str(cause))
        cause = cause.__cause__
    return error


@click.group(name="cyto_kedro")
def cli() -> None:
    """Kedro finds this group by its name and adds its commands to its own."""


def _kedro_run() -> click.Command:
    """Kedro's own `run`, with our errors shown as messages."""
    from kedro.framework.cli.project import run

    ours = copy.copy(run)
    inner = run.callback
    if inner is None:
        return run

    @functools.wraps(inner)
    def callback(*args: object, **options: object) -> object:
        try:
            return inner(*args, **options)
        except Exception as exc:
            raise _plain(exc) from exc

    ours.callback = callback
    return ours


cli.add_command(_kedro_run())


@cli.group(name="cyto", cls=_PlainErrors)
def cyto() -> None:
    """Movies of immune cells killing cancer cells: before, during and after a run.

    `kedro run` runs. RUN_ID is the id of a run; without it, the newest one is meant.
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
@click.argument("movie")
@click.option(
    "--frames",
    default="",
    metavar="0,40,79",
    help="0-based frames to show; first, middle and last by default.",
)
@click.option("--env", "-e", default=None, help="Kedro environment.")
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


_run_argument = click.argument("run_id", default="last")
_env_option = click.option("--env", "-e", default=None, help="Kedro environment.")


def _run_of(metadata: ProjectMetadata, run_id: str, env: str | None) -> tuple:
    from cyto_kedro.cli.project import open_context
    from cyto_kedro.cli.runs import find

    layout = open_context(metadata, env)[1].layout
    return find(layout, run_id), layout


@cyto.command()
@_run_argument
@_env_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def status(
    metadata: ProjectMetadata, run_id: str, env: str | None, as_json: bool
) -> None:
    """How far RUN_ID is (the newest run by default): movies, units, jobs."""
    from cyto_kedro.cli import runs

    facts = runs.status(_run_of(metadata, run_id, env)[0])
    click.echo(json.dumps(facts, indent=1) if as_json else runs.as_text(facts))


@cyto.command()
@_run_argument
@click.argument("name", required=False)
@_env_option
@click.option("--lines", "-n", default=40, show_default=True, help="Lines of each log.")
@click.pass_obj
def logs(
    metadata: ProjectMetadata,
    run_id: str,
    name: str | None,
    env: str | None,
    lines: int,
) -> None:
    """List the logs of RUN_ID, or show the end of those with NAME in their name."""
    from cyto_kedro.cli import runs

    click.echo(runs.logs(_run_of(metadata, run_id, env)[0], name, lines))


@cyto.command()
@_run_argument
@_env_option
@click.pass_obj
def cancel(metadata: ProjectMetadata, run_id: str, env: str | None) -> None:
    """Cancel all SLURM jobs of RUN_ID."""
    from cyto_kedro.cli import runs

    run = _run_of(metadata, run_id, env)[0]
    jobs = runs.cancel(run)
    told = f"cancelled: {', '.join(jobs)}" if jobs else "it has no SLURM jobs"
    click.echo(f"run {run.id}: {told}")


@cyto.command()
@_run_argument
@_env_option
@click.pass_context
def resume(ctx: click.Context, run_id: str, env: str | None) -> None:
    """Go on with RUN_ID as it was started: adopt live jobs, do what is left."""
    from cyto_kedro.cli import runs

    run = _run_of(ctx.obj, run_id, env)[0]
    ctx.exit(runs.resume(run, Path(ctx.obj.project_path)))


@cyto.command()
@_run_argument
@_env_option
@click.pass_obj
def prune(metadata: ProjectMetadata, run_id: str, env: str | None) -> None:
    """Delete logs, batches and staged stores of RUN_ID; results stay."""
    from cyto_kedro.cli import runs

    run, layout = _run_of(metadata, run_id, env)
    count, size = runs.prune(run, layout)
    click.echo(f"run {run.id}: {count} files deleted, {size / 2**20:.1f} MiB")


@cyto.command()
@click.option("--run-id", default="last", help="The newest run by default.")
@click.option("--validate", is_flag=True, help="Exit 0 pass, 1 fail, 2 not judged.")
@click.option(
    "--references",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of reference runs; that of the catalog by default.",
)
@_env_option
@click.pass_context
def collect(
    ctx: click.Context,
    run_id: str,
    validate: bool,
    references: Path | None,
    env: str | None,
) -> None:
    """Judge a finished benchmark run again, with the references of today."""
    from cyto_kedro.cli import collect as judging
    from cyto_kedro.cli.project import open_context

    context, loader = open_context(ctx.obj, env)
    folder = references or judging.references_of(context)
    report = judging.collect(loader.layout, run_id, folder)
    click.echo(judging.as_text(report))
    click.echo(judging.write_report(loader.layout, report))
    if validate:
        ctx.exit(judging.CODES[report["verdict"]])


for _command in (*lifecycle.COMMANDS, *housekeeping.COMMANDS, doctor):
    cyto.add_command(_command)


@cyto.group()
def weights() -> None:
    """Weights of Cellpose: no run ever downloads them, `fetch` does."""


@weights.command(name="list")
def list_weights() -> None:
    """Say where built-in models are looked for, and which are there."""
    from cyto_kedro.cli.weights import overview

    click.echo(overview())


@weights.command()
@click.argument("model", default="cpsam_v2")
@click.option("--source", default=None, help="URL of a folder that mirrors the models.")
def fetch(model: str, source: str | None) -> None:
    """Download MODEL (cpsam_v2 by default; 1.2 GB) to where `list` says."""
    from cyto_kedro.cli.weights import SOURCE, fetch

    with click.progressbar(length=1, label=model) as bar:

        def advance(count: int, total: int) -> None:
            bar.length = total or None
            bar.update(count)

        told = fetch(model, source or SOURCE, advance)
    click.echo(told)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as exc:
        raise click.BadParameter(
            f"'{text}' is not a list of frames such as 0,40,79", param_hint="--frames"
        ) from exc
