"""Tracks as the CSV files of Ultrack and of btrack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import InputError
from cyto_kedro.datasets.exchange import checked_tracks, links_of
from cyto_kedro.datasets.napari_tracks import (
    Graph,
    NapariTracksDataset,
    parents_of,
    points_of,
    read_csv,
)

#: Ultrack numbers its nodes by frame: 1000001, 1000002 ... in frame 0.
_PER_FRAME = 1_000_000
#: btrack's name of "no state".
_NO_STATE = 5


class UltrackTracksDataset(NapariTracksDataset):
    """Tracks as Ultrack's CSV (``tracks_df``): one file, no graph beside it.

    Columns ``track_id, t, y, x, id, parent_track_id, parent_id`` and then ``label``;
    ``id`` numbers the points, ``parent_id`` is the point before (of the mother for the
    first of a daughter), -1 stands for none. Loading takes files with ``z`` if it is 0.
    Arguments as for :class:`NapariTracksDataset`.
    """

    @property
    def paths(self) -> list[Path]:
        """The table."""
        return [self.path]

    def _read(self, where: str) -> tuple[pd.DataFrame, Graph]:
        points = points_of(read_csv(self.path), where)
        return points, parents_of(points)

    def save(self, data: pd.DataFrame) -> None:
        """Write the table.

        Raises:
            InputError: Tracks merge, which the format cannot say.
        """
        table = _without_merges(data, "Ultrack's table", str(self.path))
        links = links_of(table)
        count = table.groupby("frame").cumcount().to_numpy() + 1
        number = (table["frame"].to_numpy() + 1) * _PER_FRAME + count
        before = np.full(len(table), -1, dtype=np.int64)
        before[links.target] = number[links.source]
        layer = self._layer(table).assign(
            id=number,
            parent_track_id=table["parent_track_id"].fillna(-1).astype(np.int64),
            parent_id=before,
            label=table["label"],
        )
        with staged(self.path) as stage:
            layer.to_csv(stage, index=False)


class BtrackTracksDataset(NapariTracksDataset):
    """Tracks as btrack's CSV and its LBEP table ``<stem>.lbep.txt`` beside it.

    The CSV is separated by blanks, as btrack's own export is: ``ID t x y z parent root
    state generation dummy``, then ``label``. A track without a mother is its own parent
    and root. LBEP lists track, first frame, last frame and parent.

    Loading needs the CSV only, takes commas too, and leaves out ``dummy`` points, which
    btrack puts where a cell was not seen. Arguments as for
    :class:`NapariTracksDataset`.
    """

    @property
    def paths(self) -> list[Path]:
        """The points, and the table of tracks."""
        return [self.path, self._lbep]

    @property
    def _lbep(self) -> Path:
        return self.path.with_suffix(".lbep.txt")

    def _read(self, where: str) -> tuple[pd.DataFrame, Graph]:
        table = read_csv(self.path, r"[,\s]+", ("ID", "t", "x", "y"))
        if "dummy" in table:
            seen = table["dummy"].astype(str).str.lower().isin(("false", "0", "0.0"))
            table = table[seen].reset_index(drop=True)
        table = table.rename(columns={"ID": "track_id", "parent": "parent_track_id"})
        if "parent_track_id" in table:
            above = table["parent_track_id"]
            table["parent_track_id"] = above.mask(above.isin([0]), -1).mask(
                above == table["track_id"], -1
            )
        points = points_of(table, where)
        return points, parents_of(points)

    def save(self, data: pd.DataFrame) -> None:
        """Write the tracks' table, then the points: where those are, both are whole.

        Raises:
            InputError: Tracks merge, which the format cannot say.
        """
        table = _without_merges(data, "btrack's table", str(self.path))
        layer = self._layer(table)
        family = _family(table)
        own = family.loc[table["track_id"]].reset_index()
        points = pd.DataFrame(
            {
                "ID": table["track_id"],
                "t": layer["t"],
                "x": layer["x"],
                "y": layer["y"],
                "z": 0.0,
                "parent": own["parent"],
                "root": own["root"],
                "state": _NO_STATE,
                "generation": own["generation"],
                "dummy": False,
                "label": table["label"],
            }
        )
        with staged(self._lbep) as stage:
            listing = family.reset_index()[["track_id", "first", "last", "parent"]]
            listing.to_csv(stage, sep=" ", header=False, index=False)
        with staged(self.path) as stage:
            points.to_csv(stage, sep=" ", index=False)


def _without_merges(data: object, what: str, where: str) -> pd.DataFrame:
    table = checked_tracks(data, where)
    if "merged_into_track_id" in table and table["merged_into_track_id"].notna().any():
        raise InputError(
            f"Some tracks merge, which {what} cannot say",
            where=where,
            fix="cut merges first; TrackMateDataset does so with 'merges: cut'",
        )
    return table


def _family(table: pd.DataFrame) -> pd.DataFrame:
    """By track: first and last frame, parent (itself if none), root, generation."""
    by_track = table.groupby("track_id")
    first, last = by_track["frame"].min(), by_track["frame"].max()
    track = first.index.to_numpy(dtype=np.int64)
    mother = by_track["parent_track_id"].first().fillna(-1).to_numpy(dtype=np.int64)
    parent = dict(zip(track.tolist(), np.where(mother < 0, track, mother), strict=True))
    root: dict[int, int] = {}
    generation: dict[int, int] = {}
    # A mother ends before her daughters begin: in this order she comes first.
    for own in track[np.argsort(first.to_numpy(), kind="stable")].tolist():
        above = int(parent[own])
        root[own] = own if above == own else root[above]
        generation[own] = 0 if above == own else generation[above] + 1
    columns = {"parent": parent, "root": root, "generation": generation}
    family = pd.DataFrame({"first": first, "last": last})
    return family.assign(**{n: family.index.map(v) for n, v in columns.items()})
