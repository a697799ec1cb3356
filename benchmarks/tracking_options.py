"""What the options of tracking bring, on movies whose tracks are known.

    python benchmarks/tracking_options.py [--data DIR]
    python benchmarks/methods_table.py --data DIR --only tracking_options

- cost terms: connection Jaccard on the sparse tables of DIR (as in tracking.py);
- divisions: links from mother to daughter in simulated movies, true masks with every
  tenth mask cut in two for 1 to 4 frames and 2 % missing; seeds that no rule was
  chosen on;
- margins: how often a wrong link, or a track with one, scores below a right one (AUC);
- relinking: tracks cut at random, beside joining the nearest ends first;
- overlap: link precision and recall of true masks, beside lap, at two frame rates.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from _blocks import Block
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking import TRACKERS, RelinkingOptions, relink
from cyto_kedro.simulation import SimulationParams, simulate
from cyto_kedro.simulation.params import TargetParams
from tracking import PIXEL_UM, detections, links, sparse_movie

PAGE = "docs/methods/tracking.md"
BLOCKS = dict.fromkeys(
    ("cost_terms", "divisions", "margins", "relinking", "overlap"), PAGE
)
STEPS = (1, 3, 5, 7)
Rows = list[dict[str, object]]


def track(name: str, table: pd.DataFrame, field: Calibration, labels=None, **options):
    """Tracks by one method."""
    tracker = TRACKERS[name]
    return tracker.track(table, field, tracker.options(name=name, **options), labels)


# -- cost terms -----------------------------------------------------------------------


def cost_terms(data: Path) -> Rows:
    """Connection Jaccard with areas, intensities or both compared."""
    cases = {
        "distance alone": {},
        "area": {"area": 1.0},
        "intensity": {"intensity": 1.0},
        "area and intensity": {"area": 1.0, "intensity": 1.0},
    }
    rows: Rows = [{"compared": name} for name in cases]
    for step in STEPS:
        table, truth = sparse_movie(data / "tracking_tables" / f"sparse{step}")
        n_frames = int(table["frame"].max()) + 1
        field = Calibration.regular((n_frames, 1024, 1024), PIXEL_UM)
        for row, terms in zip(rows, cases.values(), strict=True):
            found = links(track("lap", table, field, cost_terms=terms))
            row[f"sparse{step}"] = len(found & truth) / len(found | truth)
    return rows


# -- divisions ------------------------------------------------------------------------


def divisions() -> Rows:
    """Division links with and without the rules, over five movies."""
    cases = {"with the rules": {}, "without (`division: null`)": {"division": None}}
    counts = {name: np.zeros(3, dtype=int) for name in cases}
    for seed in range(401, 406):
        table, field, true = dividing_movie(seed)
        for name, options in cases.items():
            found = kin(track("lap", table, field, **options))
            counts[name] += [len(found & true), len(found), len(true)]
    return [
        {
            "divisions": name,
            "precision": f"{hits}/{found} = {hits / found:.3f}",
            "recall": f"{hits}/{true} = {hits / true:.3f}",
        }
        for name, (hits, found, true) in counts.items()
    ]


def dividing_movie(seed: int) -> tuple[pd.DataFrame, Calibration, set]:
    """Detections of a movie with many divisions, masks in pieces, and missed cells."""
    target = TargetParams(division_per_hour=0.4, bystander_death_per_hour=0.0)
    params = SimulationParams(seed=seed, n_frames=60, n_effectors=0, target=target)
    movie = simulate(params)
    seen = movie.tracks[movie.tracks["role"] == movie.target]
    cells = seen[["frame", "cell_id", "y_um", "x_um", "area_px"]].to_numpy(dtype=float)
    rng = np.random.default_rng(seed)
    rows = []
    for cell in np.unique(cells[:, 1]):
        own = cells[cells[:, 1] == cell]
        first, length = rng.integers(0, 60), rng.integers(1, 5)
        broken = rng.random() < 0.1
        for frame, number, y, x, area in own:
            if rng.random() < 0.02:
                continue
            if broken and first <= frame < first + length:
                arm = 0.65 * np.sqrt(area / np.pi) * 0.5
                rows += [(frame, number, y + s * arm, x, area / 2) for s in (-1, 1)]
            else:
                rows.append((frame, number, y, x, area))
    frame, number, y, x, area = np.array(rows).T
    label = pd.Series(frame).groupby(frame).cumcount().to_numpy() + 1
    to_px = 1.0 / PIXEL_UM  # `detections` takes the pixels of the other movies
    table = detections(
        frame.astype(int),
        label,
        y * to_px,
        x * to_px,
        area_um2=area * 0.65**2,
        mass=number,
    )
    field = Calibration.regular(
        movie.shape, params.pixel_size_um, params.frame_interval_min
    )
    true = {
        (row.parent_id, daughter)
        for row in movie.divisions.itertuples()
        for daughter in (row.daughter_a_id, row.daughter_b_id)
    }
    return table, field, true


def kin(tracks: pd.DataFrame) -> set[tuple[int, int]]:
    """(mother, daughter) as true cells."""
    ordered = tracks.sort_values("frame")
    last = ordered.groupby("track_id")["mass"].last()
    born = ordered.drop_duplicates("track_id").dropna(subset="parent_track_id")
    mothers = born["parent_track_id"].map(last)
    # A piece and the rest of one cell have its number: keep them apart.
    return {
        (int(mother), int(daughter) if mother != daughter else -int(track))
        for mother, daughter, track in zip(
            mothers, born["mass"], born["track_id"], strict=True
        )
    }


# -- margins --------------------------------------------------------------------------


def margins() -> Rows:
    """AUC of link margin and track confidence on crowded random walkers."""
    rows: Rows = []
    for n_cells, step_px in ((150, 8.0), (300, 6.0), (300, 9.0), (700, 4.0)):
        rng = np.random.default_rng(1)
        steps = rng.normal(0, step_px, (40, n_cells, 2))
        steps[0] = rng.uniform(0, 1000, (n_cells, 2))
        frame, cell = np.nonzero(rng.random((40, n_cells)) >= 0.04)
        y, x = steps.cumsum(axis=0)[frame, cell].T
        table = detections(frame, cell + 1, y, x)
        field = Calibration.regular((40, 1200, 1200), PIXEL_UM)
        tracks = track("lap", table, field, splitting_max_distance_um=None)
        tracks = tracks.sort_values(["track_id", "frame"])
        linked = tracks["link_margin"].notna()
        wrong = linked & (tracks["label"].diff() != 0)
        by_track = tracks.assign(wrong=wrong).groupby("track_id")
        sure = by_track["track_confidence"].first().dropna()
        bad = by_track["wrong"].any()[sure.index]
        rows.append(
            {
                "movie": f"{n_cells} cells, steps of {step_px:g} px",
                "wrong links": f"{wrong[linked].mean():.3f}",
                "AUC of links": auc(tracks["link_margin"][linked], wrong[linked]),
                "AUC of tracks": auc(sure, bad),
            }
        )
    return rows


def auc(score: pd.Series, bad: pd.Series) -> float:
    """How often a bad one scores below a good one."""
    wins = mannwhitneyu(score[~bad], score[bad]).statistic
    return float(wins / (bad.sum() * (~bad).sum()))


# -- relinking ------------------------------------------------------------------------


def relinking() -> Rows:
    """Precision and recall of joins, over ten sets of cuts."""
    field = Calibration.regular((60, 400, 400))
    scores: dict[str, list[tuple[int, int, int]]] = {}
    for seed in range(10):
        tracks, true = cut_movie(seed)
        tried = {
            "motion and looks": joins(tracks, field, appearance=True),
            "motion alone": joins(tracks, field, appearance=False),
            "nearest ends first": nearest(tracks),
        }
        for name, found in tried.items():
            scores.setdefault(name, []).append(
                (len(found & true), len(found), len(true))
            )
    rows: Rows = []
    for name, each in scores.items():
        hits, found, true_ = np.sum(each, axis=0)
        rows.append(
            {"joined by": name, "precision": hits / found, "recall": hits / true_}
        )
    return rows


def cut_movie(seed: int) -> tuple[pd.DataFrame, set]:
    """60 persistent walkers, two gaps of 3 to 10 frames each; and the true joins."""
    rng = np.random.default_rng(1000 + seed)
    n_frames, n_cells = 60, 60
    velocity = rng.normal(0, 1.5, (n_frames, n_cells, 2))
    for t in range(1, n_frames):
        velocity[t] = 0.85 * velocity[t - 1] + rng.normal(0, 0.8, (n_cells, 2))
    place = rng.uniform(0, 400, (n_cells, 2)) + velocity.cumsum(axis=0)
    kept = ((place > 0) & (place < 400)).all(axis=2)
    for cell in range(n_cells):
        for first in (rng.integers(6, 24), rng.integers(34, 48)):
            kept[first : first + rng.integers(3, 11), cell] = False
    cell, frame = np.nonzero(kept.T)
    look = np.exp(rng.normal(0, 0.3, (2, n_cells)))[:, cell]
    look *= np.exp(rng.normal(0, 0.08, look.shape))
    new = (np.diff(cell, prepend=-1) != 0) | (np.diff(frame, prepend=-2) != 1)
    piece = np.cumsum(new)
    y, x = place[frame, cell].T / PIXEL_UM
    table = detections(frame, cell + 1, y, x, area_um2=look[0] * 80, mean=look[1] * 500)
    table = table.assign(
        track_id=piece,
        parent_track_id=pd.array([pd.NA] * len(piece), dtype="Int64"),
        link_distance_um=np.nan,
        gap_frames=0,
        link_confidence=np.nan,
        link_margin=np.nan,
        track_confidence=np.nan,
        relinked=False,
    )
    start = np.flatnonzero(new)[1:]
    wait = frame[start] - frame[start - 1]
    same = start[(cell[start] == cell[start - 1]) & (wait <= 12)]
    true = set(zip(piece[same - 1].tolist(), piece[same].tolist(), strict=True))
    return table, true


def joins(tracks: pd.DataFrame, field: Calibration, appearance: bool) -> set:
    """Pairs of pieces that relinking joins."""
    after = relink(tracks, field, RelinkingOptions(appearance=appearance))
    keys = ["frame", "label"]
    both = after.merge(tracks[[*keys, "track_id"]], on=keys, suffixes=("", "_piece"))
    both = both.sort_values(["track_id", "frame"])
    piece = both["track_id_piece"].to_numpy()
    at = np.flatnonzero(both["relinked"].to_numpy())
    return set(zip(piece[at - 1].tolist(), piece[at].tolist(), strict=True))


def nearest(tracks: pd.DataFrame, reach_um: float = 30.0, longest: int = 20) -> set:
    """The nearest pairs of an end and a start are joined first."""
    ordered = tracks.sort_values(["track_id", "frame"])
    starts = ordered.drop_duplicates("track_id")
    ends = ordered.drop_duplicates("track_id", keep="last")
    place = ends[["y_um", "x_um"]].to_numpy()[:, np.newaxis]
    far = np.linalg.norm(place - starts[["y_um", "x_um"]].to_numpy(), axis=2)
    wait = starts["frame"].to_numpy() - ends["frame"].to_numpy()[:, np.newaxis]
    far[(wait < 1) | (wait > longest) | (far > reach_um)] = np.inf
    found = set()
    while np.isfinite(far).any():
        i, j = np.unravel_index(int(far.argmin()), far.shape)
        found.add((int(ends["track_id"].iloc[i]), int(starts["track_id"].iloc[j])))
        far[i], far[:, j] = np.inf, np.inf
    return found


# -- overlap --------------------------------------------------------------------------


def overlap() -> Rows:
    """Links of dense immobile cells and of T cells on true masks."""
    movie = simulate(SimulationParams(seed=411, n_targets=45))
    rows: Rows = []
    for role, about in ((movie.target, "45 cancer cells"), (movie.effector, "T cells")):
        for every in (1, 3):
            labels = np.stack([movie.mask(role, t) for t in range(0, 60, every)])
            table, truth = labelled(labels)
            shape = labels.shape
            field = Calibration.regular(shape, movie.params.pixel_size_um)
            row: dict[str, object] = {"movie": f"{about}, every {every}. frame"}
            for name in ("overlap", "lap"):
                found = links(track(name, table, field, labels))
                row[name] = len(found & truth) / len(found | truth)
            rows.append(row)
    return rows


def labelled(labels: np.ndarray) -> tuple[pd.DataFrame, set]:
    """Detections of masks that keep the cell's number, and the links between them."""
    parts = []
    for frame, plane in enumerate(labels):
        y, x = np.nonzero(plane)
        cells = pd.DataFrame({"label": plane[y, x], "y": y, "x": x})
        parts.append(cells.groupby("label", as_index=False).mean().assign(frame=frame))
    every = pd.concat(parts, ignore_index=True)
    scale = 0.65 / PIXEL_UM
    label = every["label"].to_numpy(dtype=np.int64)
    table = detections(every["frame"], label, every["y"] * scale, every["x"] * scale)
    blank = pd.array([pd.NA] * len(table), dtype="Int64")
    whole = table.assign(track_id=label, parent_track_id=blank)
    return table, links(whole)


# -- report ---------------------------------------------------------------------------


def blocks(data: Path | None) -> Iterator[Block]:
    """One per option; cost terms only where there are real tables."""
    if data is not None:
        about = "Connection Jaccard, `cost_terms` of `lap` at weight 1:"
        yield Block(PAGE, "cost_terms", about, cost_terms(data))
    about = "Division links in simulated movies (seeds 401 to 405), some masks in two:"
    yield Block(PAGE, "divisions", about, divisions())
    about = "How often a wrong link or track scores below a right one; 4 % missed:"
    yield Block(PAGE, "margins", about, margins())
    about = "Joins of tracks cut at random (gaps of 3 to 10 frames):"
    yield Block(PAGE, "relinking", about, relinking())
    about = "Connection Jaccard on true masks:"
    yield Block(PAGE, "overlap", about, overlap())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with tracking_tables")
    asked = parser.parse_args()
    for block in blocks(asked.data):
        print(block.markdown, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
