"""How nodes are executed."""

from cyto_kedro.runners.allocation import AllocationRunner
from cyto_kedro.runners.movies import MovieRunner
from cyto_kedro.runners.slurm.runner import SlurmRunner

__all__ = ["AllocationRunner", "MovieRunner", "SlurmRunner"]
