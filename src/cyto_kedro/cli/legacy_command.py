"""The command lines of `kedro cyto run-yaml` and `import-yaml`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.options import json_option

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_SHARED = (
    click.option(
        "--resources",
        "-r",
        type=_FILE,
        default=None,
        help="Resources file; pipeline-resources.X.yaml beside pipeline.X.yaml by "
        "default.",
    ),
    click.option(
        "--profile", default=None, help="hybrid, container, local, cluster or cloud."
    ),
    click.option(
        "--channel",
        "channels",
        multiple=True,
        metavar="NAME=PATH",
        help="Image file of a channel, where the pipeline file names none.",
    ),
    click.option(
        "--segmenter",
        type=click.Choice(["classical"]),
        default=None,
        help="In place of Cellpose and StarDist: no weights, no GPU.",
    ),
    click.option(
        "--cellpose-model",
        default="cpsam_v2",
        show_default=True,
        help="Weights that cyto, cyto2 and cyto3 stand for.",
    ),
    click.option(
        "--stardist-models",
        default="~/.keras/models/StarDist2D",
        show_default=True,
        help="Folder of StarDist's model folders.",
    ),
    click.option(
        "--contacts",
        type=click.Choice(["edge", "overlap"]),
        default=None,
        help="overlap: count contacts as pyCyto did.",
    ),
    click.option(
        "--skip-refused", is_flag=True, help="Leave out what has no equivalent."
    ),
)


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of both commands."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def wanted_of(pipeline: Path, values: dict[str, Any]) -> Any:
    """The options as one object."""
    from cyto_kedro.cli.legacy import Wanted
    from cyto_kedro.legacy.state import Options

    return Wanted(
        pipeline=pipeline,
        resources=values["resources"],
        profile=values["profile"],
        channels=dict(_pair(text) for text in values["channels"]),
        options=Options(
            segmenter=values["segmenter"],
            cellpose_model=values["cellpose_model"],
            stardist_models=values["stardist_models"],
            contacts=values["contacts"],
        ),
        skip_refused=values["skip_refused"],
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise click.BadParameter(f"'{text}' is not NAME=PATH", param_hint="--channel")
    return name, path


@click.command(name="run-yaml")
@click.argument("pipeline", type=_FILE)
@shared_options
@click.option("--runner", default=None, help="Kedro runner; else the profile's.")
@click.option("--dry-run", is_flag=True, help="Show what SLURM would be asked for.")
@click.pass_obj
def run_yaml(
    metadata: ProjectMetadata,
    pipeline: Path,
    runner: str | None,
    dry_run: bool,
    **values: Any,
) -> None:
    """Run pyCyto's PIPELINE file; results go to its output_dir, under its names."""
    from cyto_kedro.cli.legacy import run_yaml

    told(run_yaml(metadata, wanted_of(pipeline, values), runner, dry_run))


def told(ran: Any) -> None:
    """Say what a run left."""
    counts = ", ".join(
        f"{len(ran.translation.report.of(kind))} {kind}"
        for kind in ("mapped", "changed", "ignored", "refused")
    )
    click.echo(f"Keys: {counts}; see conf/{ran.env}/IMPORT.md")
    where = "" if ran.folder is None else f": {ran.folder}"
    click.echo(f"Run {ran.run_id}, environment {ran.env}{where}")
    if ran.files:
        click.echo(f"{len(ran.files)} files in {ran.translation.output_dir}")
    elif ran.folder is not None:
        click.echo(
            "No files were copied: 'output: true' and 'output_dir' ask for them. To "
            f"look at the run: kedro cyto export --to napari --env {ran.env}"
        )


@click.command(name="import-yaml")
@click.argument("pipeline", type=_FILE)
@click.option("--env-name", default=None, help="Name; that of the file by default.")
@shared_options
@click.option("--force", is_flag=True, help="Overwrite what came from this file.")
@json_option
@click.pass_obj
def import_yaml(
    metadata: ProjectMetadata,
    pipeline: Path,
    env_name: str | None,
    force: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Translate pyCyto's PIPELINE file into an environment of conf/."""
    from cyto_kedro.cli.legacy import import_yaml

    wanted = wanted_of(pipeline, values)
    folder, translation = import_yaml(metadata, wanted, env_name, force)
    if as_json:
        facts = {
            "env": folder.name,
            "folder": str(folder),
            "pipelines": list(translation.pipelines),
            "keys": [asdict(row) for row in translation.report.rows],
        }
        click.echo(json.dumps(facts, indent=1))
        return
    for kind in ("changed", "refused"):
        for row in translation.report.of(kind):
            click.echo(f"  {kind}: {row.key}: {row.note}")
    click.echo(
        f"Written: {folder}\n"
        f"Next: read {folder / 'IMPORT.md'}, then\n"
        f"  kedro run --env {folder.name} "
        f"--pipelines={','.join(translation.pipelines)}"
    )


@click.command(name="import-toml")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--env-name", required=True, help="Environment to write to.")
@click.option("--force", is_flag=True, help="Overwrite files of the environment.")
@click.pass_obj
def import_toml(
    metadata: ProjectMetadata, folder: Path, env_name: str, force: bool
) -> None:
    """Translate pyCyto's config.*.toml and benchmark.*.toml of FOLDER into conf/."""
    from cyto_kedro.cli.legacy import import_toml

    conf = Path(metadata.project_path) / "conf"
    for path in import_toml(folder, conf, env_name, force):
        click.echo(path)
