"""Contacts of a movie: frames measured one by one, joined to tracks by label."""

from __future__ import annotations

from functools import partial

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.schemas import CONTACTS
from cyto_kedro.methods.contacts.frame import FramePairs, measure_frame
from cyto_kedro.methods.contacts.rules import ContactLimits

Stack = da.Array | np.ndarray


def measure_contacts(
    effector_labels: Stack,
    target_labels: Stack,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    limits: ContactLimits,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """Every pair of cells within reach, frame by frame.

    Contacts within one cell type are measured by giving the same role, labels and
    tracks twice: each unordered pair is listed once.

    Args:
        effector_labels: TYX labels of the effectors.
        target_labels: TYX labels of the targets.
        effector_tracks: Columns ``frame, label, track_id``; a label without a track
            gets <NA>.
        target_tracks: The same of the targets.
        calibration: Pixel size and frame times.
        limits: Contact distance and reach.
        effector: Role of the effectors.
        target: Role of the targets.

    Returns:
        Table CONTACTS, ordered by frame, effector label and target label.

    Raises:
        InputError: A mask does not fit the calibration.
        FrameError: Reading or measuring a frame failed.
    """
    check_masks({effector: effector_labels, target: target_labels}, calibration)
    measure = partial(
        _one_frame,
        spacing_um=calibration.spacing_um,
        limits=limits,
        same=effector == target,
    )
    table = _table(list(over_frames(measure, effector_labels, target_labels)))
    table["time_min"] = calibration.times_min[table["frame"]]
    table["effector"], table["target"] = effector, target
    for side, tracks in (("effector", effector_tracks), ("target", target_tracks)):
        table[f"{side}_track_id"] = track_ids(table, side, tracks)
    return CONTACTS.conform(table)


def check_masks(stacks: dict[str, Stack], calibration: Calibration) -> None:
    """Refuse masks (by role) of another shape than the calibration's.

    Raises:
        InputError: They differ.
    """
    wanted = (calibration.n_frames, calibration.height_px, calibration.width_px)
    for role, stack in stacks.items():
        if stack.shape != wanted:
            raise InputError(
                f"The masks of '{role}' have shape {stack.shape}, the movie has "
                f"{wanted} (T, Y, X)",
                where=f"movie {calibration.movie}",
                fix="use masks of the same image range",
            )


def _one_frame(
    frame: int,
    effectors: np.ndarray,
    targets: np.ndarray,
    spacing_um: tuple[float, float],
    limits: ContactLimits,
    same: bool,
) -> FramePairs:
    return measure_frame(effectors, targets, spacing_um, limits, same=same)


def _table(frames: list[FramePairs]) -> pd.DataFrame:
    columns = {
        name: np.concatenate([getattr(frame, name) for frame in frames])
        for name in FramePairs.__dataclass_fields__
    }
    sizes = [len(frame.distance_um) for frame in frames]
    return pd.DataFrame({"frame": np.repeat(np.arange(len(frames)), sizes), **columns})


def track_ids(table: pd.DataFrame, side: str, tracks: pd.DataFrame) -> pd.Series:
    """Track of each row's cell by (frame, label), never by row order."""
    cells = pd.DataFrame(
        {
            "frame": table["frame"],
            "label": table[f"{side}_label"].astype("int64"),
        }
    )
    known = tracks[["frame", "label", "track_id"]]
    joined = cells.merge(known, "left", ["frame", "label"], validate="many_to_one")
    return joined["track_id"].astype("Int64")
