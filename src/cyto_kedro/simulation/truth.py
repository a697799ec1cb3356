"""The truth of a movie as tables, read from the same masks that a user compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.core.table import Col, TableSpec
from cyto_kedro.simulation.population import BEFORE_START, KILLED, NOBODY

if TYPE_CHECKING:
    from cyto_kedro.simulation.movie import SimulatedMovie

_ID = Col("int64", "", "id of the cell in all frames and in the masks", ge=1)
_FRAME = Col("int64", "frame", "0-based frame index", ge=0)
_TIME = Col("float64", "min", "time after the first frame", ge=0)

TRACKS = TableSpec(
    "truth_tracks",
    {
        "role": Col("object", "", "tcell or cancer"),
        "cell_id": _ID,
        "frame": _FRAME,
        "time_min": _TIME,
        "y_um": Col("float64", "um", "centroid row in the sample, without drift"),
        "x_um": Col("float64", "um", "centroid column in the sample, without drift"),
        "y_px": Col("float64", "px", "centroid row in the image, with drift"),
        "x_px": Col("float64", "px", "centroid column in the image, with drift"),
        "area_px": Col("int64", "px", "pixels of the mask in the image", ge=1),
        "touches_border": Col("bool", "", "the mask touches the edge of the image"),
        "alive": Col("bool", "", "not dead in this frame"),
        "dimmed": Col("bool", "", "nearly invisible in this frame"),
        "parent_id": Col("Int64", "", "cell that divided into this one", True),
    },
    unique=("role", "cell_id", "frame"),
)
CONTACTS = TableSpec(
    "truth_contacts",
    {
        "frame": _FRAME,
        "time_min": _TIME,
        "effector_id": _ID,
        "target_id": _ID,
        "overlap_px": Col("int64", "px", "pixels that both masks cover", ge=0),
    },
    unique=("frame", "effector_id", "target_id"),
)
DEATHS = TableSpec(
    "truth_deaths",
    {
        "target_id": _ID,
        "death_frame": Col("int64", "frame", "first frame in which it is dead", ge=1),
        "death_min": _TIME,
        "cause": Col("object", "", "killed or bystander"),
        "effector_id": Col(
            "Int64", "", "who gave the lethal hit; null for a bystander", True
        ),
        "hit_frame": Col("Int64", "frame", "first frame after the hit", True),
        "hit_min": Col("float64", "min", "time of the lethal hit", True),
    },
    unique=("target_id",),
)
DIVISIONS = TableSpec(
    "truth_divisions",
    {
        "frame": Col("int64", "frame", "first frame of the daughters", ge=1),
        "time_min": _TIME,
        "parent_id": _ID,
        "daughter_a_id": _ID,
        "daughter_b_id": _ID,
    },
    unique=("parent_id",),
)
DRIFT = TableSpec(
    "truth_drift",
    {
        "frame": _FRAME,
        "dy_px": Col("float64", "px", "rows that the content moved since frame 0"),
        "dx_px": Col("float64", "px", "columns that the content moved since frame 0"),
    },
    unique=("frame",),
)


def observe(movie: SimulatedMovie) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables TRACKS and CONTACTS in one pass over the masks."""
    tracks, contacts = [], []
    for frame in range(movie.params.n_frames):
        effectors = movie.mask(movie.effector, frame)
        targets = movie.mask(movie.target, frame)
        tracks += [
            _seen(movie, movie.effector, frame, effectors),
            _seen(movie, movie.target, frame, targets),
        ]
        contacts.append(_touching(effectors, targets).assign(frame=frame))
    interval = movie.params.frame_interval_min
    seen = pd.concat(tracks, ignore_index=True)
    touched = pd.concat(contacts, ignore_index=True)
    order = ["role", "cell_id", "frame"]
    seen = TRACKS.conform(seen.assign(time_min=seen["frame"] * interval))
    touched = CONTACTS.conform(touched.assign(time_min=touched["frame"] * interval))
    return seen.sort_values(order, ignore_index=True), touched


def _seen(
    movie: SimulatedMovie, role: str, frame: int, labels: np.ndarray
) -> pd.DataFrame:
    cells = movie.cells(role, frame)
    area = np.bincount(labels.ravel(), minlength=int(cells.ids.max(initial=0)) + 1)
    rows = np.flatnonzero(area[cells.ids])
    ids = cells.ids[rows]
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    place = cells.centroid_um[rows]
    pixel = place / movie.params.pixel_size_um + movie.history.drift_px[frame]
    fates = movie.history.fates
    parent = fates.parent[ids - 1] if role == movie.target else np.full(len(ids), -1)
    return pd.DataFrame(
        {
            "role": role,
            "cell_id": ids,
            "frame": frame,
            "y_um": place[:, 0],
            "x_um": place[:, 1],
            "y_px": pixel[:, 0],
            "x_px": pixel[:, 1],
            "area_px": area[ids],
            "touches_border": np.isin(ids, edge),
            "alive": cells.alive[rows],
            "dimmed": cells.dimmed[rows],
            "parent_id": _ids(parent),
        }
    )


def _touching(effectors: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Pairs whose masks come within one pixel diagonal: the 3 x 3 neighbourhood."""
    y, x = np.nonzero(effectors)
    padded = np.pad(targets, 1)
    pairs, shared = [], []
    for dy, dx in np.ndindex(3, 3):
        met = padded[y + dy, x + dx]
        both = np.stack([effectors[y, x], met], axis=1)[met > 0]
        pairs.append(both)
        shared.append(np.full(len(both), dy == 1 and dx == 1))
    found, place = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    overlap = np.bincount(
        place.ravel(), weights=np.concatenate(shared), minlength=len(found)
    )
    return pd.DataFrame(
        {
            "effector_id": found[:, 0].astype(np.int64),
            "target_id": found[:, 1].astype(np.int64),
            "overlap_px": overlap.astype(np.int64),
        }
    )


def deaths(movie: SimulatedMovie) -> pd.DataFrame:
    """Table DEATHS: targets that died during the movie and in view."""
    fates, interval = movie.history.fates, movie.params.frame_interval_min
    first = np.ceil(np.where(fates.death_min < 0, 0, fates.death_min) / interval)
    died = (fates.death_min < fates.gone_min) & (fates.cause != BEFORE_START)
    seen = movie.tracks.loc[movie.tracks["role"] == movie.target]
    in_view = set(zip(seen["cell_id"], seen["frame"], strict=True))
    rows = np.array(
        [n for n in np.flatnonzero(died) if (n + 1, first[n]) in in_view], dtype=int
    )
    hit = np.where(fates.cause[rows] == KILLED, fates.hit_min[rows], np.nan)
    table = pd.DataFrame(
        {
            "target_id": rows + 1,
            "death_frame": first[rows],
            "death_min": fates.death_min[rows],
            "cause": fates.cause[rows].astype(object),
            "effector_id": _ids(fates.killer[rows]),
            "hit_frame": pd.array(np.ceil(hit / interval), dtype="Int64"),
            "hit_min": hit,
        }
    )
    return DEATHS.conform(table).sort_values("death_min", ignore_index=True)


def divisions(movie: SimulatedMovie) -> pd.DataFrame:
    """Table DIVISIONS: mother and both daughters in view."""
    fates, interval = movie.history.fates, movie.params.frame_interval_min
    seen = set(movie.tracks.loc[movie.tracks["role"] == movie.target, "cell_id"])
    rows = []
    for mother in np.unique(fates.parent[fates.parent != NOBODY]):
        daughters = np.flatnonzero(fates.parent == mother) + 1
        frame = int(np.ceil(fates.gone_min[mother] / interval))
        if {int(mother) + 1, *daughters.tolist()} <= seen:
            rows.append((frame, fates.gone_min[mother], mother + 1, *daughters))
    table = pd.DataFrame(rows, columns=list(DIVISIONS.columns))
    return DIVISIONS.conform(table).sort_values("time_min", ignore_index=True)


def drift(movie: SimulatedMovie) -> pd.DataFrame:
    """Table DRIFT: add it to sample positions (px) to find a cell in the image."""
    moved = movie.history.drift_px
    table = {"frame": np.arange(len(moved)), "dy_px": moved[:, 0], "dx_px": moved[:, 1]}
    return DRIFT.conform(pd.DataFrame(table))


def tables(movie: SimulatedMovie) -> Iterator[tuple[str, pd.DataFrame]]:
    """Name and content of every truth table."""
    yield "tracks", movie.tracks
    yield "contacts", movie.contacts
    yield "deaths", movie.deaths
    yield "hits", movie.hits
    yield "effectors", movie.effectors
    yield "divisions", movie.divisions
    yield "drift", movie.drift


def _ids(rows: np.ndarray) -> pd.Series:
    """Rows of a population as ids, null for nobody."""
    return pd.Series(rows + 1, dtype="Int64").mask(pd.Series(rows) == NOBODY)
