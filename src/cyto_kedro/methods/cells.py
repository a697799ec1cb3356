"""All cells of a movie in one order, whatever their role: the joint of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError


@dataclass(frozen=True)
class MovieCells:
    """Every tracked cell of every frame, sorted by frame, role and label.

    Attributes:
        roles: Role names; ``role`` indexes them.
        role, frame, label, track_id: (N,) int64 keys.
        time_min, y_um, x_um: (N,) float64.
        order: (N,) rows of the role tables stacked in the order of ``roles``.
    """

    roles: tuple[str, ...]
    role: np.ndarray
    frame: np.ndarray
    label: np.ndarray
    track_id: np.ndarray
    time_min: np.ndarray
    y_um: np.ndarray
    x_um: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, tracks: Mapping[str, pd.DataFrame]) -> MovieCells:
        """Stack the TRACKS tables of all roles, in the mapping's order."""
        role = np.repeat(np.arange(len(tracks)), [len(t) for t in tracks.values()])
        frame = stack(tracks, "frame").astype(np.int64)
        label = stack(tracks, "label").astype(np.int64)
        order = np.lexsort((label, role, frame))
        return cls(
            roles=tuple(tracks),
            role=role[order],
            frame=frame[order],
            label=label[order],
            track_id=stack(tracks, "track_id").astype(np.int64)[order],
            time_min=stack(tracks, "time_min")[order],
            y_um=stack(tracks, "y_um")[order],
            x_um=stack(tracks, "x_um")[order],
            order=order,
        )

    def __len__(self) -> int:
        return len(self.frame)

    def find(
        self, role: str, frame: pd.Series | np.ndarray, label: pd.Series | np.ndarray
    ) -> np.ndarray:
        """(n,) int64 index of each (frame, label) of one role; -1 where there is none.

        Raises:
            InputError: A cell occurs twice, so that a mask would have two rows.
        """
        own = np.flatnonzero(self.role == self.roles.index(role))
        keys = _key(self.frame[own], self.label[own])
        if (keys[1:] == keys[:-1]).any():
            twice = int(np.flatnonzero(keys[1:] == keys[:-1])[0])
            raise InputError(
                f"Label {self.label[own][twice]} occurs twice in one frame",
                where=f"tracks of {role}, frame {self.frame[own][twice]}",
                fix="a mask belongs to one row: check the tracking of this role",
            )
        wanted = _key(np.asarray(frame, np.int64), np.asarray(label, np.int64))
        at = np.searchsorted(keys, wanted)
        hit = np.zeros(len(wanted), bool)
        inside = at < len(keys)
        hit[inside] = keys[at[inside]] == wanted[inside]
        found = np.full(len(wanted), -1, np.int64)
        found[hit] = own[at[hit]]
        return found

    def find_partners(self, contacts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Indices (effectors, targets) of the rows of a CONTACTS table of one pair.

        A cell that tracking left out has no track id in the table and gives -1.

        Raises:
            InputError: A tracked cell of the table is not in the tracks.
        """
        if contacts.empty:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        ends = []
        for side in ("effector", "target"):
            role = str(contacts[side].iloc[0])
            found = self.find(role, contacts["frame"], contacts[f"{side}_label"])
            lost = (found < 0) & contacts[f"{side}_track_id"].notna().to_numpy()
            if lost.any():
                row = contacts.iloc[int(np.flatnonzero(lost)[0])]
                raise InputError(
                    "A contact names a cell that is not in the tracks",
                    where=f"{role}, frame {row['frame']}, label {row[f'{side}_label']}",
                    fix="the two tables are of different runs: run tracking and "
                    "contacts again",
                )
            ends.append(found)
        return ends[0], ends[1]


def stack(tables: Mapping[str, pd.DataFrame], column: str) -> np.ndarray:
    """One column of all tables below each other."""
    parts = [table[column].to_numpy() for table in tables.values()]
    return np.concatenate(parts) if parts else np.empty(0)


def _key(frame: np.ndarray, label: np.ndarray) -> np.ndarray:
    # Labels are uint32: frame and label fit side by side into 63 bits.
    return (frame << 32) | label
