"""How far each effector is from its nearest target, however far that is."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.schemas import NEAREST
from cyto_kedro.methods.contacts.frame import boundary_pixels
from cyto_kedro.methods.contacts.movie import Stack, check_masks, track_ids
from cyto_kedro.methods.tabulation.objects import as_labels, find_objects


def nearest_targets(
    effector_labels: Stack,
    target_labels: Stack,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """The nearest target of every effector in every frame (NEAREST).

    Args:
        effector_labels: TYX labels of the effectors.
        target_labels: TYX labels of the targets.
        effector_tracks: Columns ``frame, label, track_id``.
        target_tracks: The same of the targets.
        calibration: Pixel size and frame times.
        effector: Role of the effectors.
        target: Role of the targets.

    Raises:
        InputError: A mask does not fit the calibration.
        FrameError: Reading or measuring a frame failed.
    """
    check_masks({effector: effector_labels, target: target_labels}, calibration)
    measure = partial(_one_frame, spacing_um=calibration.spacing_um)
    frames = list(over_frames(measure, effector_labels, target_labels))
    sizes = [len(ids) for ids, _, _ in frames]
    ids, partner, distance = (
        np.concatenate(each) for each in zip(*frames, strict=True)
    )
    table = pd.DataFrame(
        {
            "frame": np.repeat(np.arange(len(frames)), sizes),
            "effector": effector,
            "target": target,
            "effector_label": ids.astype(np.int64),
            "target_label": partner.astype(np.int64),
            "distance_um": distance,
        }
    )
    table["time_min"] = calibration.times_min[table["frame"]]
    for side, tracks in (("effector", effector_tracks), ("target", target_tracks)):
        table[f"{side}_track_id"] = track_ids(table, side, tracks)
    nobody = table["target_label"] == 0
    table["target_label"] = table["target_label"].astype("Int64").mask(nobody)
    return NEAREST.conform(table)


def _one_frame(
    frame: int,
    effectors: np.ndarray,
    targets: np.ndarray,
    spacing_um: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return nearest_in_frame(effectors, targets, spacing_um)


def nearest_in_frame(
    effectors: np.ndarray, targets: np.ndarray, spacing_um: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effector labels, nearest target labels (0 = none) and edge distances (um).

    Exact: the least distance of two masks' pixel centres, 0 where they share a pixel.
    Disjoint masks are nearest at their boundaries, so only these are searched. Of
    several targets at the same distance one is named.
    """
    from scipy.spatial import cKDTree

    plane_a, plane_b = as_labels(effectors), as_labels(targets)
    a, b = find_objects(plane_a), find_objects(plane_b)
    if not len(a) or not len(b):
        return a.ids, np.zeros(len(a), np.uint32), np.full(len(a), np.nan)
    place_a, _, start_a = boundary_pixels(plane_a, a, spacing_um)
    place_b, _, start_b = boundary_pixels(plane_b, b, spacing_um)
    owner_a = np.repeat(np.arange(len(a)), np.diff(start_a))
    owner_b = np.repeat(b.ids, np.diff(start_b))
    tree = cKDTree(place_b * np.asarray(spacing_um))
    distance, hit = tree.query(place_a * np.asarray(spacing_um))
    # Shared pixels lie under the boundary of one of the two masks.
    under = plane_b[place_a[:, 0], place_a[:, 1]]
    above = plane_a[place_b[:, 0], place_b[:, 1]]
    inside = np.flatnonzero(above)
    who = np.r_[owner_a, np.searchsorted(a.ids, above[inside])]
    partner = np.r_[np.where(under > 0, under, owner_b[hit]), owner_b[inside]]
    length = np.r_[np.where(under > 0, 0.0, distance), np.zeros(len(inside))]
    order = np.lexsort((partner, length, who))
    first = order[np.searchsorted(who[order], np.arange(len(a)))]
    return a.ids, partner[first].astype(np.uint32), length[first]
