"""`kedro cyto verify | crate`: what a run can prove."""

from __future__ import annotations

import json

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


COMMANDS = (verify, crate)
