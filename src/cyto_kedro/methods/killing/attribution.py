"""Which effectors may have killed a target: candidates of a death and their credit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION
from cyto_kedro.methods.killing.hits import HitModel
from cyto_kedro.methods.killing.touches import (
    Touches,
    dead_targets,
    frame_durations,
    window_frames,
)


class Dose(NamedTuple):
    """How contact adds up to credit: ``min(hits, max_hits) exp(-distance/length)``."""

    hit_min: float  # contact time that counts as one hit (min)
    memory_min: float  # time in which an old hit loses 1 - 1/e of its weight (min)
    max_hits: float
    length_um: float


def attribute(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    window_min: float,
    dose: Dose,
    model: HitModel,
) -> pd.DataFrame:
    """Candidates of each death and their credit under four rules (ATTRIBUTION).

    A candidate touched the target within the window before its death, the frame of
    death included. *Nearest*: all credit to the one that touched last; among those,
    the nearest in that frame, then the larger dose, then the order of roles and
    tracks. *Exclusive*: credit only if there is one candidate. *Shared*: ``w_i /
    sum(w)``, ``w_i = min(h_i, max_hits) exp(-d_i / length)`` with ``d_i`` the least
    distance in the window and ``h_i = sum(dt / hit_min exp(-(death - t) /
    memory_min))`` over frames in contact: hits that add up and fade, after Weigelin
    et al. 2021, doi:10.1038/s41467-021-25282-3 (3 hits, intervals below 50 min).
    *Hazard*: the posterior of ``model``, which leaves a share to no effector at all.

    A death without candidates has one row with a null effector: it stays
    unattributed, and nobody has credit for it.

    Returns:
        Rows by target track, then effector role and track. ``track_confidence`` is NaN:
        :func:`~cyto_kedro.methods.killing.identity.with_track_confidence` fills it in.
    """
    dead = dead_targets(deaths)
    if dead.empty:
        return ATTRIBUTION.empty()
    pairs = _candidates(dead, touches, calibration, window_min, dose)
    pairs["credit_shared"] = _shares(pairs["death"], pairs.pop("log_weight"))
    pairs["credit_nearest"] = _culprit(pairs)
    counts = np.bincount(pairs["death"], minlength=len(dead))
    pairs["credit_exclusive"] = (counts[pairs["death"]] == 1).astype(np.float64)
    pairs["credit_hazard"] = _posterior(dead, pairs, model)
    table = _table(dead, pairs, counts, touches.roles, target, window_min)
    named = table.groupby("target_track_id")["credit_hazard"].transform("sum")
    return ATTRIBUTION.conform(table.assign(background_probability=1.0 - named))


def _posterior(
    dead: pd.DataFrame, pairs: dict[str, np.ndarray], model: HitModel
) -> np.ndarray:
    """Credit of each pair by the hit model, the background's share set apart.

    A contact that reaches the window with less than half a frame names no candidate:
    what the model gives to it goes to those named, in proportion.
    """
    known = pd.MultiIndex.from_frame(model.credit[["target", "role", "effector"]])
    track = dead["track_id"].to_numpy()[pairs["death"]]
    asked = [track, pairs["role"], pairs["effector_track_id"]]
    row = known.get_indexer(pd.MultiIndex.from_arrays(asked))
    values = np.r_[model.credit["credit"].to_numpy(), 0.0]  # row -1: never at risk
    credit = values[row]
    named = np.bincount(pairs["death"], weights=credit, minlength=len(dead))
    free = 1.0 - model.background.reindex(dead["track_id"]).fillna(1.0).to_numpy()
    scale = np.divide(free, named, out=np.zeros(len(dead)), where=named > 0)
    return np.clip(credit * scale[pairs["death"]], 0.0, 1.0)


def _candidates(
    dead: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    window_min: float,
    dose: Dose,
) -> dict[str, np.ndarray]:
    """Columns of one row per (death, effector), ordered by death, role, track."""
    ids = dead["track_id"].to_numpy()
    first, last = window_frames(dead, calibration, window_min)
    slot = pd.Index(ids).get_indexer(touches.target)  # -1: this target did not die
    frame = touches.frame
    inside = (frame >= first[slot]) & (frame <= last[slot])
    rows = np.flatnonzero((slot >= 0) & inside)
    keys = (frame[rows], touches.effector[rows], touches.role[rows], slot[rows])
    order = np.lexsort(keys)
    frame, effector, role, death = (key[order] for key in keys)
    distance = touches.distance_um[rows[order]]
    new = (np.diff(death) != 0) | (np.diff(role) != 0) | (np.diff(effector) != 0)
    start = np.flatnonzero(np.r_[True, new][: len(rows)])
    end = np.r_[start[1:], len(rows)].astype(np.int64) - 1

    times, covered = calibration.times_min, frame_durations(calibration)[frame]
    age = dead["death_time_min"].to_numpy()[death] - times[frame]
    logs = np.log(covered / dose.hit_min) - age / dose.memory_min
    log_hits = _log_sum(logs, start)
    nearest = _reduce(np.minimum, distance, start)
    log_weight = np.minimum(log_hits, np.log(dose.max_hits)) - nearest / dose.length_um
    return {
        "death": death[start],
        "role": role[start],
        "effector_track_id": effector[start],
        "contact_min": _reduce(np.add, covered, start),
        "first_contact_min": times[frame[start]] if len(rows) else np.empty(0),
        "last_contact_min": times[frame[end]] if len(rows) else np.empty(0),
        "last_distance_um": distance[end] if len(rows) else np.empty(0),
        "min_distance_um": nearest,
        "log_hits": log_hits,
        "log_weight": log_weight,
    }


def _reduce(ufunc: np.ufunc, values: np.ndarray, start: np.ndarray) -> np.ndarray:
    return ufunc.reduceat(values, start) if len(start) else np.empty(0)


def _log_sum(logs: np.ndarray, start: np.ndarray) -> np.ndarray:
    """``log(sum(exp))`` of each run: an old or short contact never underflows."""
    top = _reduce(np.maximum, logs, start)
    size = np.diff(np.r_[start, len(logs)])
    return top + np.log(_reduce(np.add, np.exp(logs - np.repeat(top, size)), start))


def _shares(death: np.ndarray, log_weight: np.ndarray) -> np.ndarray:
    """Weights of each death scaled to the sum 1."""
    start = np.flatnonzero(np.r_[True, np.diff(death) != 0][: len(death)])
    size = np.diff(np.r_[start, len(death)])
    top = np.repeat(_reduce(np.maximum, log_weight, start), size)
    weight = np.exp(log_weight - top)
    return weight / np.repeat(_reduce(np.add, weight, start), size)


def _culprit(pairs: dict[str, np.ndarray]) -> np.ndarray:
    """1 for the last toucher of each death, 0 for the others."""
    order = np.lexsort(
        (
            pairs["effector_track_id"],
            pairs["role"],
            -pairs["log_hits"],
            pairs["last_distance_um"],
            -pairs["last_contact_min"],
            pairs["death"],
        )
    )
    credit = np.zeros(len(order))
    leader = np.r_[True, np.diff(pairs["death"][order]) != 0][: len(order)]
    credit[order[leader]] = 1.0
    return credit


def _table(
    dead: pd.DataFrame,
    pairs: dict[str, np.ndarray],
    counts: np.ndarray,
    roles: tuple[str, ...],
    target: str,
    window_min: float,
) -> pd.DataFrame:
    orphans = np.flatnonzero(counts == 0)
    death = np.r_[pairs["death"], orphans].astype(np.int64)
    n_orphans = len(orphans)

    def padded(name: str, missing: float) -> np.ndarray:
        return np.r_[pairs[name], np.full(n_orphans, missing)]

    names = np.array([*roles, None], dtype=object)
    effector = pd.array(padded("effector_track_id", 0).astype(np.int64), dtype="Int64")
    effector[len(pairs["death"]) :] = pd.NA
    time = dead["death_time_min"].to_numpy()
    early = time - window_min < dead["entry_min"].to_numpy() - 1e-9
    table = pd.DataFrame(
        {
            "target": target,
            "target_track_id": dead["track_id"].to_numpy()[death],
            "death_frame": dead["death_frame"].to_numpy(np.int64)[death],
            "death_time_min": time[death],
            "effector": names[padded("role", len(roles)).astype(np.int64)],
            "effector_track_id": effector,
            "n_candidates": counts[death],
            "contact_min": padded("contact_min", 0.0),
            "first_contact_min": padded("first_contact_min", np.nan),
            "last_contact_min": padded("last_contact_min", np.nan),
            "min_distance_um": padded("min_distance_um", np.nan),
            "credit_nearest": padded("credit_nearest", 0.0),
            "credit_exclusive": padded("credit_exclusive", 0.0),
            "credit_shared": padded("credit_shared", 0.0),
            "credit_hazard": padded("credit_hazard", 0.0),
            "window_truncated": early[death],
            "track_confidence": np.nan,
        }
    )
    order = np.argsort(death, kind="stable")
    return table.iloc[order].reset_index(drop=True)
