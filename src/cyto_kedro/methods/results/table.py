"""The result table: one row per cell per frame, all roles of a movie together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import CELLS, RESULT
from cyto_kedro.methods.cells import MovieCells, stack

Tables = Mapping[str, pd.DataFrame]


def result_table(
    tracks: Tables,
    kinematics: Tables,
    contacts: Tables,
    viability: Tables,
    channels: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables RESULT and CELLS of one movie, in the same order.

    Rows are sorted by frame, role and label; ``Id`` counts them from 1. ``Track_id`` is
    a role's own track id plus the largest ones of the roles before it.

    Args:
        tracks: TRACKS by role, in the order of the layout.
        kinematics: KINEMATICS by role.
        contacts: CONTACTS by pair.
        viability: VIABILITY by target role, where a death marker exists.
        channels: Channels of the layout; the first two are reported.
    """
    cells = MovieCells.of(tracks)
    ids = np.arange(1, len(cells) + 1)
    nearest, count = touching_cells(cells, contacts)
    vel_x = _joined(cells, kinematics, "vel_x_um_per_min")
    result = pd.DataFrame(
        {
            "Id": ids,
            "Track_id": cells.track_id + _track_offsets(tracks)[cells.role],
            "x": cells.x_um,
            "y": cells.y_um,
            "z": 0.0,
            "t": cells.frame,
            "ch0_signal": _signal(cells, tracks, channels, 0),
            "ch1_signal": _signal(cells, tracks, channels, 1),
            "alive_probability": _joined(cells, viability, "alive_probability"),
            "vel_x": vel_x,
            "vel_y": _joined(cells, kinematics, "vel_y_um_per_min"),
            "vel_z": np.where(np.isnan(vel_x), np.nan, 0.0),
            "contact": count > 0,
            "contact_cell_id": pd.array(nearest + 1, dtype="Int64"),
            "contact_count": count,
        }
    )
    result.loc[count == 0, "contact_cell_id"] = pd.NA
    joint = pd.DataFrame(
        {
            "Id": ids,
            "role": np.asarray(cells.roles, dtype=object)[cells.role],
            "frame": cells.frame,
            "time_min": cells.time_min,
            "label": cells.label,
            "track_id": cells.track_id,
        }
    )
    return RESULT.conform(result), CELLS.conform(joint)


def touching_cells(
    cells: MovieCells, contacts: Tables
) -> tuple[np.ndarray, np.ndarray]:
    """For each cell the nearest touching cell of the other kind, and how many touch.

    Contacts count for both partners. Of equally near cells the first one is taken.
    Cells without a track are no rows of the table and are not counted.

    Returns:
        (N,) index of the nearest touching cell, -1 without contact, and (N,) counts.
    """
    here: list[np.ndarray] = [np.empty(0, np.int64)]
    other: list[np.ndarray] = [np.empty(0, np.int64)]
    distance: list[np.ndarray] = [np.empty(0)]
    for table in contacts.values():
        touching = table[table["in_contact"]]
        a, b = cells.find_partners(touching)
        known = (a >= 0) & (b >= 0)
        here += [a[known], b[known]]
        other += [b[known], a[known]]
        distance += [touching["distance_um"].to_numpy()[known]] * 2
    cell, partner = np.concatenate(here), np.concatenate(other)
    order = np.lexsort((partner, np.concatenate(distance), cell))
    touched, first = np.unique(cell[order], return_index=True)
    nearest = np.full(len(cells), -1, np.int64)
    nearest[touched] = partner[order][first]
    return nearest, np.bincount(cell, minlength=len(cells))


def _track_offsets(tracks: Tables) -> np.ndarray:
    """What to add to the track ids of each role to make them unique in the movie."""
    largest = [
        int(table["track_id"].max()) if len(table) else 0 for table in tracks.values()
    ]
    return np.cumsum([0, *largest])[:-1]


def _signal(
    cells: MovieCells, tracks: Tables, channels: Sequence[str], number: int
) -> np.ndarray | float:
    """Mean of one channel in each cell; NaN where the movie has fewer channels."""
    if number >= len(channels):
        return float("nan")
    column = f"mean_{channels[number]}"
    for role, table in tracks.items():
        if column not in table:
            raise InputError(
                f"Channel '{channels[number]}' was not measured in the cells",
                where=f"tracks of {role}, column {column}",
                fix="run tabulation and tracking again with the present channels",
            )
    return stack(tracks, column).astype(np.float64)[cells.order]


def _joined(cells: MovieCells, tables: Tables, column: str) -> np.ndarray:
    """A column of per-role tables, found by frame and label; NaN where missing."""
    values = np.full(len(cells), np.nan)
    for role, table in tables.items():
        at = cells.find(role, table["frame"], table["label"])
        if (at < 0).any():
            row = table.iloc[int(np.flatnonzero(at < 0)[0])]
            raise InputError(
                f"'{column}' is given for a cell that is not in the tracks",
                where=f"{role}, frame {row['frame']}, label {row['label']}",
                fix="the two tables are of different runs: run again from tracking on",
            )
        values[at] = table[column].to_numpy(np.float64, na_value=np.nan)
    return values
