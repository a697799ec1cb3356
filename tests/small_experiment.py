"""A few tiny simulated movies, for tests that run the real command line."""

from __future__ import annotations

from pathlib import Path

from cyto_kedro.simulation.example import example_sheet
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.writers import write_movie
from project import Project

FRAMES = 12


def small_project(folder: Path, n_movies: int = 2, frames: int = FRAMES) -> Project:
    """A project whose experiment is the example's, much smaller."""
    project = Project.create(folder)
    params = SimulationParams(
        n_frames=frames, height_px=160, width_px=160, n_effectors=6, n_targets=5
    )
    names = [f"killing_A{number}" for number in range(1, n_movies)] + ["control_B1"]
    movies = {
        name: params.model_copy(
            update={"seed": 11 + i, **({"n_effectors": 0} if "control" in name else {})}
        )
        for i, name in enumerate(names)
    }
    raw = project.folder / "data" / "01_raw" / "example"
    for name, chosen in movies.items():
        write_movie(simulate(chosen), raw / name)
    example_sheet(movies).to_csv(raw / "experiment.csv", index=False)
    return project
