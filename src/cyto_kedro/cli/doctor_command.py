"""The command line of `kedro cyto doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.options import env_option, json_option


@click.command()
@env_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, env: str | None, as_json: bool) -> None:
    """Check this machine and the configuration; say what to do.

    Exit code 1: a run would be refused or fail.
    """
    from cyto_kedro.cli import findings
    from cyto_kedro.cli.doctor import examine

    metadata: ProjectMetadata = ctx.obj
    found = examine(Path(metadata.project_path), env)
    if as_json:
        click.echo(json.dumps(findings.as_dict(found), indent=1))
    else:
        click.echo(findings.as_text(found))
    ctx.exit(1 if findings.has_errors(found) else 0)
