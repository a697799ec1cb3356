"""How nodes are executed."""

from cyto_kedro.runners.allocation import AllocationRunner
from cyto_kedro.runners.movies import MovieRunner

__all__ = ["AllocationRunner", "MovieRunner"]
