"""The `kedro cyto` commands."""
