"""The command line of `kedro cyto init`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.core.errors import ConfigError


@click.command()
@click.argument(
    "movies", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)
)
@click.option("--env", "-e", required=True, help="Name of the new environment.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="CHANNEL=KIND",
    help="effector, target, other, death, live or ignore; else it is guessed.",
)
@click.option(
    "--scene",
    "scenes",
    multiple=True,
    metavar="NAME",
    help="Of files with several images: only these; * and ? stand for letters.",
)
@click.option("--z", default=None, help="Of Z stacks: max, or a plane from 0.")
@click.option("--pixel-size-um", type=float, default=None, help="Where no file says.")
@click.option(
    "--frame-interval-min", type=float, default=None, help="Where no file says."
)
@click.option("--copy", "place", flag_value="copy", help="Copy to data/01_raw/ENV.")
@click.option("--link", "place", flag_value="link", help="Link from data/01_raw/ENV.")
@click.option(
    "--in-place",
    "place",
    flag_value="in_place",
    default="in_place",
    help="Read the files where they are (default).",
)
@click.option("--force", is_flag=True, help="Overwrite an earlier environment.")
@click.pass_obj
def init(
    metadata: ProjectMetadata,
    movies: tuple[Path, ...],
    env: str,
    roles: tuple[str, ...],
    scenes: tuple[str, ...],
    z: str | None,
    pixel_size_um: float | None,
    frame_interval_min: float | None,
    place: str,
    force: bool,
) -> None:
    """Make an environment for MOVIES: files, OME-Zarr folders, or folders of them."""
    from cyto_kedro.cli.init import Wanted, write_environment
    from cyto_kedro.cli.project import open_context

    layout = open_context(metadata, None)[1].layout
    wanted = Wanted(
        env=env,
        kinds=dict(_pair(text) for text in roles),
        z=_plane(z),
        pixel_size_um=pixel_size_um,
        frame_interval_min=frame_interval_min,
        place=place,
        force=force,
        scenes=scenes,
    )
    conf = Path(metadata.project_path) / "conf"
    folder, guesses = write_environment(
        list(movies), wanted, conf, layout.data_root, _ask
    )
    for name, found in guesses.items():
        click.echo(f"  {name}: {found.kind} ({found.why})")
    click.echo(
        f"Written: {folder}\n"
        "Next:\n"
        f"  1. look at {folder / 'channels.png'}; correct roles in globals.yml\n"
        f"  2. fill in donor, condition and control in {folder / 'experiment.csv'}\n"
        f"  3. kedro run --env {env} --pipeline=segmentation\n"
        f"  4. kedro run --env {env}"
    )


def _pair(text: str) -> tuple[str, str]:
    name, _, kind = text.partition("=")
    return name, kind


def _plane(text: str | None) -> int | str | None:
    if text is None or text == "max":
        return text
    if not text.isdecimal():
        raise ConfigError(f"--z {text} is no plane", fix="--z max, or a number from 0")
    return int(text)


def _ask(missing: list[str]) -> list[float]:
    """Ask whoever sits there; a script is told all that it lacks at once."""
    from cyto_kedro.cli.init import PIXEL_SIZE

    if not sys.stdin.isatty():
        options = {PIXEL_SIZE: "--pixel-size-um"}
        raise ConfigError(
            f"No file states the {' and the '.join(missing)}",
            fix="give "
            + " and ".join(options.get(m, "--frame-interval-min") for m in missing),
        )
    above_0 = click.FloatRange(1e-6)
    return [
        float(click.prompt(f"No file states the {what}", type=above_0))
        for what in missing
    ]
