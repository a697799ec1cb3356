"""Joining tracks across long gaps, on tracks cut at random."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.tracking import RelinkingOptions, relink
from tables import tracks_table

FIELD = Calibration.regular((60, 400, 400))
T, N = FIELD.n_frames, 60


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    """Persistent walkers of their own size and brightness; `mass` is the cell."""
    rng = np.random.default_rng(5)
    velocity = np.zeros((T, N, 2))
    velocity[0] = rng.normal(0, 1.5, (N, 2))
    for t in range(1, T):
        velocity[t] = 0.85 * velocity[t - 1] + rng.normal(0, 0.8, (N, 2))
    place = rng.uniform(0, 400, (N, 2)) + velocity.cumsum(axis=0)
    frame, cell = (grid.ravel() for grid in np.indices((T, N)))
    own = np.exp(rng.normal(0, 0.3, (2, N)))
    noise = np.exp(rng.normal(0, 0.08, (2, T * N)))
    y, x = place[frame, cell].T
    inside = (y > 0) & (y < 400) & (x > 0) & (x < 400)
    look = 100 * own[:, cell] * noise
    table = {"frame": frame, "cell": cell + 1, "y": y, "x": x}
    table |= {"area": look[0], "mean": look[1]}
    return pd.DataFrame(table)[inside]


def cut(whole: pd.DataFrame, seed: int) -> pd.DataFrame:
    """TRACKS with two gaps of 3 to 10 frames per cell; the pieces are tracks."""
    rng = np.random.default_rng(seed)
    gone = np.zeros((T, N + 1), dtype=bool)
    for cell in range(1, N + 1):
        for first in (rng.integers(6, 24), rng.integers(34, 48)):
            gone[first : first + rng.integers(3, 11), cell] = True
    kept = whole[~gone[whole["frame"], whole["cell"]]]
    kept = kept.sort_values(["cell", "frame"], ignore_index=True)
    new = (kept["cell"].diff() != 0) | (kept["frame"].diff() != 1)
    return tracks_table(
        kept["frame"],
        new.cumsum(),
        kept["y"],
        kept["x"],
        area_um2=kept["area"].to_numpy(),
        mean=kept["mean"].to_numpy(),
        mass=kept["cell"].to_numpy(dtype=float),
    )


def true_joins(tracks: pd.DataFrame) -> set[tuple[int, int]]:
    """Pairs of tracks that are one cell, apart by no more than a cut makes."""
    spans = tracks.groupby("track_id").agg(
        cell=("mass", "first"), first=("frame", "min"), last=("frame", "max")
    )
    spans = spans.reset_index().sort_values(["cell", "first"], ignore_index=True)
    later = spans.shift(-1)
    fits = (spans["cell"] == later["cell"]) & (later["first"] - spans["last"] <= 12)
    pairs = zip(spans["track_id"][fits], later["track_id"][fits], strict=True)
    return {(int(a), int(b)) for a, b in pairs}


def found_joins(before: pd.DataFrame, after: pd.DataFrame) -> set[tuple[int, int]]:
    """Which of the tracks before were joined, in pairs that follow each other."""
    both = before.merge(after, on=["frame", "label"], suffixes=("", "_new"))
    both = both.sort_values(["track_id_new", "frame"])
    old = both["track_id"].to_numpy()
    at = np.flatnonzero(both["relinked_new"].to_numpy())
    return {(int(old[k - 1]), int(old[k])) for k in at}


def nearest_joins(tracks: pd.DataFrame, reach=30.0, longest=20) -> set[tuple[int, int]]:
    """The baseline: the nearest pairs of an end and a start are joined first."""
    ordered = tracks.sort_values(["track_id", "frame"])
    starts = ordered.drop_duplicates("track_id")
    ends = ordered.drop_duplicates("track_id", keep="last")
    far = cdist(ends[["y_um", "x_um"]], starts[["y_um", "x_um"]])
    wait = starts["frame"].to_numpy() - ends["frame"].to_numpy()[:, np.newaxis]
    far[(wait < 1) | (wait > longest) | (far > reach)] = np.inf
    found = set()
    while np.isfinite(far).any():
        i, j = np.unravel_index(int(far.argmin()), far.shape)
        found.add((int(ends["track_id"].iloc[i]), int(starts["track_id"].iloc[j])))
        far[i], far[:, j] = np.inf, np.inf
    return found


def score(found: set, true: set) -> tuple[float, float]:
    hits = len(found & true)
    return hits / len(found), hits / len(true)


def test_cut_tracks_are_joined_better_than_by_nearest_ends(whole):
    ours, plain, nearest = [], [], []
    for seed in range(4):
        tracks = cut(whole, seed)
        true = true_joins(tracks)
        joined = TRACKS.validate(relink(tracks, FIELD, RelinkingOptions()))
        ours.append(score(found_joins(tracks, joined), true))
        blind = relink(tracks, FIELD, RelinkingOptions(appearance=False))
        plain.append(score(found_joins(tracks, blind), true))
        nearest.append(score(nearest_joins(tracks), true))
    precision, recall = np.mean(ours, axis=0)
    assert precision > 0.95
    assert recall > 0.8
    assert (np.mean(ours, axis=0) > np.mean(nearest, axis=0) + 0.05).all()
    assert np.mean(plain, axis=0)[0] > np.mean(nearest, axis=0)[0]


def test_probabilities_mean_what_they_say(whole):
    """Where a join is given 60 %, at least 60 % of such joins are right, and so on."""
    options = RelinkingOptions(min_probability=0.0, appearance=False)
    parts = []
    for seed in range(4):
        joined = relink(cut(whole, seed), FIELD, options)
        joined = joined.sort_values(["track_id", "frame"])
        same = joined.groupby("track_id")["mass"].diff() == 0
        parts.append(joined.assign(same=same)[joined["relinked"]])
    made = pd.concat(parts)
    likely = made["link_confidence"] >= 0.8
    for group in (made[likely], made[~likely]):
        assert len(group) > 30
        assert group["same"].mean() > group["link_confidence"].mean() - 0.1
    assert made.loc[likely, "same"].mean() > made.loc[~likely, "same"].mean() + 0.05


def test_what_was_joined_is_shown(whole):
    tracks = cut(whole, 1)
    before = tracks.copy(deep=True)
    joined = relink(tracks, FIELD, RelinkingOptions())
    pd.testing.assert_frame_equal(tracks, before)
    flagged = joined[joined["relinked"]]
    assert flagged["gap_frames"].ge(3).all()
    assert flagged["link_confidence"].between(0.5, 1).all()
    assert flagged["link_distance_um"].between(0, 30).all()
    assert flagged["track_confidence"].le(flagged["link_margin"]).all()
    n_joins = tracks["track_id"].nunique() - joined["track_id"].nunique()
    assert len(flagged) == n_joins > 0
    assert sorted(joined["track_id"].unique()) == [
        *range(1, joined["track_id"].nunique() + 1)
    ]
    columns = ["frame", "label", "y_um", "x_um"]
    pd.testing.assert_frame_equal(
        joined[columns].sort_values(columns, ignore_index=True),
        tracks[columns].sort_values(columns, ignore_index=True),
    )


def test_limits_hold(whole):
    tracks = cut(whole, 2)
    tight = RelinkingOptions(max_gap_min=5.0, max_distance_um=8.0)
    flagged = relink(tracks, FIELD, tight).query("relinked")
    assert flagged["gap_frames"].max() <= 4
    assert flagged["link_distance_um"].max() <= 8.0
    assert len(flagged) > 0
    certain = RelinkingOptions(min_probability=1.0)
    assert not relink(tracks, FIELD, certain)["relinked"].any()


def test_mothers_and_daughters_stay(whole):
    """A mother's end and a daughter's start are explained; kinship is kept."""
    still = [(1, t, 100.0) for t in range(5)] + [(4, t, 100.0) for t in range(12, 20)]
    daughters = [(2, t, 105.0) for t in range(5, 9)] + [
        (3, t, 95.0) for t in range(5, 9)
    ]
    others = [(5 + k, t, 200.0 + 30 * k) for k in range(5) for t in range(20)]
    track, frame, y = np.array(still + daughters + others).T
    y = y + np.random.default_rng(0).normal(0, 2.0, len(y))
    parent = pd.array(np.where(np.isin(track, [2, 3]), 1, 0), dtype="Int64")
    parent[parent == 0] = pd.NA
    table = tracks_table(
        frame.astype(int), track.astype(int), y, np.full(len(y), 50.0)
    ).assign(parent_track_id=parent)
    joined = relink(table, FIELD, RelinkingOptions(min_probability=0.0))
    kin = joined.dropna(subset="parent_track_id")
    assert kin["parent_track_id"].unique().tolist() == [1]
    mother = joined[joined["track_id"] == 1]
    assert mother["frame"].max() == 4, "the mother's track ends where it divides"
    assert len(joined[joined["relinked"]]) == 1, "one daughter goes on as track 4"


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_to_join(rows):
    table = TRACKS.conform(tracks_table([3], [1], [5.0], [5.0])).head(rows)
    pd.testing.assert_frame_equal(relink(table, FIELD, RelinkingOptions()), table)


def test_row_order_changes_nothing(whole):
    tracks = cut(whole, 3)
    shuffled = tracks.sample(frac=1.0, random_state=0)
    one, other = (relink(t, FIELD, RelinkingOptions()) for t in (tracks, shuffled))
    pd.testing.assert_frame_equal(one, other)
