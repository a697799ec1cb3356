"""Simulated movies of cells that kill and are killed, with known truth."""

from cyto_kedro.simulation.example import write_example
from cyto_kedro.simulation.movie import SimulatedMovie, simulate
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.workload import synthetic_workload, workload_params

__all__ = [
    "SimulatedMovie",
    "SimulationParams",
    "simulate",
    "synthetic_workload",
    "workload_params",
    "write_example",
]
