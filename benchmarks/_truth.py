"""Score masks and tracks of a movie against the truth of its simulation.

A measure is a row ``role, measure, value, part, of``: a share is ``part / of``; an
error is the mean or maximum over ``of`` items. Undefined is NaN: a control has no
contacts.

Masks are compared on the registered images: the truth is moved there as the tables
`drift` and `deformation` say, the nearest pixel each. Truth outside the part of the
frame that registration kept in view does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from cyto_kedro.methods.preprocessing.tables import frame_transforms
from cyto_kedro.methods.preprocessing.warps import Transform, warped
from cyto_kedro.methods.segmentation.scoring import iou_matrix

IOU = 0.5


@dataclass(frozen=True)
class Matches:
    """Which of our cells is which true cell.

    Attributes:
        pairs: One row per match: frame, label, cell_id.
        truth: One row per true cell in view: frame, cell_id, whole (not cut by the
            edge of the view).
        n_found: Our cells in all frames.
    """

    pairs: pd.DataFrame
    truth: pd.DataFrame
    n_found: int


def row(role: str, measure: str, part: float, of: int) -> dict[str, object]:
    """A share of ``of`` items."""
    value = part / of if of else float("nan")
    return {"role": role, "measure": measure, "value": value, "part": part, "of": of}


def error(role: str, measure: str, value: float, of: int) -> dict[str, object]:
    """An error over ``of`` items."""
    return row(role, measure, float("nan"), of) | {
        "value": value if of else float("nan")
    }


# -- detections -----------------------------------------------------------------------


def in_view(
    truth: np.ndarray, found: np.ndarray, transform: Transform
) -> tuple[np.ndarray, np.ndarray]:
    """The same piece of sample in a raw truth frame and in our registered frame.

    Args:
        truth: YX truth labels in raw coordinates.
        found: YX labels of the registered frame.
        transform: How registration moved the frame.
    """
    seen, (y0, y1, x0, x1) = warped(truth, transform, "nearest")
    return seen, found[y0:y1, x0:x1]


def match_movie(
    truth: np.ndarray,
    found: np.ndarray,
    drift: pd.DataFrame,
    deformation: pd.DataFrame | None = None,
) -> Matches:
    """Match masks one to one at IoU >= 0.5, frame by frame.

    Args:
        truth: TYX truth labels in raw coordinates.
        found: TYX labels on the registered images.
        drift: Table DRIFT as measured.
        deformation: Table DEFORMATION as measured; None for no deformation.
    """
    pairs, cells, n_found = [], [], 0
    for frame, move in enumerate(frame_transforms(drift, deformation, len(truth))):
        seen, ours = in_view(truth[frame], np.asarray(found[frame]), move)
        true_ids, our_ids = (np.unique(plane[plane > 0]) for plane in (seen, ours))
        rows, columns = _best_pairs(seen, ours)
        edge = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]])
        pairs.append(
            pd.DataFrame(
                {"frame": frame, "label": our_ids[columns], "cell_id": true_ids[rows]}
            )
        )
        whole = ~np.isin(true_ids, edge)
        cells.append(
            pd.DataFrame({"frame": frame, "cell_id": true_ids, "whole": whole})
        )
        n_found += len(our_ids)
    joined, known = (pd.concat(each, ignore_index=True) for each in (pairs, cells))
    whole_numbers = {"label": np.int64, "cell_id": np.int64}
    return Matches(
        joined.astype(whole_numbers), known.astype({"cell_id": np.int64}), n_found
    )


def _best_pairs(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    iou = iou_matrix(truth, found).tocoo()
    close = iou.data >= IOU
    if not close.any():
        return np.empty(0, dtype=int), np.empty(0, dtype=int)
    places = (iou.row[close].astype(np.int32), iou.col[close].astype(np.int32))
    graph = sparse.csr_array((np.ones(close.sum(), np.int8), places), shape=iou.shape)
    partner = maximum_bipartite_matching(graph, perm_type="column")
    rows = np.flatnonzero(partner >= 0)
    return rows, partner[rows]


def score_detections(role: str, matches: Matches) -> Iterator[dict[str, object]]:
    """Precision, recall, and recall of the cells that lie wholly in view."""
    hits, truth = len(matches.pairs), matches.truth
    yield row(role, "detection precision", hits, matches.n_found)
    yield row(role, "detection recall", hits, len(truth))
    whole = truth.loc[truth["whole"], ["frame", "cell_id"]]
    yield row(
        role,
        "detection recall, cells not cut by the edge",
        len(whole.merge(matches.pairs, on=["frame", "cell_id"])),
        len(whole),
    )


# -- tracks ---------------------------------------------------------------------------


def named(tracks: pd.DataFrame, matches: Matches) -> pd.DataFrame:
    """Points of our tracks with the true cell of each; NaN where none matches."""
    points = tracks[["track_id", "parent_track_id", "frame", "label"]]
    points = points.merge(matches.pairs, on=["frame", "label"], how="left")
    return points.sort_values(["track_id", "frame"], ignore_index=True)


def owner_of(points: pd.DataFrame) -> pd.Series:
    """By track: the true cell that most of its points show."""
    known = points.dropna(subset=["cell_id"])
    counts = known.groupby(["track_id", "cell_id"]).size().rename("n").reset_index()
    counts = counts.sort_values(["track_id", "n", "cell_id"], ascending=[1, 0, 1])
    return counts.drop_duplicates("track_id").set_index("track_id")["cell_id"]


def score_links(
    role: str, points: pd.DataFrame, matches: Matches
) -> Iterator[dict[str, object]]:
    """Links between matched cells, and how whole the tracks are.

    A found link is right if both ends show the same true cell. Recall is over the true
    links from one frame to the next: of those with both ends matched (linking alone)
    and of all in view (linking and segmentation).
    """
    before = points.groupby("track_id")[["frame", "cell_id"]].shift()
    step = points["frame"] - before["frame"]
    both = points["cell_id"].notna() & before["cell_id"].notna()
    right = both & (points["cell_id"] == before["cell_id"])
    yield row(role, "link precision", int(right.sum()), int(both.sum()))
    found = int((right & (step == 1)).sum())
    yield row(
        role, "link recall, both ends detected", found, _true_links(matches.pairs)
    )
    yield row(role, "link recall, all cells in view", found, _true_links(matches.truth))
    n_stays = stays_in_view(matches.truth)
    yield row(role, "tracks per stay in view", points["track_id"].nunique(), n_stays)


def stays_in_view(truth: pd.DataFrame) -> int:
    """A cell that leaves the field and comes back is expected to be a new track."""
    ordered = truth.sort_values(["cell_id", "frame"])
    step = ordered.groupby("cell_id")["frame"].diff()
    return int((step != 1).sum())


def _true_links(cells: pd.DataFrame) -> int:
    following = cells[["frame", "cell_id"]].assign(frame=cells["frame"] + 1)
    return len(following.merge(cells, on=["frame", "cell_id"]))


def score_divisions(
    role: str, points: pd.DataFrame, divisions: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """Mother-daughter pairs: the mother track's last cell, the daughter's first."""
    known = points.dropna(subset=["cell_id"]).groupby("track_id")["cell_id"]
    first, last = known.first(), known.last()
    born = points.dropna(subset=["parent_track_id"]).drop_duplicates("track_id")
    found = {
        (last.get(daughter.parent_track_id), first.get(daughter.track_id))
        for daughter in born.itertuples()
    }
    true = {
        (pair.parent_id, daughter)
        for pair in divisions.itertuples()
        for daughter in (pair.daughter_a_id, pair.daughter_b_id)
    }
    hits = len(found & true)
    yield row(role, "division link precision", hits, len(born))
    yield row(role, "division link recall", hits, len(true))
