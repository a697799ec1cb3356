"""Tracks after a person has judged their divisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.tracking.confidence import track_confidence

#: A sister that nobody linked begins within so many frames of the division ...
SISTER_FRAMES = 3
#: ... and so many diameters of its mother away from her last position.
SISTER_DIAMETERS = 2.0


@dataclass(frozen=True)
class Lineage:
    """Corrected tracks.

    Attributes:
        tracks: Table TRACKS.
        notes: What a person should know of a correction, in words.
    """

    tracks: pd.DataFrame
    notes: tuple[str, ...]


def correct_divisions(tracks: pd.DataFrame, judged: pd.DataFrame) -> Lineage:
    """TRACKS with rejected divisions undone, found ones made, frames put right.

    - Rejected: the daughter that begins nearest to the mother's last position goes on
      as the mother; the other daughters are tracks without a parent.
    - Found: the track ends in the frame that was judged; what follows is a new track,
      its daughter. Its sister is the nearest track without a parent that begins within
      3 frames and 2 diameters of the mother; if there is none, she has one daughter.
    - Confirmed with another frame: undone and made again there.

    Rows, labels and measurements stay: only who is who changes, and with it the links
    at the joints. Tracks that nobody judged keep their ids.

    Args:
        tracks: Table TRACKS of one role.
        judged: Rows of kind ``division`` of this role and movie: ``track_id``,
            ``frame``, ``called``, ``answer``, ``corrected_frame`` (<NA> = as asked).

    Raises:
        InputError: The cell is not seen before and after the frame of its division.
    """
    table = tracks.sort_values(["track_id", "frame"], ignore_index=True)
    called = table["track_id"].to_numpy().copy()
    notes: list[str] = []
    answered = judged[judged["answer"].isin(["yes", "no"])]
    for row in answered.sort_values(["frame", "track_id"]).to_dict(orient="records"):
        asked, to = int(row["frame"]), row["corrected_frame"]
        moved = row["answer"] == "yes" and pd.notna(to) and int(to) != asked
        own = (called == int(row["track_id"])) & (table["frame"] <= asked).to_numpy()
        # An earlier correction may have renamed it.
        mother = int(table["track_id"].to_numpy()[own][-1])
        sisters: list[int] = []
        if row["called"] and (row["answer"] == "no" or moved):
            sisters = _undo(table, mother)
        if row["answer"] == "yes" and (moved or not row["called"]):
            notes += _divide(table, mother, int(to) if moved else asked, sisters)
    if answered.empty:
        return Lineage(tracks, ())
    table["track_confidence"] = track_confidence(
        table["track_id"].to_numpy(), table["link_margin"].to_numpy(np.float64)
    )
    order = table.sort_values(["frame", "label"], ignore_index=True)
    return Lineage(TRACKS.conform(order), tuple(notes))


def renamed(
    judged: pd.DataFrame,
    called: pd.DataFrame,
    corrected: pd.DataFrame,
    column: str = "track_id",
) -> pd.Series:
    """Present ids of the tracks in ``judged[column]``, at the frames asked for.

    Args:
        judged: Columns ``column`` (<NA> stays) and ``frame``.
        called: TRACKS that the questions were about.
        corrected: The same rows after :func:`correct_divisions`.
        column: Column with the former ids.
    """
    keys = ["frame", "label"]
    now = called[[*keys, "track_id"]].merge(
        corrected[[*keys, "track_id"]], on=keys, suffixes=("", "_now"), validate="1:1"
    )
    now = now.sort_values("frame").astype({"track_id": "Int64"})
    asked = judged[[column, "frame"]].reset_index(names="row").sort_values("frame")
    asked = asked.astype({column: "Int64", "frame": now["frame"].dtype})
    known = asked[asked[column].notna()].rename(columns={column: "track_id"})
    # A cell that is not seen in the very frame is the one seen last before it.
    found = pd.merge_asof(known, now, on="frame", by="track_id")
    ids = found.set_index("row")["track_id_now"].astype("Int64")
    return ids.reindex(judged.index)


def _undo(table: pd.DataFrame, mother: int) -> list[int]:
    """The nearest daughter becomes her mother; returns the others."""
    daughters = _by_distance(table, mother, table["parent_track_id"] == mother)
    if not daughters:
        return []
    heir, *others = daughters
    track, parent = table["track_id"].copy(), table["parent_track_id"].copy()
    last = _last(table, mother)
    first = track.index == _first(table, heir)
    step = table.loc[first, ["y_um", "x_um"]].to_numpy(np.float64)
    step -= last[["y_um", "x_um"]].to_numpy(np.float64)
    table.loc[first, "link_distance_um"] = np.hypot(*step.T)
    table.loc[first, "gap_frames"] = table.loc[first, "frame"] - int(last["frame"]) - 1
    table.loc[parent == mother, "parent_track_id"] = pd.NA
    table.loc[parent == heir, "parent_track_id"] = mother
    table.loc[track == heir, "parent_track_id"] = last["parent_track_id"]
    table.loc[track == heir, "track_id"] = mother
    return others


def _divide(
    table: pd.DataFrame, mother: int, frame: int, sisters: list[int]
) -> list[str]:
    """The mother ends in ``frame``; known sisters, or the one in reach, are hers."""
    own = table["track_id"] == mother
    if not ((table["frame"] <= frame) & own).any() or not _part(table, mother, frame):
        seen = table.loc[own, "frame"]
        raise InputError(
            f"Cell {mother} cannot divide in frame {frame}",
            where=f"it is seen in frames {seen.min()} to {seen.max()}",
            fix="name the last frame in which the mother is one cell",
        )
    for sister in sisters:
        began = table.loc[table["track_id"] == sister, "frame"].min()
        # Seen before the division, it was something else until then.
        known = sister if began > frame else _part(table, sister, frame)
        table.loc[table["track_id"] == known, "parent_track_id"] = mother
    if sisters:
        return []
    last = _last(table, mother)
    begun = table.groupby("track_id")["frame"].transform("min")
    orphan = table["parent_track_id"].isna() & (table["track_id"] != mother)
    orphan &= (begun > frame) & (begun <= frame + SISTER_FRAMES)
    reach = SISTER_DIAMETERS * 2 * float(np.sqrt(last["area_um2"] / np.pi))
    found = _by_distance(table, mother, orphan, reach)
    if not found:
        return [f"no second daughter of cell {mother} was found after frame {frame}"]
    table.loc[table["track_id"] == found[0], "parent_track_id"] = mother
    return []


def _part(table: pd.DataFrame, track: int, frame: int) -> int:
    """What follows ``frame`` is a daughter; returns her id, 0 if nothing follows."""
    later = (table["track_id"] == track) & (table["frame"] > frame)
    if not later.any():
        return 0
    daughter = int(table["track_id"].max()) + 1
    table.loc[table["parent_track_id"] == track, "parent_track_id"] = daughter
    table.loc[later, "parent_track_id"] = track
    table.loc[later, "track_id"] = daughter
    start = table.index == _first(table, daughter)
    for name in ("link_distance_um", "link_confidence", "link_margin"):
        table.loc[start, name] = np.nan  # no point of its own track before it
    table.loc[start, "gap_frames"] = 0
    return daughter


def _first(table: pd.DataFrame, track: int) -> int:
    own = table[table["track_id"] == track]
    return int(own.index.to_numpy()[own["frame"].to_numpy().argmin()])


def _last(table: pd.DataFrame, track: int) -> pd.Series:
    own = table[table["track_id"] == track]
    return own.iloc[int(own["frame"].to_numpy().argmax())]


def _by_distance(
    table: pd.DataFrame, mother: int, rows: pd.Series, reach_um: float = np.inf
) -> list[int]:
    """Tracks among ``rows``, the one that begins nearest to the mother's end first."""
    last = _last(table, mother)
    first = table[rows].sort_values("frame").drop_duplicates("track_id")
    away = np.hypot(first["y_um"] - last["y_um"], first["x_um"] - last["x_um"])
    near = first.assign(away=away)[away <= reach_um]
    ranked = near.sort_values(["away", "track_id"])["track_id"]
    return [int(track) for track in ranked]
