"""`kedro cyto example`."""

from __future__ import annotations

from pathlib import Path

from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.project import open_context
from cyto_kedro.simulation import SimulationParams, write_example


def write(metadata: ProjectMetadata, seed: int | None) -> Path:
    """Simulate the example into the raw folder that `globals.yml` names."""
    _, loader = open_context(metadata, env=None)
    params = None if seed is None else SimulationParams(seed=seed)
    return write_example(loader.layout.sheet.parent, params=params)
