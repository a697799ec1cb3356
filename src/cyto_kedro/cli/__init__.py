"""The `kedro cyto` commands; Kedro looks for `cli` in this package."""

from cyto_kedro.cli.main import cli

__all__ = ["cli"]
