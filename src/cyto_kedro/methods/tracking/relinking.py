"""Joining tracks across long gaps, after tracking: which track goes on in which?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.tracking.assignment import best_links
from cyto_kedro.methods.tracking.confidence import track_confidence
from cyto_kedro.methods.tracking.gaps import GapModel
from cyto_kedro.methods.tracking.limits import field_um
from cyto_kedro.methods.tracking.options import RelinkingOptions

#: Rounds in which the share of chance starts settles.
_ROUNDS = 3
#: Least share of the starts that is taken for chance ones.
_LEAST_CHANCE = 0.1


@dataclass(frozen=True)
class _Pairs:
    """Possible joins: rows of the earlier track's end and the later one's start."""

    end: np.ndarray
    start: np.ndarray
    gain: np.ndarray
    n_starts: int

    def take(self, index: np.ndarray) -> _Pairs:
        return replace(
            self, end=self.end[index], start=self.start[index], gain=self.gain[index]
        )


def relink(
    tracks: pd.DataFrame, calibration: Calibration, options: RelinkingOptions
) -> pd.DataFrame:
    """Join track ends to later track starts of the same cell.

    A join is weighed against chance: the log likelihood ratio of finding the start
    where the end would have moved (by extrapolated motion, its error and the change of
    appearance over such a gap, all learned from the uninterrupted tracks) or of finding
    an unrelated start there (their density in the movie). The joins of largest total
    ratio are taken (one to one). A cell whose track ends in a division, or begins with
    one, is not joined there.

    Args:
        tracks: Table TRACKS.
        calibration: Field size and times.
        options: Limits.

    Returns:
        Table TRACKS. The first row after each join has ``relinked``, the distance and
        frames of the gap, and as ``link_confidence`` and ``link_margin`` the
        probability of the join among all joins of its end and of its start and none.
        Track ids are numbered anew.
    """
    ordered = tracks.sort_values(["track_id", "frame"], ignore_index=True)
    pairs = _candidates(ordered, calibration, options)
    if not len(pairs.gain):
        return tracks.copy()
    pairs = _without_continuations(pairs)
    probability = _probability(pairs)
    chosen = best_links(pairs.end, pairs.start, pairs.gain)
    chosen = chosen[probability[chosen] >= options.min_probability]
    return _joined(ordered, pairs.take(chosen), probability[chosen])


def _candidates(
    ordered: pd.DataFrame, calibration: Calibration, options: RelinkingOptions
) -> _Pairs:
    track = ordered["track_id"].to_numpy()
    frame = ordered["frame"].to_numpy()
    time = ordered["time_min"].to_numpy()
    place = ordered[["y_um", "x_um"]].to_numpy()
    first = ~ordered.duplicated("track_id").to_numpy()
    last = ~ordered.duplicated("track_id", keep="last").to_numpy()
    mothers = ordered["parent_track_id"].dropna().unique()
    ends = np.flatnonzero(last & ~np.isin(track, mothers))
    starts = np.flatnonzero(first & ordered["parent_track_id"].isna().to_numpy())
    starts = starts[frame[starts] > frame.min(initial=0)]
    end, start = _within(place, ends, starts, options.max_distance_um)
    wait = time[start] - time[end]
    fits = (frame[start] > frame[end]) & (wait <= options.max_gap_min)
    end, start = end[fits], start[fits]
    if not len(end):
        return _Pairs(end, start, np.empty(0), len(starts))
    height, width = field_um(calibration)
    gap = frame[start] - frame[end]
    # An unrelated start would be found anywhere, in any of the frames of the movie.
    chance = len(starts) / (height * width * max(calibration.n_frames - 1, 1))
    # As far as we know a gap of any length within the limit is as likely.
    longest = max(int(gap.max()), 1)
    model = GapModel.learn(ordered, longest, options.appearance)
    gain = model.log_density(end, start) - np.log(longest) - np.log(chance)
    return _Pairs(end, start, gain, len(starts))


def _within(
    place: np.ndarray, ends: np.ndarray, starts: np.ndarray, limit_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of an end and a start no further apart than the limit, sorted."""
    if not len(ends) or not len(starts):
        none = np.empty(0, dtype=np.int64)
        return none, none
    here, there = cKDTree(place[ends]), cKDTree(place[starts])
    near = here.sparse_distance_matrix(there, limit_um, output_type="ndarray")
    end, start = ends[near["i"]], starts[near["j"]]
    order = np.lexsort((start, end))
    return end[order], start[order]


def _without_continuations(pairs: _Pairs) -> _Pairs:
    """Gains once starts that go on from an end no longer count as chance ones."""
    gain = pairs.gain
    for _ in range(_ROUNDS):
        share = _probability(pairs)
        _, place = np.unique(pairs.start, return_inverse=True)
        explained = float(np.minimum(np.bincount(place, share), 1.0).sum())
        unrelated = max(1.0 - explained / pairs.n_starts, _LEAST_CHANCE)
        pairs = replace(pairs, gain=gain - np.log(unrelated))
    return pairs


def _probability(pairs: _Pairs) -> np.ndarray:
    """(P,) probability of each join, the lesser of what its two sides leave to it.

    Each side either makes one of its joins (odds ``exp(gain)``) or none (odds 1).
    """
    odds = np.exp(np.clip(pairs.gain, -50.0, 50.0))
    shares = []
    for side in (pairs.end, pairs.start):
        _, place = np.unique(side, return_inverse=True)
        shares.append(odds / (1.0 + np.bincount(place, odds)[place]))
    return np.minimum(*shares)


def _joined(
    ordered: pd.DataFrame, joins: _Pairs, probability: np.ndarray
) -> pd.DataFrame:
    """The table with the tracks of each join made one."""
    track = ordered["track_id"].to_numpy()
    into = {int(i): int(i) for i in track}
    # Starts in the order of time: what a track is joined to already has its final id.
    frame = ordered["frame"].to_numpy()
    for k in np.argsort(frame[joins.start], kind="stable"):
        into[int(track[joins.start[k]])] = into[int(track[joins.end[k]])]
    owner = ordered["track_id"].map(into)
    number = _renumbered(ordered, owner.to_numpy())
    parent = ordered["parent_track_id"].map(
        lambda one: number[into[int(one)]], na_action="ignore"
    )
    table = ordered.assign(
        track_id=owner.map(number), parent_track_id=parent.astype("Int64")
    )
    place = ordered[["y_um", "x_um"]].to_numpy()
    moved = np.hypot(*(place[joins.start] - place[joins.end]).T)
    gap = frame[joins.start] - frame[joins.end] - 1
    rows = joins.start
    for column, value in {
        "link_distance_um": moved,
        "gap_frames": gap,
        "link_confidence": probability,
        "link_margin": probability,
        "relinked": True,
    }.items():
        table.loc[rows, column] = value
    # A daughter's parent stands in all rows of its track, also in those joined to it.
    first = table.groupby("track_id")["parent_track_id"].transform("first")
    sure = track_confidence(
        table["track_id"].to_numpy(), table["link_margin"].to_numpy()
    )
    table = table.assign(parent_track_id=first, track_confidence=sure)
    return TRACKS.conform(table.sort_values(["frame", "label"], ignore_index=True))


def _renumbered(ordered: pd.DataFrame, owner: np.ndarray) -> dict[int, int]:
    """New id of each joined track: from 1, in the order of the ids before."""
    return {int(old): new for new, old in enumerate(np.unique(owner), start=1)}
