"""What the exchange formats share: tracks as links, links as tracks, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import EXCHANGED_TRACKS

_NEEDED = (
    "frame",
    "label",
    "time_min",
    "y_um",
    "x_um",
    "track_id",
    "parent_track_id",
)
_ORDER = ["frame", "y_um", "x_um", "label"]


@dataclass(frozen=True)
class Links:
    """Links between the rows of a table.

    Attributes:
        source: (E,) row of the earlier point.
        target: (E,) row of the later point.
        cost: (E,) cost in the program that linked them; NaN where unknown.
    """

    source: np.ndarray
    target: np.ndarray
    cost: np.ndarray

    def take(self, rows: np.ndarray) -> Links:
        """Some of the links."""
        return Links(self.source[rows], self.target[rows], self.cost[rows])


def read_calibration(path: Path | None) -> Calibration | None:
    """The calibration that the ingest pipeline wrote.

    Raises:
        InputError: The file is absent or is no calibration.
    """
    if path is None:
        return None
    try:
        return Calibration.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError) as exc:
        raise InputError(
            f"Not a calibration: {exc}",
            where=str(path),
            fix="run the ingest pipeline, which writes it",
        ) from exc


def positive(value: float | None, name: str, where: Path) -> float | None:
    """A setting that must be above 0 where it is given.

    Raises:
        ConfigError: It is not.
    """
    if value is not None and not value > 0:
        raise ConfigError(f"{name}: {value} is not positive", where=str(where))
    return value


def checked_tracks(table: object, where: str) -> pd.DataFrame:
    """A table that can be exported, sorted by track and frame.

    Raises:
        InputError: A column is missing, a position is not finite, a row repeats, or a
            track's parent is absent or ends after the track starts.
    """
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"Expected a table of tracks, got {type(table).__name__}", where=where
        )
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise InputError(
            f"The table lacks {', '.join(missing)}",
            where=where,
            fix="give a table TRACKS or EXCHANGED_TRACKS",
        )
    place = table[["y_um", "x_um", "time_min"]].to_numpy(dtype=np.float64)
    bad = ~np.isfinite(place).all(axis=1)
    for key in (["frame", "label"], ["frame", "track_id"]):
        bad |= table.duplicated(key).to_numpy()
    if bad.any():
        row = table.loc[bad, ["frame", "label", "track_id"]].iloc[0]
        raise InputError(
            f"{int(bad.sum())} row(s) have no finite position or repeat; first: "
            f"frame {row.frame}, label {row.label}, track {row.track_id}",
            where=where,
            fix="a track has one point per frame and a label one row per frame",
        )
    table = table.sort_values(["track_id", "frame"], ignore_index=True)
    _check_order(table, "parent_track_id", "is the parent of", where)
    if "merged_into_track_id" in table:
        _check_order(table, "merged_into_track_id", "takes in", where)
    return table


def _check_order(table: pd.DataFrame, column: str, what: str, where: str) -> None:
    """Refuse a relation to an absent track, or one that runs back in time."""
    span = table.groupby("track_id")["frame"].agg(["first", "last"])
    named = table.groupby("track_id")[column].first().dropna().astype(np.int64)
    unknown = named[~named.isin(span.index)]
    if len(unknown):
        raise InputError(
            f"Track {unknown.iloc[0]} {what} track {unknown.index[0]} but is not in "
            "the table",
            where=where,
            fix="keep related tracks together, or set the relation to <NA>",
        )
    other, own = span.loc[named.to_numpy()], span.loc[named.index]
    before, after = (other, own) if column == "parent_track_id" else (own, other)
    wrong = np.flatnonzero(before["last"].to_numpy() >= after["first"].to_numpy())
    if len(wrong):
        k = wrong[0]
        raise InputError(
            f"Track {named.iloc[k]} {what} track {named.index[k]}, but track "
            f"{before.index[k]} does not end before track {after.index[k]} starts",
            where=where,
            fix="end a track where it divides or merges",
        )


def links_of(table: pd.DataFrame) -> Links:
    """All links of a checked table: along tracks, to daughters, and into merges."""
    track = table["track_id"].to_numpy()
    rows = np.arange(len(table))
    starts = np.flatnonzero(np.append(True, track[1:] != track[:-1])[: len(table)])
    ends = np.append(starts[1:], len(table))[: len(starts)] - 1
    inside = np.setdiff1d(rows, starts)
    source, target = [inside - 1], [inside]
    place = {int(track[row]): k for k, row in enumerate(starts)}
    for column, backward in (
        ("parent_track_id", True),
        ("merged_into_track_id", False),
    ):
        if column not in table:
            continue
        named = table[column].iloc[starts]
        own = np.flatnonzero(named.notna())
        other = np.array([place[int(one)] for one in named.dropna()], dtype=np.int64)
        before, after = (other, own) if backward else (own, other)
        source.append(ends[before])
        target.append(starts[after])
    found = np.concatenate(source), np.concatenate(target)
    known = table.get("link_cost", pd.Series(np.nan, table.index))
    return Links(*found, known.to_numpy(dtype=np.float64)[found[1]])


def without_merges(points: pd.DataFrame, links: Links) -> Links:
    """Keep of several links into a point the one from the latest, nearest point."""
    frame = points["frame"].to_numpy()
    gap = frame[links.target] - frame[links.source]
    order = np.lexsort((links.source, _distance(points, links), gap))
    _, first = np.unique(links.target[order], return_index=True)
    return links.take(np.sort(order[first]))


def tracks_from_links(points: pd.DataFrame, links: Links, where: str) -> pd.DataFrame:
    """Cut the graph of links into tracks at every split and every merge.

    Args:
        points: One row per point with the columns of EXCHANGED_TRACKS that do not
            come from links.
        links: Between rows of ``points``, forward in time.
        where: File, for messages.

    Returns:
        Table EXCHANGED_TRACKS sorted by frame and label. Track ids count from 1 by
        first frame, then by position; a track's first row has no link distance.

    Raises:
        InputError: A point leads into two merges at once.
    """
    n, source, target = len(points), links.source, links.target
    n_in = np.bincount(target, minlength=n)
    inside = (np.bincount(source, minlength=n)[source] == 1) & (n_in[target] == 1)
    track = _chains(_ranks(points), source[inside], target[inside])
    parent = _related(track, target, source, ~inside & (n_in[target] == 1))
    into = n_in[target] > 1
    _refuse_two_merges(points, track[source[into]], source[into], where)
    merged = _related(track, source, target, into)
    distance, cost = np.full(n, np.nan), np.full(n, np.nan)
    gap = np.zeros(n, dtype=np.int64)
    frame = points["frame"].to_numpy()
    distance[target[inside]] = _distance(points, links.take(inside))
    gap[target[inside]] = (frame[target] - frame[source])[inside] - 1
    cost[target[~into]] = links.cost[~into]
    table = points.assign(
        track_id=track,
        parent_track_id=parent[track],
        merged_into_track_id=merged[track],
        link_distance_um=distance,
        gap_frames=gap,
        link_cost=cost,
    )
    table = table.sort_values(["frame", "label"], ignore_index=True)
    return EXCHANGED_TRACKS.conform(table[list(EXCHANGED_TRACKS.columns)])


def _ranks(points: pd.DataFrame) -> np.ndarray:
    """(N,) place of each point in the canonical order."""
    order = points.reset_index(drop=True).sort_values(_ORDER).index.to_numpy()
    rank = np.empty(len(points), dtype=np.int64)
    rank[order] = np.arange(len(points))
    return rank


def _chains(rank: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(N,) track of each point, from 1 in the order of the tracks' first points."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(rank)
    ones = np.ones(len(before), dtype=bool)
    graph = coo_matrix((ones, (before, after)), shape=(n, n))
    count, chain = connected_components(graph, directed=False)
    first = np.full(count, n)
    np.minimum.at(first, chain, rank)
    number = np.empty(count, dtype=np.int64)
    number[np.argsort(first)] = np.arange(1, count + 1)
    return number[chain]


def _related(
    track: np.ndarray, own: np.ndarray, other: np.ndarray, which: np.ndarray
) -> pd.api.extensions.ExtensionArray:
    """Related track by track id, <NA> where there is none."""
    related = pd.array([pd.NA] * (track.max(initial=0) + 1), dtype="Int64")
    related[track[own[which]]] = track[other[which]]
    return related


def _refuse_two_merges(
    points: pd.DataFrame, tracks: np.ndarray, rows: np.ndarray, where: str
) -> None:
    _, first, count = np.unique(tracks, return_index=True, return_counts=True)
    if (count > 1).any():
        row = points.iloc[rows[first[count > 1][0]]]
        raise InputError(
            "A cell leads into two merges at once, which no table of tracks can say",
            where=f"{where}, frame {row.frame}, id {row.source_id}",
            fix="remove one of its links, or load with 'merges: cut'",
        )


def _distance(points: pd.DataFrame, links: Links) -> np.ndarray:
    place = points[["z_um", "y_um", "x_um"]].to_numpy(dtype=np.float64)
    return np.linalg.norm(place[links.target] - place[links.source], axis=1)
