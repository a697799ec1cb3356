"""Results of a run under the names that pyCyto gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.cli.legacy_tables import (
    contact_graphs,
    contact_table,
    filtered,
    pycyto_table,
    radius_graphs,
    with_feature,
)
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.datasets import TrackMateDataset
from cyto_kedro.legacy.state import Artefact
from cyto_kedro.legacy.translate import Translation

Load = Callable[[str], Any]


def publish(
    metadata: ProjectMetadata, env: str, run_id: str, translation: Translation
) -> list[Path]:
    """Copy what the file marks with ``output: true`` to its ``output_dir``.

    Returns:
        The files.

    Raises:
        InputError: A result is not there.
    """
    if translation.output_dir is None or not translation.artefacts:
        return []
    run = FinishedRun.open(metadata, run_id, env)
    movie = translation.name
    written: list[Path] = []
    for artefact in translation.artefacts:
        path = translation.output_dir / artefact.path
        written += _write(artefact, path, run, movie)
    return written


def _write(artefact: Artefact, path: Path, run: FinishedRun, movie: str) -> list[Path]:
    def load(name: str) -> Any:
        return run.load(name, movie)

    if artefact.kind in ("image", "masks"):
        _write_stack(path, load(artefact.datasets[0]))
    elif artefact.kind == "trackmate":
        calibration = run.path("calibration", movie)
        TrackMateDataset(path, calibration=calibration).save(load(artefact.datasets[0]))
    elif artefact.kind in ("network", "pairs"):
        return _write_graphs(path, _graphs(artefact, load))
    else:
        _write_table(path, _table(artefact, load, run))
    return [path]


def _table(artefact: Artefact, load: Load, run: FinishedRun) -> pd.DataFrame:
    first = load(artefact.datasets[0])
    if artefact.kind == "plain":
        return pd.DataFrame(first)
    if artefact.kind == "combined":
        first = with_feature(first, load(artefact.datasets[1]), artefact.feature)
        return pycyto_table(first, artefact.channel, extra=[artefact.feature])
    if artefact.kind == "filtered":
        steps = run.loader["parameters"]["features"]["filters"]
        first = filtered(first, steps, artefact.role)
    if artefact.kind == "contacts":
        second, pairs = (load(name) for name in artefact.datasets[1:])
        return contact_table(first, second, pairs, artefact.role)
    return pycyto_table(first, artefact.channel)


def _graphs(artefact: Artefact, load: Load) -> list[nx.Graph]:
    first, second = load(artefact.datasets[0]), load(artefact.datasets[1])
    calibration = Calibration.model_validate(load("calibration"))
    if artefact.kind == "network":
        return radius_graphs(first, calibration)
    contacts = load(artefact.datasets[2])
    roles = {artefact.role: first, artefact.channel: second}
    return contact_graphs(roles, contacts, calibration.n_frames)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with staged(path) as stage:
        table.to_csv(stage, index=False)


def _write_graphs(path: Path, graphs: list[nx.Graph]) -> list[Path]:
    written = []
    for frame, graph in enumerate(graphs):
        file = path.with_name(f"{path.name}_{frame:04d}.adjlist")
        with staged(file) as stage:
            nx.write_multiline_adjlist(graph, stage)
        written.append(file)
    return written


def _write_stack(path: Path, stack: Any) -> None:
    """A TYX stack as OME-TIFF, frame by frame."""
    import tifffile

    def planes() -> Iterator[np.ndarray]:
        for frame in range(stack.shape[0]):
            yield compute_frame(stack, frame)

    with staged(path) as stage:
        tifffile.imwrite(
            stage,
            planes(),
            shape=stack.shape,
            dtype=stack.dtype,
            ome=True,
            photometric="minisblack",
            metadata={"axes": "TYX"},
        )
