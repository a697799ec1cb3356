"""`kedro cyto verify | crate | promote | purge | rotate | du`: the life of data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.core.errors import CytoError
from cyto_kedro.core.layout import Layout

run_argument = click.argument("run_id", default="last")
env_option = click.option("--env", "-e", default=None, help="Kedro environment.")
json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


def layout_of(metadata: ProjectMetadata, env: str | None) -> Layout:
    """The layout of the project in an environment."""
    from cyto_kedro.cli.project import open_context

    return open_context(metadata, env)[1].layout


@click.command()
@run_argument
@env_option
@json_option
@click.option("--quick", is_flag=True, help="Leave out scratch: images and masks.")
@click.pass_context
def verify(
    ctx: click.Context, run_id: str, env: str | None, as_json: bool, quick: bool
) -> None:
    """Hash inputs, outputs and configuration of RUN_ID again.

    Exit code 0: nothing changed; 1: something did; 2: cannot tell.
    """
    from cyto_kedro.cli.runs import find
    from cyto_kedro.provenance.verify import CANNOT_TELL, PARTS, verify_run

    parts = [part for part in PARTS if not (quick and part == "scratch")]
    try:
        run = find(layout_of(ctx.obj, env), run_id)
        found = verify_run(run.folder, run.id, parts)
    except CytoError as exc:
        click.echo(f"Error: {exc}", err=True)
        ctx.exit(CANNOT_TELL)  # click's own code for errors means "changed" here
    text = json.dumps(found.as_dict(), indent=1) if as_json else found.as_text()
    click.echo(text)
    ctx.exit(found.code)


@click.command()
@run_argument
@env_option
@click.option("--agent", default=None, metavar="NAME", help="Who ran it.")
@click.option("--orcid", default=None, help="ORCID of that person.")
@click.option("--license", default=None, help="URL or words; 'not stated' by default.")
@click.pass_obj
def crate(
    metadata: ProjectMetadata,
    run_id: str,
    env: str | None,
    agent: str | None,
    orcid: str | None,
    license: str | None,
) -> None:
    """Write the RO-Crate of RUN_ID again, with what only you know."""
    from cyto_kedro.cli.runs import find
    from cyto_kedro.provenance.crate import Agent, write_crate

    if orcid and not agent:
        raise click.UsageError("--orcid needs --agent")
    run = find(layout_of(metadata, env), run_id)
    person = Agent(agent, orcid) if agent else None
    click.echo(write_crate(run.folder, person, license))


@click.command()
@run_argument
@env_option
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Root of an archive: also copy the run there, and check the copy.",
)
@click.option(
    "--limit-mib",
    default=20.0,
    show_default=True,
    help="Largest file that is neither text nor a table.",
)
@click.option(
    "--table-limit-mib", default=2048.0, show_default=True, help="Largest table."
)
@click.pass_obj
def promote(
    metadata: ProjectMetadata,
    run_id: str,
    env: str | None,
    archive: Path | None,
    limit_mib: float,
    table_limit_mib: float,
) -> None:
    """Verify RUN_ID, seal it for good, copy it to an archive if one is named."""
    from cyto_kedro.cli.runs import find
    from cyto_kedro.lifecycle.promote import Limits
    from cyto_kedro.lifecycle.promote import promote as seal_run

    layout = layout_of(metadata, env)
    run = find(layout, run_id)
    workflow = run.folder.parent.relative_to(layout.output_root).as_posix()
    limits = Limits(limit_mib, table_limit_mib)
    done = seal_run(run.folder, run.id, workflow, archive, limits)
    click.echo(
        f"run {run.id}: {len(done.seal.files)} files sealed {done.seal.sealed_at}"
    )
    if done.archived is not None:
        click.echo(f"archived: {done.archived}")


@click.command()
@env_option
@json_option
@click.option("--dataset", default=None, help="Only of this dataset.")
@click.option("--movie", default=None, help="Only of this movie.")
@click.option("--workflow", default=None, help="Only of this workflow.")
@click.option("--run", default=None, metavar="RUN_ID", help="Only of this run.")
@click.option("--jobs", type=int, default=None, metavar="N", help="Benchmark trials.")
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
    from cyto_kedro.lifecycle.purge import Purge, Wanted, age_of

    if as_json and not (yes or dry_run):
        raise click.UsageError("--json needs --yes or --dry-run: it cannot ask")
    age = age_of(older_than) if older_than else None
    worker = Purge(layout_of(ctx.obj, env), edits)
    plan = worker.plan(Wanted(dataset, movie, workflow, run, jobs, age))
    todo = [candidate for candidate in plan if not candidate.refused]
    if not as_json:
        click.echo(purge_plan(plan))
    failed: list[str] = []
    if todo and not dry_run:
        if not yes:
            click.confirm(f"Delete {len(todo)} folders?", abort=True)
        failed = _each(todo, worker.delete)
    if as_json:
        entries = [candidate.as_dict() for candidate in plan]
        done = [] if dry_run else [c.name for c in todo if c.name not in failed]
        click.echo(json.dumps({"folders": entries, "deleted": done}, indent=1))
    ctx.exit(1 if failed else 0)


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
@click.option("--keep", type=click.IntRange(min=0), default=3, show_default=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show only.")
@click.pass_obj
def rotate(
    metadata: ProjectMetadata, env: str | None, keep: int, yes: bool, dry_run: bool
) -> None:
    """Delete logs of old benchmark runs; tables and verdicts stay."""
    from cyto_kedro.cli.tables import size_text
    from cyto_kedro.lifecycle.rotate import delete, old_logs

    layout = layout_of(metadata, env)
    todo = old_logs(layout, keep)
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

    found = usage(layout_of(metadata, env))
    entries = [entry.as_dict() for entry in found]
    click.echo(json.dumps(entries, indent=1) if as_json else usage_table(found))


COMMANDS = (verify, crate, promote, purge, rotate, du)
