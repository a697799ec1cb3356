"""From tracks to the tables and masks of the Cell Tracking Challenge, and back."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.schemas import EXCHANGED_TRACKS

_LARGEST = np.iinfo(np.uint16).max
_LISTING = ["track", "first", "last", "parent"]
_POINT = {"frame": "i8", "label": "i8", "y": "f8", "x": "f8", "area": "f8"}


def segments(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Cut checked tracks at gaps.

    Args:
        table: Sorted by track and frame.
        where: Folder, for messages.

    Returns:
        The table with ``segment``, the number in the masks, and ``above``, the segment
        that it follows or descends from (0 for none). The first segment of a track has
        the track's id, unless an id is too large for 16 bits: then all count from 1.

    Raises:
        InputError: Tracks merge, or there are more than 65,535 segments.
    """
    if "merged_into_track_id" in table and table["merged_into_track_id"].notna().any():
        row = table[table["merged_into_track_id"].notna()].iloc[0]
        raise InputError(
            f"Track {row.track_id} merges into track {row.merged_into_track_id}, which "
            "the Cell Tracking Challenge's format cannot say",
            where=where,
            fix="cut merges first; TrackMateDataset does so with 'merges: cut'",
        )
    track = table["track_id"].to_numpy(dtype=np.int64)
    frame = table["frame"].to_numpy(dtype=np.int64)
    new_track = np.append(True, track[1:] != track[:-1])[: len(table)]
    new = new_track | np.append(True, np.diff(frame) > 1)[: len(table)]
    starts = np.flatnonzero(new)
    number = track[starts].copy()
    later = ~new_track[starts]
    number[later] = track.max(initial=0) + np.arange(1, later.sum() + 1)
    above = np.zeros(len(starts), dtype=np.int64)
    above[later] = number[np.flatnonzero(later) - 1]
    last = dict(zip(track[starts].tolist(), number.tolist(), strict=True))
    parents = table["parent_track_id"].iloc[starts[~later]]
    above[~later] = [0 if pd.isna(p) else last[int(p)] for p in parents]
    number, above = _in_16_bits(number, above, where)
    part = np.cumsum(new) - 1
    return table.assign(segment=number[part], above=above[part])


def _in_16_bits(
    number: np.ndarray, above: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray]:
    if number.max(initial=0) <= _LARGEST:
        return number, above
    if len(number) > _LARGEST:
        raise InputError(
            f"{len(number)} tracks do not fit the format, which counts to {_LARGEST}",
            where=where,
            fix="save fewer tracks, or a part of the movie",
        )
    known = np.append(0, np.sort(number))
    return np.searchsorted(known, number), np.searchsorted(known, above)


def relabelled(
    plane: np.ndarray, known: np.ndarray, segment: np.ndarray, where: str, drop: bool
) -> np.ndarray:
    """One frame's mask with the numbers of the segments, uint16.

    Args:
        plane: (Y, X) labels.
        known: Sorted labels that the table has in this frame.
        segment: Segment of each.
        where: Frame, for messages.
        drop: Make labels that are not ``known`` background.

    Raises:
        InputError: A label of the table has no pixels, or one of the mask no row.
    """
    inside = plane > 0
    labels, place = np.unique(plane[inside], return_inverse=True)
    labels = labels.astype(np.int64)
    absent, alone = np.setdiff1d(known, labels), np.setdiff1d(labels, known)
    if len(absent) or (len(alone) and not drop):
        said = (
            f"Label {absent[0]} of the table has no pixels"
            if len(absent)
            else f"Mask {alone[0]} has no row in the table"
        )
        raise InputError(
            said,
            where=where,
            fix="save the table with the masks that were tracked; "
            "'untracked: drop' saves a part of the tracks",
        )
    number = np.zeros(len(labels), dtype=np.uint16)
    number[np.isin(labels, known)] = segment
    out = np.zeros(plane.shape, dtype=np.uint16)
    out[inside] = number[place]
    return out


def read_listing(path: Path) -> pd.DataFrame:
    """The lines L B E P of ``res_track.txt`` as track, first, last, parent.

    Raises:
        InputError: A line is not four integers, or a track occurs twice.
    """
    try:
        rows = [
            [int(word) for word in line.split()]
            for line in path.read_text("utf-8").splitlines()
            if line.strip()
        ]
        table = pd.DataFrame(np.array(rows, np.int64).reshape(-1, 4), columns=_LISTING)
    except ValueError as exc:
        raise InputError(
            f"A line is not of the form L B E P: {exc}",
            where=str(path),
            fix="each line holds track, first frame, last frame and parent (0: none)",
        ) from exc
    unknown = ~table["parent"].isin(np.append(0, table["track"]))
    if table["track"].duplicated().any() or unknown.any():
        raise InputError(
            "A track is listed twice, or a parent is not listed",
            where=str(path),
            fix="correct the file",
        )
    return table


def measured(labels: da.Array) -> pd.DataFrame:
    """Frame, label, centroid (px) and area (px) of every mask, frame by frame."""

    def one(frame: int, plane: np.ndarray) -> np.ndarray:
        y, x = np.nonzero(plane)
        label, place, area = np.unique(
            plane[y, x], return_inverse=True, return_counts=True
        )
        sums = [np.bincount(place, axis, minlength=len(label)) for axis in (y, x)]
        return np.column_stack(
            [np.full(len(label), frame), label, sums[0] / area, sums[1] / area, area]
        )

    rows = np.concatenate([np.empty((0, len(_POINT))), *over_frames(one, labels)])
    return pd.DataFrame(rows, columns=list(_POINT)).astype(_POINT)


def joined(points: pd.DataFrame, listing: pd.DataFrame, where: str) -> pd.DataFrame:
    """Add the columns of tracks to the measured masks, in pixels.

    An only child that starts after a gap is its parent's continuation.

    Raises:
        InputError: The listing and the masks disagree.
    """
    _check_listing(points, listing, where)
    facts = listing.set_index("track")
    children = facts["parent"].value_counts()
    parent = facts["parent"].to_numpy()
    has = parent > 0
    follows = np.zeros(len(facts), dtype=bool)
    before = facts["last"].reindex(parent[has]).to_numpy()
    follows[has] = (facts["first"].to_numpy()[has] > before + 1) & (
        children.reindex(parent[has]).to_numpy() == 1
    )
    root: dict[int, int] = {0: 0}
    order = np.argsort(facts["first"].to_numpy(), kind="stable")
    for k in order:
        own = int(facts.index[k])
        root[own] = root[int(parent[k])] if follows[k] else own
    mother = {
        int(own): root[int(above)]
        for own, above, on in zip(facts.index, parent, follows, strict=True)
        if not on and above
    }
    track = points["label"].map(root).astype(np.int64)
    table = points.assign(
        track_id=track, parent_track_id=track.map(mother).astype("Int64")
    )
    table = table.sort_values(["track_id", "frame"], ignore_index=True)
    step = table.groupby("track_id")["frame"].diff()
    return table.assign(gap_frames=step.fillna(1).astype(np.int64) - 1)


def _check_listing(points: pd.DataFrame, listing: pd.DataFrame, where: str) -> None:
    span = points.groupby("label")["frame"].agg(["min", "max", "size"])
    facts = listing.set_index("track")
    both = span.join(facts, how="outer")
    length = both["last"] - both["first"] + 1
    ok = both["min"].eq(both["first"]) & both["max"].eq(both["last"])
    ok &= both["size"].eq(length)
    if not ok.all():
        raise InputError(
            f"Track {ok.index[~ok][0]} is not in the masks of exactly the frames that "
            "the table lists",
            where=where,
            fix="a mask has the number of its track in every frame from B to E",
        )
    above = facts[facts["parent"] > 0]
    ends = facts["last"].reindex(above["parent"]).to_numpy()
    late = np.asarray(above["first"].to_numpy() <= ends)
    if late.any():
        raise InputError(
            f"Track {above.index[late][0]} starts before its parent ends",
            where=where,
            fix="correct the file",
        )


def in_um(
    tracks: pd.DataFrame, spacing_um: tuple[float, ...], times_min: np.ndarray
) -> pd.DataFrame:
    """Table EXCHANGED_TRACKS from one in pixels and frames."""
    height, width = spacing_um
    place = tracks[["y", "x"]].to_numpy() * [height, width]
    moved = np.full(len(tracks), np.nan)
    moved[1:] = np.linalg.norm(np.diff(place, axis=0), axis=1)
    again = tracks["track_id"].duplicated().to_numpy()
    unknown = pd.array([pd.NA] * len(tracks), dtype="Int64")
    table = tracks.assign(
        time_min=times_min[tracks["frame"].to_numpy()],
        y_um=place[:, 0],
        x_um=place[:, 1],
        z_um=0.0,
        radius_um=np.sqrt(tracks["area"] * height * width / np.pi),
        quality=np.nan,
        merged_into_track_id=unknown,
        link_distance_um=np.where(again, moved, np.nan),
        link_cost=np.nan,
        source_id=unknown,
    ).sort_values(["frame", "label"], ignore_index=True)
    return EXCHANGED_TRACKS.conform(table[list(EXCHANGED_TRACKS.columns)])
