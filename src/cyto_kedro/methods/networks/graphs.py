"""The three kinds of edges of a movie, as arrays over all of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.neighbours import (
    connecting_radius,
    delaunay_edges,
    edge_lengths,
    radius_edges,
)

Kind = Literal["delaunay", "radius", "contact"]
KINDS: tuple[Kind, ...] = ("delaunay", "radius", "contact")


class NetworkOptions(Params):
    """Which cells count as neighbours."""

    max_edge_um: float | None = Field(
        default=50.0,
        gt=0,
        description="longest edge of the Delaunay graph (um); null = no limit",
    )
    radius_um: float | None = Field(
        default=30.0,
        gt=0,
        description="largest centre distance in the radius graph (um); null = in each "
        "frame the smallest radius that joins all cells, which makes many edges where "
        "one cell lies far away",
    )


@dataclass(frozen=True)
class Edges:
    """Edges of one kind; all arrays have one entry per edge.

    Attributes:
        ends: (m, 2) indices of two cells of one frame.
        length_um: Distance of their centroids.
        more: Further columns by attribute name.
    """

    ends: np.ndarray
    length_um: np.ndarray
    more: dict[str, np.ndarray]


def position_edges(
    cells: MovieCells, n_frames: int, options: NetworkOptions
) -> tuple[Edges, Edges, np.ndarray]:
    """Delaunay and radius graph of every frame, and the frames' connecting radii.

    A cell without a finite position has no edges.

    Returns:
        Delaunay edges, radius edges, and the (T,) connecting radius in um (NaN with
        fewer than two cells).
    """
    positions = np.column_stack([cells.y_um, cells.x_um])
    bounds = np.searchsorted(cells.frame, np.arange(n_frames + 1))
    near, within = [np.empty((0, 2), np.int64)], [np.empty((0, 2), np.int64)]
    radii = np.full(n_frames, np.nan)
    for frame, (begin, end) in enumerate(pairwise(bounds.tolist())):
        placed = begin + np.flatnonzero(np.isfinite(positions[begin:end]).all(axis=1))
        if len(placed) < 2:
            continue
        points = positions[placed]
        triangulation = delaunay_edges(points)
        radii[frame] = connecting_radius(points, triangulation)
        near.append(placed[triangulation])
        chosen = radii[frame] if options.radius_um is None else options.radius_um
        within.append(placed[radius_edges(points, chosen)])
    delaunay = _measured(positions, np.concatenate(near))
    limit = np.inf if options.max_edge_um is None else options.max_edge_um
    short = delaunay.length_um <= limit
    return (
        Edges(delaunay.ends[short], delaunay.length_um[short], {}),
        _measured(positions, np.concatenate(within)),
        radii,
    )


def contact_edges(cells: MovieCells, contacts: Mapping[str, pd.DataFrame]) -> Edges:
    """Touching pairs of the CONTACTS tables; cells without a track are left out."""
    ends: list[np.ndarray] = [np.empty((0, 2), np.int64)]
    distance: list[np.ndarray] = [np.empty(0)]
    boundary: list[np.ndarray] = [np.empty(0)]
    for table in contacts.values():
        touching = table[table["in_contact"]]
        pair = np.column_stack(cells.find_partners(touching))
        known = (pair >= 0).all(axis=1)
        ends.append(pair[known])
        distance.append(touching["distance_um"].to_numpy()[known])
        boundary.append(touching["boundary_um"].to_numpy()[known])
    positions = np.column_stack([cells.y_um, cells.x_um])
    found = _measured(positions, np.concatenate(ends))
    more = {
        "distance_um": np.concatenate(distance),
        "boundary_um": np.concatenate(boundary),
    }
    return Edges(found.ends, found.length_um, more)


def _measured(positions: np.ndarray, ends: np.ndarray) -> Edges:
    return Edges(ends, edge_lengths(positions, ends), {})
