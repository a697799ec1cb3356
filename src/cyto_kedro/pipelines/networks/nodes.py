"""Nodes of the networks pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.build import movie_graph
from cyto_kedro.methods.networks.graphs import contact_edges, position_edges
from cyto_kedro.methods.networks.metrics import graph_metrics
from cyto_kedro.methods.networks.mixing import mixing_table
from cyto_kedro.methods.spatial.density import density_map
from cyto_kedro.pipelines.networks.params import NetworksParams


def build_networks(
    calibration: Calibration, options: NetworksParams, **tables: pd.DataFrame
) -> tuple[Any, pd.DataFrame, pd.DataFrame]:
    """One graph of the movie with three kinds of edges, its numbers, and its mixing.

    Mixing leaves contacts out: they are looked for between certain roles only.

    Args:
        calibration: Gives frames and times.
        options: Edge limits.
        tables: TRACKS of each role as ``tracks:<role>``, CONTACTS of each pair as
            ``contacts:<pair>``.

    Returns:
        The networkx MultiGraph, tables NETWORK_METRICS and NETWORK_MIXING.
    """
    cells = MovieCells.of(_each(tables, "tracks"))
    delaunay, radius, radii = position_edges(cells, calibration.n_frames, options)
    contact = contact_edges(cells, _each(tables, "contacts"))
    kinds = {"delaunay": delaunay, "radius": radius, "contact": contact}
    metrics = [
        graph_metrics(kind, cells, edges, calibration.times_min, radii)
        for kind, edges in kinds.items()
    ]
    mixing = [
        mixing_table(kind, cells, edges, calibration.times_min, options.mixing)
        for kind, edges in kinds.items()
        if kind != "contact"
    ]
    return (
        movie_graph(cells, kinds, calibration.movie),
        pd.concat(metrics, ignore_index=True),
        pd.concat(mixing, ignore_index=True),
    )


def map_density(
    tracks: pd.DataFrame, calibration: Calibration, options: NetworksParams
) -> pd.DataFrame:
    """Where the cells of one role are, over parts of the movie.

    Args:
        tracks: Table TRACKS.
        calibration: Gives the size of the image and the time of each frame.
        options: Bandwidth, grid and windows.

    Returns:
        Table DENSITY.
    """
    return density_map(tracks, calibration, options.density)


def _each(tables: dict[str, pd.DataFrame], what: str) -> dict[str, pd.DataFrame]:
    start = f"{what}:"
    return {k[len(start) :]: t for k, t in tables.items() if k.startswith(start)}
