"""`kedro cyto purge | rotate | du`: room on the disks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli import lifecycle
from cyto_kedro.cli.options import (
    complete_movie,
    complete_run,
    env_option,
    json_option,
)
from cyto_kedro.core.errors import CytoError


@click.command()
@env_option
@json_option
@click.option("--dataset", default=None, help="Only of this dataset.")
@click.option(
    "--movie", default=None, help="Only of this movie.", shell_complete=complete_movie
)
@click.option("--workflow", default=None, help="Only of this workflow.")
@click.option(
    "--run-id",
    "--run",
    "run",
    default=None,
    metavar="RUN_ID",
    help="Only of this run.",
    shell_complete=complete_run,
)
@click.option(
    "--jobs", type=int, default=None, metavar="N", help="Only trials with N jobs."
)
@click.option("--older-than", default=None, metavar="30d", help="36h, 30d or 4w.")
@click.option("--edits", is_flag=True, help="Also what was edited or added by hand.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show only.")
@click.pass_context
def purge(
    ctx: click.Context,
    env: str | None,
    as_json: bool,
    dataset: str | None,
    movie: str | None,
    workflow: str | None,
    run: str | None,
    jobs: int | None,
    older_than: str | None,
    edits: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Delete scratch that a verified run accounts for; shows first what and how much.

    Exit code 1: something that was agreed on could not be deleted.
    """
    from cyto_kedro.cli.tables import purge_plan
    from cyto_kedro.lifecycle.candidates import Wanted, age_of
    from cyto_kedro.lifecycle.purge import Purge

    _must_not_ask(as_json, yes or dry_run)
    age = age_of(older_than) if older_than else None
    places = lifecycle.places_of(ctx.obj, env)
    worker = Purge(places.layout, edits, places.open)
    plan = worker.plan(Wanted(dataset, movie, workflow, run, jobs, age))
    todo = [candidate for candidate in plan if not candidate.refused]
    if not as_json:
        click.echo(purge_plan(plan))
    failed: list[str] = []
    if todo and not dry_run:
        if not yes:
            click.confirm(f"Delete these {len(todo)}?", abort=True)
        failed = _each(todo, worker.delete)
    if as_json:
        entries = [candidate.as_dict() for candidate in plan]
        done = [] if dry_run else [c.name for c in todo if c.name not in failed]
        click.echo(json.dumps({"folders": entries, "deleted": done}, indent=1))
    ctx.exit(1 if failed else 0)


def _must_not_ask(as_json: bool, answered: bool) -> None:
    if as_json and not answered:
        raise click.UsageError("--json needs --yes or --dry-run: it cannot ask")


def _each(todo: list[Any], delete: Callable[[Any], None]) -> list[str]:
    """Delete one by one; names of those that could not be deleted."""
    failed = []
    for candidate in todo:
        try:
            delete(candidate)
        except (CytoError, OSError) as exc:
            click.echo(f"{candidate.name}: {exc}", err=True)
            failed.append(candidate.name)
    return failed


@click.command()
@env_option
@json_option
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Newest benchmark runs whose logs stay.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show only.")
@click.pass_obj
def rotate(
    metadata: ProjectMetadata,
    env: str | None,
    as_json: bool,
    keep: int,
    yes: bool,
    dry_run: bool,
) -> None:
    """Delete logs of old benchmark runs; tables and verdicts stay."""
    from cyto_kedro.cli.tables import size_text
    from cyto_kedro.lifecycle.rotate import delete, old_logs

    _must_not_ask(as_json, yes or dry_run)
    layout = lifecycle.layout_of(metadata, env)
    todo = old_logs(layout, keep)
    if as_json:
        for log in todo if not dry_run else ():
            delete(layout, log)
        entries = [asdict(log) for log in todo]
        click.echo(json.dumps({"logs": entries, "deleted": not dry_run}, indent=1))
        return
    for log in todo:
        told = f"{log.files} files, {size_text(log.size_bytes)}"
        click.echo(f"{'/'.join(log.parts)}: {told}")
    if not todo:
        click.echo(f"No logs beyond the newest {keep} benchmark runs.")
    elif not dry_run and (yes or click.confirm("Delete them?", abort=True)):
        for log in todo:
            delete(layout, log)


@click.command()
@env_option
@json_option
@click.pass_obj
def du(metadata: ProjectMetadata, env: str | None, as_json: bool) -> None:
    """What raw, scratch and output hold, by dataset, movie and workflow."""
    from cyto_kedro.cli.tables import usage_table
    from cyto_kedro.lifecycle.usage import usage

    places = lifecycle.places_of(metadata, env)
    found = usage(places.layout, places.root)
    entries = [entry.as_dict() for entry in found]
    click.echo(json.dumps(entries, indent=1) if as_json else usage_table(found))


COMMANDS = (purge, rotate, du)
