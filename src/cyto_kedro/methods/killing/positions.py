"""How many deaths would find a culprit if the effectors were elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.killing.chance import (
    RULES,
    as_table,
    chance_row,
    credited_by,
)
from cyto_kedro.methods.killing.touches import (
    Touches,
    dead_targets,
    window_frames,
)

_WIDEST_GAP_UM = 20.0


@dataclass(frozen=True)
class Discs:
    """Tracked cells of one role as discs of equal area, in frame order.

    Attributes:
        track: (N,) track ids.
        frame: (N,) frames, ascending.
        place: (N, 2) row, column of the centroid (um).
        radius: (N,) radius (um).
    """

    track: np.ndarray
    frame: np.ndarray
    place: np.ndarray
    radius: np.ndarray


def as_discs(tracks: pd.DataFrame) -> Discs:
    """Cells of a TRACKS table."""
    rows = tracks.sort_values(["frame", "track_id"])
    return Discs(
        rows["track_id"].to_numpy(np.int64),
        rows["frame"].to_numpy(np.int64),
        rows[["y_um", "x_um"]].to_numpy(np.float64),
        np.sqrt(rows["area_um2"].to_numpy(np.float64) / np.pi),
    )


def contact_gap(effectors: Discs, targets: Discs, n_contacts: int) -> float:
    """Gap of two discs up to which as many pairs are in contact as were seen.

    NaN without any contact, or if there are fewer pairs of cells than contacts within
    20 um.
    """
    from scipy.spatial import cKDTree

    gaps = [np.empty(0)]
    for frame in np.intersect1d(effectors.frame, targets.frame):
        a, b = (np.flatnonzero(d.frame == frame) for d in (effectors, targets))
        most = effectors.radius[a].max() + targets.radius[b].max() + _WIDEST_GAP_UM
        near = cKDTree(effectors.place[a]).sparse_distance_matrix(
            cKDTree(targets.place[b]), most, output_type="ndarray"
        )
        one, other = a[near["i"]], b[near["j"]]
        gaps.append(near["v"] - effectors.radius[one] - targets.radius[other])
    known = np.sort(np.concatenate(gaps))
    known = known[known <= _WIDEST_GAP_UM]
    if not 0 < n_contacts <= len(known):
        return float("nan")
    return float(known[n_contacts - 1])


def position_chance(
    deaths: pd.DataFrame,
    touches: Touches,
    target_tracks: pd.DataFrame,
    effector_tracks: Mapping[str, pd.DataFrame],
    calibration: Calibration,
    target: str,
    window_min: float,
    n_shifts: int,
    seed: int,
) -> pd.DataFrame:
    """Attributed deaths against effectors at other places, one row per rule.

    In every draw all effectors of the movie are mirrored or not along each axis (both:
    a half turn) and shifted by one random vector, the image closed to a torus. That
    keeps how many there are, how they move and how they keep together, and breaks any
    link to where targets are (toroidal shifts: Lotwick & Silverman 1982,
    doi:10.1111/j.2517-6161.1982.tb01221.x). Contacts are those of discs of the masks'
    area, with the gap at which as many are in contact as were seen; the observed
    fraction is that of the discs too, so that both sides are measured alike.

    Returns:
        ATTRIBUTION_CHANCE with ``method`` position_shift.
    """
    dead = dead_targets(deaths)
    asked = (target, "position_shift", window_min, n_shifts, seed)
    targets = as_discs(target_tracks)
    cells = [as_discs(effector_tracks[role]) for role in touches.roles]
    seen = np.bincount(touches.role, minlength=len(cells))
    gaps = [contact_gap(c, targets, int(n)) for c, n in zip(cells, seen, strict=True)]
    if dead.empty or np.isnan(gaps).all():
        nobody = np.zeros(len(dead), bool)
        return as_table(
            chance_row(rule, asked, nobody, np.zeros(n_shifts)) for rule in RULES
        )
    from cyto_kedro.methods.killing import _position_kernels

    rows = _watched(dead, targets, calibration, window_min)
    pool = _pool(cells, calibration.n_frames)
    # An effector's radius hardly differs within its role: the median stands for it.
    radius = [np.median(c.radius) if len(c.radius) else np.nan for c in cells]
    reach = targets.radius[rows.row][:, None] + np.array(gaps) + np.array(radius)
    # A role that never touched anybody is never within reach.
    reach = np.where(np.isnan(reach), -np.inf, reach)
    moves = _moves(calibration, n_shifts, seed)
    counts = _position_kernels.count_candidates(
        rows.death,
        targets.frame[rows.row],
        targets.place[rows.row],
        reach,
        pool.first,
        pool.cell,
        pool.place,
        pool.role,
        pool.n_cells,
        moves,
        _size(calibration),
    )
    full = np.zeros((len(moves), len(dead)), np.int64)
    full[:, : counts.shape[1]] = counts
    table = []
    for rule in RULES:
        hit = credited_by(rule, full)
        table.append(chance_row(rule, asked, hit[0], hit[1:].mean(axis=1)))
    return as_table(table)


@dataclass(frozen=True)
class _Watched:
    """Rows of the targets that died, in their windows, ordered by death."""

    row: np.ndarray
    death: np.ndarray


def _watched(
    dead: pd.DataFrame, targets: Discs, calibration: Calibration, window_min: float
) -> _Watched:
    first, last = window_frames(dead, calibration, window_min)
    slot = pd.Index(dead["track_id"].to_numpy()).get_indexer(targets.track)
    inside = (targets.frame >= first[slot]) & (targets.frame <= last[slot])
    row = np.flatnonzero((slot >= 0) & inside)
    row = row[np.argsort(slot[row], kind="stable")]
    return _Watched(row, slot[row].astype(np.int64))


@dataclass(frozen=True)
class _Pool:
    """All effectors, ordered by frame."""

    first: np.ndarray  # (T + 1,) first row of each frame
    cell: np.ndarray  # number of the cell, the same in all frames
    place: np.ndarray
    role: np.ndarray
    n_cells: int


def _pool(cells: list[Discs], n_frames: int) -> _Pool:
    role = np.repeat(np.arange(len(cells)), [len(c.track) for c in cells])
    track = np.concatenate([c.track for c in cells])
    frame = np.concatenate([c.frame for c in cells])
    place = np.concatenate([c.place for c in cells])
    known, number = np.unique(
        np.column_stack([role, track]), axis=0, return_inverse=True
    )
    order = np.lexsort((number, frame))
    first = np.searchsorted(frame[order], np.arange(n_frames + 1))
    return _Pool(first, number[order], place[order], role[order], len(known))


def _size(calibration: Calibration) -> np.ndarray:
    shape = np.array([calibration.height_px, calibration.width_px])
    return shape * np.array(calibration.spacing_um)


def _moves(calibration: Calibration, n_draws: int, seed: int) -> np.ndarray:
    """(1 + draws, 4) shift and mirroring of each draw; the first is none."""
    random = np.random.default_rng(seed)
    moves = np.zeros((1 + n_draws, 4))
    moves[1:, :2] = random.random((n_draws, 2)) * _size(calibration)
    moves[1:, 2:] = random.integers(0, 2, (n_draws, 2))
    return moves
