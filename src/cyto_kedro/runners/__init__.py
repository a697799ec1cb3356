"""How nodes are executed."""

from cyto_kedro.runners.movies import MovieRunner

__all__ = ["MovieRunner"]
