"""Writes tracks as a TrackMate XML file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.datasets.exchange import Links, links_of
from cyto_kedro.datasets.trackmate_reader import BY_HAND, LABEL_FEATURE
from cyto_kedro.datasets.trackmate_schema import (
    EDGE_FEATURES,
    SPOT_FEATURES,
    TRACK_FEATURES,
    VERSION,
    declarations,
    settings,
)

_LARGEST_ID = 2**31 - 1


def write_trackmate(
    table: pd.DataFrame,
    calibration: Calibration,
    radius_um: float,
    image: str,
    stream: IO[str],
    where: str,
) -> None:
    """Write a checked table; lengths are in micron, times in min.

    Args:
        table: Sorted by track and frame (``exchange.checked_tracks``).
        calibration: Size of the movie.
        radius_um: Radius of spots whose size the table does not know.
        image: Image that TrackMate opens; "" for none.
        stream: Where to.
        where: File, for messages.

    Raises:
        InputError: Time does not increase along a link, or a row lies behind the end
            of the movie.
    """
    if len(table) and table["frame"].max() >= calibration.n_frames:
        raise InputError(
            f"A point is in frame {table['frame'].max()}, but the movie has "
            f"{calibration.n_frames} frames",
            where=where,
            fix="give the calibration of the movie that was tracked",
        )
    spots = _spots(table, radius_um)
    links = links_of(table)
    edges = _edges(spots, links, where)
    spots["track"], tracks = _tracks(spots, links, edges)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    stream.write(f'<TrackMate version="{VERSION}">\n')
    stream.write("  <Log>Tracks written by cyto_kedro</Log>\n")
    stream.write('  <Model spatialunits="micron" timeunits="min">\n')
    stream.writelines(declarations())
    stream.writelines(_all_spots(spots))
    stream.writelines(_all_tracks(tracks, edges))
    stream.write("  </Model>\n")
    stream.writelines(settings(calibration, radius_um, image))
    stream.write('  <GUIState state="ConfigureViews">\n')
    stream.write('    <View key="HYPERSTACKDISPLAYER" />\n')
    stream.write("  </GUIState>\n</TrackMate>\n")


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name in table:
        return table[name].astype(np.float64)
    return pd.Series(np.nan, table.index)


def _spots(table: pd.DataFrame, radius_um: float) -> pd.DataFrame:
    radius = _column(table, "radius_um")
    disc = np.sqrt(_column(table, "area_um2") / np.pi)
    return pd.DataFrame(
        {
            "ID": _ids(table),
            "QUALITY": _column(table, "quality").fillna(BY_HAND),
            "POSITION_X": table["x_um"].astype(np.float64),
            "POSITION_Y": table["y_um"].astype(np.float64),
            "POSITION_Z": _column(table, "z_um").fillna(0.0),
            "POSITION_T": table["time_min"].astype(np.float64),
            "FRAME": table["frame"].astype(np.int64),
            "RADIUS": radius.fillna(disc).fillna(radius_um),
            "VISIBILITY": 1,
            LABEL_FEATURE: table["label"].astype(np.int64),
        }
    )


def _ids(table: pd.DataFrame) -> np.ndarray:
    """The ids that TrackMate gave, or numbers by frame and label."""
    if "source_id" in table:
        known = table["source_id"]
        if (
            known.notna().all()
            and known.is_unique
            and known.between(0, _LARGEST_ID).all()
        ):
            return known.to_numpy(dtype=np.int64)
    ids = np.empty(len(table), dtype=np.int64)
    ids[np.lexsort((table["label"], table["frame"]))] = np.arange(len(table))
    return ids


def _edges(spots: pd.DataFrame, links: Links, where: str) -> pd.DataFrame:
    axes = ["POSITION_X", "POSITION_Y", "POSITION_Z", "POSITION_T"]
    ends = spots[axes].to_numpy()
    before, after = ends[links.source], ends[links.target]
    step = after - before
    if (step[:, 3] <= 0).any():
        row = spots.iloc[links.target[np.flatnonzero(step[:, 3] <= 0)[0]]]
        raise InputError(
            "time_min does not increase along a track",
            where=f"{where}, frame {row.FRAME:.0f}, label {row[LABEL_FEATURE]:.0f}",
            fix="times are those of the frames",
        )
    mean = (before + after) / 2
    length = np.linalg.norm(step[:, :3], axis=1)
    ids = spots["ID"].to_numpy()
    return pd.DataFrame(
        {
            "SPOT_SOURCE_ID": ids[links.source],
            "SPOT_TARGET_ID": ids[links.target],
            "LINK_COST": np.where(np.isnan(links.cost), BY_HAND, links.cost),
            "EDGE_TIME": mean[:, 3],
            "EDGE_X_LOCATION": mean[:, 0],
            "EDGE_Y_LOCATION": mean[:, 1],
            "EDGE_Z_LOCATION": mean[:, 2],
            "VELOCITY": length / step[:, 3],
            "DISPLACEMENT": length,
        }
    )


def _tracks(
    spots: pd.DataFrame, links: Links, edges: pd.DataFrame
) -> tuple[np.ndarray, pd.DataFrame]:
    """Track of each spot (-1: alone), and features of TrackMate's tracks.

    A TrackMate track is all that is linked: a mother and her daughters are one. The
    column ``track`` is added to ``edges``.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n, source, target = len(spots), links.source, links.target
    ones = np.ones(len(source), dtype=bool)
    graph = coo_matrix((ones, (source, target)), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    linked = np.zeros(n, dtype=bool)
    linked[source] = linked[target] = True
    track = np.full(n, -1)
    track[linked] = np.unique(group[linked], return_inverse=True)[1]
    edges["track"] = track[source]
    return track, _features(spots, links, track)


def _features(spots: pd.DataFrame, links: Links, track: np.ndarray) -> pd.DataFrame:
    """What TrackMate's branching and duration analysers would say of each track."""
    n, source, target = len(spots), links.source, links.target
    linked = track >= 0
    out, into = (np.bincount(end, minlength=n) for end in (source, target))
    frame = spots["FRAME"].to_numpy()
    skipped = pd.Series(frame[target] - frame[source] - 1)
    counts = pd.DataFrame(
        {
            "track": track,
            "NUMBER_SPLITS": (out > 1) & (into <= 1),
            "NUMBER_MERGES": (into > 1) & (out <= 1),
            "NUMBER_COMPLEX": (out > 1) & (into > 1),
        }
    )[linked]
    own = spots[linked].groupby(track[linked])
    gaps = skipped.groupby(track[source])
    times = own["POSITION_T"].agg(["min", "max"])
    return pd.DataFrame(
        {
            "NUMBER_SPOTS": own.size(),
            "NUMBER_GAPS": gaps.agg(lambda step: int((step > 0).sum())),
            "LONGEST_GAP": gaps.max(),
            **counts.groupby("track").sum().astype(np.int64),
            "TRACK_DURATION": times["max"] - times["min"],
            "TRACK_START": times["min"],
            "TRACK_STOP": times["max"],
            "TRACK_INDEX": times.index,
            "TRACK_ID": times.index,
        }
    )


def _all_spots(spots: pd.DataFrame) -> Iterator[str]:
    names = list(SPOT_FEATURES)
    yield f'    <AllSpots nspots="{len(spots)}">\n'
    for frame, own in spots.sort_values(["FRAME", "ID"]).groupby("FRAME"):
        yield f'      <SpotsInFrame frame="{frame}">\n'
        for number, said in zip(own["ID"], _attributes(own, names), strict=True):
            yield f'        <Spot ID="{number}" name="ID{number}" {said} />\n'
        yield "      </SpotsInFrame>\n"
    yield "    </AllSpots>\n"


def _all_tracks(tracks: pd.DataFrame, edges: pd.DataFrame) -> Iterator[str]:
    yield "    <AllTracks>\n"
    own = dict(list(edges.groupby("track")))
    said = _attributes(tracks, list(TRACK_FEATURES))
    for number, features in zip(tracks["TRACK_ID"], said, strict=True):
        yield f'      <Track name="Track_{number}" {features}>\n'
        for edge in _attributes(own[number], list(EDGE_FEATURES)):
            yield f"        <Edge {edge} />\n"
        yield "      </Track>\n"
    yield "    </AllTracks>\n    <FilteredTracks>\n"
    for number in tracks["TRACK_ID"]:
        yield f'      <TrackID TRACK_ID="{number}" />\n'
    yield "    </FilteredTracks>\n"


def _attributes(table: pd.DataFrame, names: list[str]) -> Iterator[str]:
    """The attributes of each row; floats are written so that they come back equal."""
    columns = [table[name].tolist() for name in names]
    for row in zip(*columns, strict=True):
        yield " ".join(f'{k}="{v!r}"' for k, v in zip(names, row, strict=True))
