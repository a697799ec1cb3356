"""The command lines of `kedro cyto weights list | fetch`."""

from __future__ import annotations

import json
from typing import Any

import click
from click.shell_completion import CompletionItem

from cyto_kedro.cli.options import json_option


@click.group()
def weights() -> None:
    """Weights of Cellpose: no run ever downloads them, `fetch` does."""


@weights.command(name="list")
@json_option
def list_weights(as_json: bool) -> None:
    """Say where built-in models are looked for, and which are there."""
    from cyto_kedro.cli.weights import as_text, overview

    found = overview()
    click.echo(json.dumps(found, indent=1) if as_json else as_text(found))


def _models(ctx: click.Context, param: click.Parameter, text: str) -> list[Any]:
    from cyto_kedro.methods.segmentation.weights import MODELS

    return [CompletionItem(name) for name in MODELS if name.startswith(text)]


@weights.command()
@click.argument("model", default="cpsam_v2", shell_complete=_models)
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
