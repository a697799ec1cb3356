"""The command lines that look at a run: `status`, `logs`, `cancel`, `collect`, ..."""

from __future__ import annotations

import json
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.options import complete_run, env_option, json_option, run_argument
from cyto_kedro.core.layout import Layout


def _run_of(metadata: ProjectMetadata, run_id: str, env: str | None) -> tuple:
    from cyto_kedro.cli.project import open_context
    from cyto_kedro.cli.runs import find

    layout: Layout = open_context(metadata, env)[1].layout
    return find(layout, run_id), layout


@click.command()
@run_argument
@env_option
@json_option
@click.pass_obj
def status(
    metadata: ProjectMetadata, run_id: str, env: str | None, as_json: bool
) -> None:
    """How far RUN_ID is (the newest run by default): movies, units, jobs."""
    from cyto_kedro.cli import status as told

    facts = told.status(_run_of(metadata, run_id, env)[0])
    click.echo(json.dumps(facts, indent=1) if as_json else told.as_text(facts))


@click.command()
@run_argument
@click.argument("name", required=False)
@env_option
@json_option
@click.option("--lines", "-n", default=40, show_default=True, help="Lines of each log.")
@click.pass_obj
def logs(
    metadata: ProjectMetadata,
    run_id: str,
    name: str | None,
    env: str | None,
    as_json: bool,
    lines: int,
) -> None:
    """List the logs of RUN_ID, or show the end of those with NAME in their name."""
    from cyto_kedro.cli import runs

    run = _run_of(metadata, run_id, env)[0]
    if as_json:
        ends = runs.ends_of_logs(run, name, lines)
        click.echo(json.dumps({"run_id": run.id, "logs": ends}, indent=1))
    else:
        click.echo(runs.logs(run, name, lines))


@click.command()
@run_argument
@env_option
@json_option
@click.pass_obj
def cancel(
    metadata: ProjectMetadata, run_id: str, env: str | None, as_json: bool
) -> None:
    """Cancel all SLURM jobs of RUN_ID."""
    from cyto_kedro.cli import runs

    run = _run_of(metadata, run_id, env)[0]
    jobs = runs.cancel(run)
    if as_json:
        click.echo(json.dumps({"run_id": run.id, "cancelled": jobs}, indent=1))
        return
    told = f"cancelled: {', '.join(jobs)}" if jobs else "it has no SLURM jobs"
    click.echo(f"run {run.id}: {told}")


@click.command()
@run_argument
@env_option
@click.pass_context
def resume(ctx: click.Context, run_id: str, env: str | None) -> None:
    """Go on with RUN_ID as it was started: adopt live jobs, do what is left."""
    from cyto_kedro.cli import runs

    run = _run_of(ctx.obj, run_id, env)[0]
    ctx.exit(runs.resume(run, Path(ctx.obj.project_path)))


@click.command()
@run_argument
@env_option
@json_option
@click.pass_obj
def prune(
    metadata: ProjectMetadata, run_id: str, env: str | None, as_json: bool
) -> None:
    """Delete logs, batches and staged stores of RUN_ID; results stay."""
    from cyto_kedro.cli import runs

    run, layout = _run_of(metadata, run_id, env)
    count, size = runs.prune(run, layout)
    if as_json:
        done = {"run_id": run.id, "files": count, "bytes": size}
        click.echo(json.dumps(done, indent=1))
    else:
        click.echo(f"run {run.id}: {count} files deleted, {size / 2**20:.1f} MiB")


@click.command()
@click.option(
    "--run-id",
    default="last",
    help="The newest run by default.",
    shell_complete=complete_run,
)
@click.option("--validate", is_flag=True, help="Exit 0 pass, 1 fail, 2 not judged.")
@click.option(
    "--references",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of reference runs; that of the catalog by default.",
)
@env_option
@json_option
@click.pass_context
def collect(
    ctx: click.Context,
    run_id: str,
    validate: bool,
    references: Path | None,
    env: str | None,
    as_json: bool,
) -> None:
    """Judge a finished benchmark run again, with the references of today."""
    from cyto_kedro.cli import collect as judging
    from cyto_kedro.cli.project import open_context

    context, loader = open_context(ctx.obj, env)
    folder = references or judging.references_of(context)
    report = judging.collect(loader.layout, run_id, folder)
    written = judging.write_report(loader.layout, report)
    if as_json:
        click.echo(json.dumps({"written": written} | report, indent=1))
    else:
        click.echo(judging.as_text(report))
        sealed = f"not written: run {report['run_id']} is sealed"
        click.echo(written or sealed)
    if validate:
        ctx.exit(judging.CODES[report["verdict"]])


COMMANDS = (status, logs, cancel, resume, prune, collect)
