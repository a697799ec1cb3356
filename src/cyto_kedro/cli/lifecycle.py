"""`kedro cyto ingest | verify | crate | promote`: the life of data."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.options import env_option, json_option, run_argument
from cyto_kedro.core.errors import CytoError
from cyto_kedro.core.layout import Layout

if TYPE_CHECKING:
    from cyto_kedro.cli.places import Places
    from cyto_kedro.lifecycle.promote import Promotion


def layout_of(metadata: ProjectMetadata, env: str | None) -> Layout:
    """The layout of the project in an environment."""
    from cyto_kedro.cli.project import open_context

    return open_context(metadata, env)[1].layout


def places_of(metadata: ProjectMetadata, env: str | None) -> Places:
    """Layout, addresses and credentials of the project in an environment."""
    from cyto_kedro.cli.places import Places

    return Places.of(metadata, env)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, metavar="NAME", help="Folder below raw.")
@click.option("--copy", "mode", flag_value="copy", default="copy", help="The default.")
@click.option("--link", "mode", flag_value="link", help="One link per file.")
@click.option("--move", "mode", flag_value="move", help="Take the files over.")
@env_option
@json_option
@click.pass_obj
def ingest(
    metadata: ProjectMetadata,
    source: Path,
    dataset: str,
    mode: str,
    env: str | None,
    as_json: bool,
) -> None:
    """Place SOURCE below the raw root: hashed, whole, read-only, with a sheet."""
    from cyto_kedro.lifecycle.ingest import ingest as place
    from cyto_kedro.lifecycle.sheet import sheet_of

    layout = layout_of(metadata, env)
    done = place(source, dataset, layout.data_root, mode)  # type: ignore[arg-type]
    if as_json:
        report = sheet_of(layout, dataset)
        facts = {"snapshot": asdict(done), "sheet": asdict(report)}
        click.echo(json.dumps(facts, indent=1, default=str))
        return
    told = "was there already, unchanged" if done.already else "placed"
    click.echo(f"{done.folder}: {done.files} files {told}; hashes: {done.hashes}")
    report = sheet_of(layout, dataset)
    if report.path is None:
        click.echo(
            "No movies were found by the channels of globals.yml, so there is no "
            f"sheet: 'kedro cyto init {done.folder}' looks into the files"
        )
        return
    what = "written; add your conditions as columns" if report.written else "checked"
    click.echo(f"{report.path}: {report.movies} movies, {what}")
    for line in report.missing:
        click.echo(f"missing: {line}", err=True)
    if (layout.dataset, layout.sheet) != (dataset, report.path):
        click.echo(f"globals.yml needs: dataset: {dataset}, sheet: {report.path}")


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
        places = places_of(ctx.obj, env)
        run = find(places.layout, run_id)
        found = verify_run(run.folder, run.id, parts, places.open)
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
    metavar="ROOT",
    default=None,
    help="Also copy the run below this folder, s3:// or ceph:// prefix; checked there.",
)
@click.option(
    "--credentials",
    metavar="NAME",
    default=None,
    help="Entry of credentials.yml for the archive; else as in the catalog.",
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
@json_option
@click.pass_obj
def promote(
    metadata: ProjectMetadata,
    run_id: str,
    env: str | None,
    as_json: bool,
    archive: str | None,
    credentials: str | None,
    limit_mib: float,
    table_limit_mib: float,
) -> None:
    """Verify RUN_ID, seal it for good, copy it to an archive if one is named."""
    from cyto_kedro.cli.runs import find
    from cyto_kedro.lifecycle.promote import Limits
    from cyto_kedro.lifecycle.promote import promote as seal_run

    places = places_of(metadata, env)
    root = places.layout.output_root
    run = find(places.layout, run_id)
    target = None if archive is None else places.archive(archive, credentials)
    limits = Limits(limit_mib, table_limit_mib)
    sealed_runs = seal_run(run.folder, run.id, root, target, limits, places.open)
    if as_json:
        click.echo(json.dumps([_promoted(done) for done in sealed_runs], indent=1))
        return
    for done in sealed_runs:
        sealed = done.seal
        told = f"{len(sealed.files)} files, sealed {sealed.sealed_at}"
        click.echo(f"{done.folder}: {told}")
        if done.archived is not None:
            click.echo(f"archived: {done.archived}")


def _promoted(done: Promotion) -> dict[str, Any]:
    return {
        "folder": str(done.folder),
        "files": len(done.seal.files),
        "sealed_at": done.seal.sealed_at,
        "archived": None if done.archived is None else str(done.archived),
    }


COMMANDS = (ingest, verify, crate, promote)
