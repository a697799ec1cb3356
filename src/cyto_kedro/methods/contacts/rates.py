"""How many contacts there are over time, per area and per cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import CONTACT_RATES
from cyto_kedro.methods.contacts.episodes import frame_edges_min

_UM2_PER_MM2 = 1e6


def contact_rates(
    contacts: pd.DataFrame,
    episodes: pd.DataFrame,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """One row per frame, also of frames without cells or contacts (CONTACT_RATES).

    Only tracked cells count. An episode that was under way when the movie or a track
    began did not begin there. Rates per cell are NaN in frames without such cells;
    within one cell type both cells of a pair are counted, and `n_effectors` and
    `n_targets` are the same cells.

    Args:
        contacts: Table CONTACTS of the pair of roles.
        episodes: Table EPISODES made from it.
        effector_tracks: Columns ``frame, track_id``.
        target_tracks: The same of the targets.
        calibration: Time base and size of the image.
        effector: Role of the effectors.
        target: Role of the targets.
    """
    n = calibration.n_frames
    rows = contacts[contacts["in_contact"]]
    rows = rows.dropna(subset=["effector_track_id", "target_track_id"])
    own = effector == target
    n_a, n_b = _cells(effector_tracks, n), _cells(target_tracks, n)
    busy_a, busy_b = (_busy(rows, [side], n) for side in ("effector", "target"))
    if own:
        busy_a = busy_b = _busy(rows, ["effector", "target"], n)
    began = episodes.loc[~episodes["truncated_start"], "first_frame"]
    begun = np.bincount(began, minlength=n)
    pairs = np.bincount(rows["frame"], minlength=n)
    ends = 2 if own else 1
    hours = np.diff(frame_edges_min(calibration.times_min)) / 60
    area = calibration.height_px * calibration.width_px * calibration.pixel_area_um2
    table = pd.DataFrame(
        {
            "frame": np.arange(n),
            "time_min": calibration.times_min,
            "effector": effector,
            "target": target,
            "n_effectors": n_a,
            "n_targets": n_b,
            "n_contacts": pairs,
            "n_begun": begun,
            "effectors_in_contact": _ratio(busy_a, n_a),
            "targets_in_contact": _ratio(busy_b, n_b),
            "contacts_per_effector": _ratio(ends * pairs, n_a),
            "contacts_per_target": _ratio(ends * pairs, n_b),
            "contacts_per_mm2": pairs / (area / _UM2_PER_MM2),
            "begun_per_effector_hour": _ratio(ends * begun, n_a * hours),
            "begun_per_target_hour": _ratio(ends * begun, n_b * hours),
        }
    )
    return CONTACT_RATES.conform(table)


def _cells(tracks: pd.DataFrame, n_frames: int) -> np.ndarray:
    return np.bincount(tracks["frame"].to_numpy(np.int64), minlength=n_frames)


def _busy(rows: pd.DataFrame, sides: list[str], n_frames: int) -> np.ndarray:
    """(T,) different tracks in contact."""
    cells = [
        rows[["frame", f"{side}_track_id"]].set_axis(["frame", "track"], axis=1)
        for side in sides
    ]
    return _cells(pd.concat(cells).drop_duplicates(), n_frames)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=np.nan_to_num(whole) > 0)
    return out
