"""Results of a run under the names that pyCyto gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import networkx as nx
import numpy as np
import pandas as pd

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.cli.legacy_images import density_image, network_image
from cyto_kedro.cli.legacy_tables import (
    contact_graphs,
    contact_table,
    radius_graphs,
    shown_table,
)
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.datasets import TrackMateDataset
from cyto_kedro.legacy.state import Artefact
from cyto_kedro.legacy.translate import Translation
from cyto_kedro.pipelines.preprocessing.nodes import merge_channels, preprocess
from cyto_kedro.pipelines.preprocessing.params import ChannelParams, MergeParams

Load = Callable[[str], Any]


def publish(run: FinishedRun, translation: Translation) -> list[Path]:
    """Copy what the file marks with ``output: true`` to its ``output_dir``.

    Args:
        run: The run of the translation.
        translation: Knows which files are wanted, and where.

    Returns:
        The files.

    Raises:
        InputError: A result is not there.
    """
    if translation.output_dir is None or not translation.artefacts:
        return []
    movie = translation.name
    written: list[Path] = []
    for artefact in translation.artefacts:
        path = translation.output_dir / artefact.path
        written += _write(artefact, path, run, movie)
    return written


def _write(artefact: Artefact, path: Path, run: FinishedRun, movie: str) -> list[Path]:
    def load(name: str) -> Any:
        return run.load(name, movie)

    kind = artefact.kind
    if kind == "image":
        _write_stack(path, _image(artefact, load, run))
    elif kind == "masks":
        _write_stack(path, load(artefact.datasets[0]))
    elif kind in ("density", "network_image", "pairs_image"):
        _write_stack(path, _drawn(artefact, load))
    elif kind == "trackmate":
        calibration = run.path("calibration", movie)
        TrackMateDataset(path, calibration=calibration).save(load(artefact.datasets[0]))
    elif kind in ("network", "pairs"):
        return _write_graphs(path, _graphs(artefact, load))
    else:
        _write_table(path, _table(artefact, load))
    return [path]


def _image(artefact: Artefact, load: Load, run: FinishedRun) -> Any:
    """A channel, or several merged, after the steps that it had been through."""
    params = run.loader["parameters"]["preprocessing"]
    whole, images = True, []
    for channel, done in artefact.steps:
        values = dict(params["channels"][channel])
        final = done >= len(values["steps"])
        whole &= final
        if final:
            images.append(load(f"{channel}.image"))
            continue
        values["steps"] = values["steps"][:done]
        image = preprocess(
            load(f"{channel}.raw"),
            Calibration.model_validate(load("calibration")),
            load("drift"),
            load("deformation"),
            load(f"{channel}.intensity_range"),
            ChannelParams.model_validate(values),
        )
        images.append(image)
    if not artefact.role:
        return images[0]
    if whole:
        return load(f"{artefact.role}.merged")
    merging = MergeParams.model_validate(params["merge"][artefact.role])
    sources = tuple(name for name, _ in artefact.steps)
    return merge_channels(merging, *images, channels=sources)


def _table(artefact: Artefact, load: Load) -> pd.DataFrame:
    first = load(artefact.datasets[0])
    if artefact.table is None:
        return pd.DataFrame(first)
    if artefact.kind == "contacts":
        second, pairs = (load(name) for name in artefact.datasets[1:])
        return contact_table(first, second, pairs, artefact.role)
    return shown_table(first, artefact.table, lambda: load(artefact.datasets[1]))


def _graphs(artefact: Artefact, load: Load) -> list[nx.Graph]:
    first, second = load(artefact.datasets[0]), load(artefact.datasets[1])
    calibration = Calibration.model_validate(load("calibration"))
    if len(artefact.datasets) == 2:
        return radius_graphs(first, calibration)
    contacts = load(artefact.datasets[2])
    roles = {artefact.role: first, artefact.channel: second}
    return contact_graphs(roles, contacts, calibration.n_frames)


def _drawn(artefact: Artefact, load: Load) -> da.Array:
    """A density, or a network, as an image."""
    calibration = Calibration.model_validate(load("calibration"))
    tracks = load(artefact.datasets[0])
    if artefact.kind == "density":
        return density_image(tracks, calibration, artefact.grid_px)
    graphs = _graphs(artefact, load)
    if artefact.kind == "network_image":
        return network_image(graphs, {"": tracks}, calibration)
    both = {artefact.role: tracks, artefact.channel: load(artefact.datasets[1])}
    return network_image(graphs, both, calibration)


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
