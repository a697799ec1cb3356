"""Our tables and graphs in the form that pyCyto gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import PYCYTO_COLUMNS
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.features.selection import KeepPoints
from cyto_kedro.methods.networks.graphs import NetworkOptions, position_edges

_CELL = ["frame", "label"]
_MEASURED = ("mean", "median", "sd")


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


def with_feature(
    tracks: pd.DataFrame, features: pd.DataFrame, feature: str
) -> pd.DataFrame:
    """TRACKS with one feature of the table FEATURES as a column."""
    own = features[features["feature"] == feature]
    own = own[[*_CELL, "value"]].rename(columns={"value": feature})
    own = own.astype(dict.fromkeys(_CELL, "int64"))
    return tracks.merge(own, on=_CELL, how="left", validate="1:1")


def filtered(
    tracks: pd.DataFrame, steps: Sequence[Mapping[str, Any]], role: str
) -> pd.DataFrame:
    """Rows that pass all filters of points of one role."""
    for values in steps:
        if values["name"] == "points" and role in values.get("roles", (role,)):
            step = KeepPoints.model_validate(values)
            tracks = tracks[step.keeps(tracks[step.column])]
    return tracks


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
        pyCyto's columns, ``contact``, ``contact_label`` (labels in the same frame,
        separated by spaces) and ``closest_cell_dist`` (um, between centroids; NaN
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
    table["contact_label"] = found.fillna("").to_numpy()
    table["closest_cell_dist"] = _closest(own, other)
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
