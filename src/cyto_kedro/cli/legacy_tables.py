"""Our tables and graphs in the form that pyCyto gives them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import PYCYTO_COLUMNS
from cyto_kedro.legacy.state import Table
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.graphs import NetworkOptions, position_edges

_CELL = ["frame", "label"]
_MEASURED = ("mean", "median", "sd")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}


def pycyto_table(
    cells: pd.DataFrame, channel: str, extra: Sequence[str] = ()
) -> pd.DataFrame:
    """pyCyto's columns of DETECTIONS or TRACKS, with the intensities of one channel.

    Args:
        cells: Table DETECTIONS or TRACKS.
        channel: Channel whose intensities the table shows; empty: the role's first.
        extra: Further columns to keep.

    Returns:
        pyCyto's columns, ``TrackID`` for tracks, and ``extra``. Lengths are um; ``i``,
        ``j`` and ``bbox_i*``, ``bbox_j*`` are pixels.
    """
    table = cells[list(PYCYTO_COLUMNS)].copy()
    if channel and f"mean_{channel}" in cells:
        for name in _MEASURED:
            table[name] = cells[f"{name}_{channel}"]
        table["mass"] = cells[f"mean_{channel}"] * cells["area_px"]
        table["channel"] = channel
    if "track_id" in cells:
        table["TrackID"] = cells["track_id"]
    for name in extra:
        table[name] = cells[name]
    return table


def shown_table(
    cells: pd.DataFrame, table: Table, features: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """What pyCyto writes of a table: its columns, features and conditions.

    Args:
        cells: Table DETECTIONS or TRACKS of the role.
        table: What is shown of it.
        features: Gives the table FEATURES; asked only where a feature is shown.
    """
    found = features() if table.features else None
    for shown, feature in table.features:
        own = found[found["feature"] == feature] if found is not None else cells
        own = own[[*_CELL, "value"]].rename(columns={"value": shown})
        own = own.astype(dict.fromkeys(_CELL, "int64"))
        cells = cells.merge(own, on=_CELL, how="left", validate="1:1")
    for column, comparison, value in table.conditions:
        cells = cells[_COMPARE[comparison](cells[column], value)]
    return pycyto_table(cells, table.channel, [shown for shown, _ in table.features])


def contact_table(
    own: pd.DataFrame, other: pd.DataFrame, contacts: pd.DataFrame, role: str
) -> pd.DataFrame:
    """The cells of one role with what pyCyto says of their contacts.

    Args:
        own: TRACKS of the role.
        other: TRACKS of the other role.
        contacts: Table CONTACTS of both.
        role: The role.

    Returns:
        pyCyto's columns, ``contact``, ``contacting cell labels`` (in the same frame,
        separated by spaces) and ``closest cell dist`` (um, between centroids; NaN
        without any other cell).
    """
    table = pycyto_table(own, "")
    near = contacts[contacts["in_contact"]]
    mine, theirs = ("effector", "target")
    if len(near) and near["effector"].iloc[0] != role:
        mine, theirs = theirs, mine
    told = near.sort_values(["frame", f"{mine}_label", f"{theirs}_label"])
    labels = told.groupby(["frame", f"{mine}_label"])[f"{theirs}_label"].agg(
        lambda values: " ".join(map(str, values))
    )
    keys = pd.MultiIndex.from_frame(own[_CELL])
    found = labels.reindex(keys) if len(labels) else pd.Series(index=keys, dtype=object)
    table["contact"] = found.notna().to_numpy()
    table["contacting cell labels"] = found.fillna("").to_numpy()
    table["closest cell dist"] = _closest(own, other)
    return table


def _closest(own: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """(n,) distance of each cell's centroid to the nearest of the others (um)."""
    from scipy.spatial import KDTree

    place = ["y_um", "x_um"]
    distance = pd.Series(np.nan, own.index)
    others = dict(iter(other.groupby("frame")[place]))
    for frame, cells in own.groupby("frame")[place]:
        if frame in others:
            tree = KDTree(others[frame].to_numpy())
            distance[cells.index] = tree.query(cells.to_numpy())[0]
    return distance.to_numpy()


def radius_graphs(tracks: pd.DataFrame, calibration: Calibration) -> list[nx.Graph]:
    """One graph per frame: the smallest radius that joins all cells of one role.

    Nodes are labels; edges carry ``length_um``.
    """
    cells = MovieCells.of({"cells": tracks})
    edges = position_edges(cells, calibration.n_frames, NetworkOptions(radius_um=None))[
        1
    ]
    graphs = [nx.Graph() for _ in range(calibration.n_frames)]
    for frame, label in zip(cells.frame, cells.label, strict=True):
        graphs[frame].add_node(int(label))
    for (a, b), length in zip(edges.ends, edges.length_um, strict=True):
        ends = int(cells.label[a]), int(cells.label[b])
        graphs[cells.frame[a]].add_edge(*ends, length_um=float(length))
    return graphs


def contact_graphs(
    tracks: Mapping[str, pd.DataFrame], contacts: pd.DataFrame, n_frames: int
) -> list[nx.Graph]:
    """One graph per frame: cells of two roles, joined where they are in contact.

    Nodes are ``role/label``; edges carry ``length_um`` between centroids.
    """
    graphs = [nx.Graph() for _ in range(n_frames)]
    for role, table in tracks.items():
        for frame, label in table[_CELL].itertuples(index=False):
            graphs[frame].add_node(f"{role}/{label}")
    near = contacts[contacts["in_contact"]]
    for row in near.to_dict(orient="records"):
        graphs[int(row["frame"])].add_edge(
            f"{row['effector']}/{row['effector_label']}",
            f"{row['target']}/{row['target_label']}",
            length_um=float(row["centroid_distance_um"]),
        )
    return graphs
