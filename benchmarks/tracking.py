"""Tracking against hand truth and in time, beside laptrack in the same run.

    python benchmarks/tracking.py --data DIR [--repeat 3]
                                  [--only ctc speed sparse btrack]
    python benchmarks/methods_table.py --data DIR --only tracking    # into the docs

DIR holds `ctc_cellmigration/02_GT` (Cell Tracking Challenge layout),
`tracking_tables/sparse{1,3,5,7}` and `tracking_tables/btrack_*`. Scores of the first
are by py-ctcmetrics; those of the tables are the connection Jaccard
TP / (TP + FP + FN) over all true links, divisions included, of the detections that
belong to a true track (the definition of laptrack-optimisation, Fukai & Kawaguchi
2023). Data: Tinevez & Jacquemet, zenodo 6087728, CC BY 4.0. btrack's points (of its
tests, MIT; pixel size unknown and taken as above) are scored the same way, whole and
with every tenth frame only.

laptrack runs with hand-set distances (on every frame those of the published baseline,
on every k-th frame ones that come close to its published tuned Jaccard of
.997/.967/.754/.415); "lap" runs with its default parameters everywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from ctc_metrics.scripts.evaluate import evaluate_sequence

from _blocks import Block
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DETECTIONS
from cyto_kedro.methods.tracking import TRACKERS

PIXEL_UM = 1 / 1.5779
PAGE = "docs/methods/tracking.md"
BLOCKS = dict.fromkeys(("ctc", "speed", "sparse", "btrack"), PAGE)
SHOWN = ("LNK", "TRA", "CHOTA", "CT", "BC(0)", "BC(1)")
METRICS = ["Valid", "DET", "LNK", "TRA", "CHOTA", "CT", "BC"]
# Linking and splitting distance of laptrack, in pixels of the movie.
LAPTRACK_PX = {
    1: (11.9, 25.8),
    3: (25.0, 30.0),
    5: (35.0, 40.0),
    7: (45.0, 50.0),
    10: (30.0, 40.0),
}
Track = Callable[[pd.DataFrame, Calibration], pd.DataFrame]
Rows = list[dict[str, Any]]


def detections(frame, label, row_px, column_px, **known) -> pd.DataFrame:
    """DETECTIONS from centroids; what is not ``known`` is filled in."""
    given = {
        "frame": frame,
        "label": label,
        "time_min": np.asarray(frame, dtype=float),
        "y_um": np.asarray(row_px) * PIXEL_UM,
        "x_um": np.asarray(column_px) * PIXEL_UM,
    } | known
    blank = {"int64": 1, "float64": np.nan, "bool": False, "object": "cell"}
    table = pd.DataFrame(given)
    for name, column in DETECTIONS.columns.items():
        if name not in table:
            table[name] = blank.get(column.dtype, pd.NA)
    return DETECTIONS.conform(table)


def methods(step: int) -> dict[str, Track]:
    """The trackers to compare on every ``step``-th frame of the movie."""
    link, split = (px * PIXEL_UM for px in LAPTRACK_PX[step])
    peer = {
        "linking_max_distance_um": link,
        "gap_closing_max_distance_um": link,
        "splitting_max_distance_um": split,
    }
    options = {
        "lap": ("lap", {}),
        "lap, no motion": ("lap", {"motion": "none"} | peer),
        "laptrack": ("laptrack", peer),
        "trackpy": ("trackpy", {"linking_max_distance_um": min(link, 12.0)}),
    }

    def bound(name: str, values: dict) -> Track:
        tracker = TRACKERS[name]
        chosen = tracker.options(name=name, **values)
        return lambda table, field: tracker.track(table, field, chosen)

    return {label: bound(*choice) for label, choice in options.items()}


def timed(
    table: pd.DataFrame, field: Calibration, todo: dict[str, Track], repeat: int
) -> dict[str, tuple[pd.DataFrame, float]]:
    """Tracks and median seconds of each method, taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in todo}
    result = {}
    for track in todo.values():
        track(table[table["frame"] < 3], field)  # imports are not counted
    for _ in range(repeat):
        for name, track in todo.items():
            start = time.perf_counter()
            result[name] = track(table, field)
            seconds[name].append(time.perf_counter() - start)
    return {name: (result[name], statistics.median(seconds[name])) for name in todo}


def links(tracks: pd.DataFrame) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of (frame, label), divisions included."""
    ordered = tracks.sort_values(["track_id", "frame"])
    keys = list(zip(ordered["frame"], ordered["label"], strict=True))
    track = ordered["track_id"].to_numpy()
    first = np.flatnonzero(np.diff(track, prepend=0))
    last = dict(zip(track[first], [*(first[1:] - 1), len(track) - 1], strict=True))
    found = {
        (keys[i], keys[i + 1]) for i in np.flatnonzero(track[1:] == track[:-1]).tolist()
    }
    parents = ordered["parent_track_id"].iloc[first]
    for start, parent in zip(first, parents, strict=True):
        if not pd.isna(parent):
            found.add((keys[last[parent]], keys[start]))
    return found


def sparse_movie(folder: Path) -> tuple[pd.DataFrame, set]:
    """Detections with the true track as label, and the true links."""
    cells = pd.read_csv(folder / "regionprops.csv", index_col=0).dropna(subset="track")
    cells = cells.astype({"track": int}).sort_values(["track", "frame"])
    table = detections(
        cells["frame"].to_numpy(),
        cells["track"].to_numpy(),
        cells["centroid-0"].to_numpy(),
        cells["centroid-1"].to_numpy(),
        area_um2=cells["area"].to_numpy() * PIXEL_UM**2,
        mean=cells["intensity_mean"].to_numpy(),
    )
    truth = table[["frame", "label"]].assign(track_id=table["label"])
    lineage = np.loadtxt(folder / "man_track.txt", dtype=int)
    parent = {row[0]: row[3] for row in lineage if row[3] > 0}
    ids = truth["track_id"].map(parent)
    return table, links(truth.assign(parent_track_id=ids))


def btrack_movie(folder: Path, step: int) -> tuple[pd.DataFrame, set]:
    """Every ``step``-th frame of btrack's points, and the true links.

    The truth lists the points of each track. In three places a track ends where two
    begin in the next frame and nothing else does: these are taken as divisions.
    """
    points = pd.read_csv(folder / "btrack_points.csv")
    truth = json.loads((folder / "btrack_ground_truth.json").read_text("utf-8"))
    for track, rows in truth.items():
        points.loc[rows, "track_id"] = int(track)
    label = points.groupby("t").cumcount() + 1
    ends = points.groupby("track_id")["t"].max()
    starts = points.groupby("track_id")["t"].min()
    mother = {end + 1: track for track, end in ends.items()}
    parents = starts.map(mother)
    kept = points.assign(
        frame=points["t"] // step,
        label=label,
        parent_track_id=points["track_id"].map(parents),
    )[points["t"] % step == 0]
    table = detections(kept["frame"], kept["label"], kept["y"], kept["x"])
    return table, links(kept)


def synthetic_movie(n_cells: int, n_frames: int, missed: float = 0.02) -> pd.DataFrame:
    """Diffusing cells in a 1200 x 1200 px frame, some of them missed."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 3.0, (n_frames, n_cells, 2))
    steps[0] = rng.uniform(0, 1200, (n_cells, 2))
    place = np.abs(steps.cumsum(axis=0))
    frame, label = np.nonzero(rng.random((n_frames, n_cells)) >= missed)
    row, column = place[frame, label].T
    return detections(frame, label + 1, row, column)


def ctc_movie(folder: Path) -> pd.DataFrame:
    """Centroids of the marker discs; the label is the marker's value."""
    parts = []
    for frame, path in enumerate(sorted(folder.glob("man_track*.tif"))):
        plane = tifffile.imread(path)
        row, column = np.nonzero(plane)
        marker = pd.DataFrame({"id": plane[row, column], "row": row, "column": column})
        parts.append(marker.groupby("id", as_index=False).mean().assign(frame=frame))
    every = pd.concat(parts)
    label = every["id"].to_numpy(dtype=np.int64)
    return detections(every["frame"].to_numpy(), label, every["row"], every["column"])


def without_gaps(tracks: pd.DataFrame) -> pd.DataFrame:
    """Add `piece`, the track up to its next gap: the challenge knows no gaps."""
    ordered = tracks.sort_values(["track_id", "frame"], ignore_index=True)
    starts = ~ordered.duplicated("track_id") | (ordered["gap_frames"] > 0)
    return ordered.assign(piece=starts.cumsum())


def spans(tracks: pd.DataFrame) -> np.ndarray:
    """Rows (piece, first frame, last frame, parent piece or 0)."""
    by_piece = tracks.groupby("piece")
    first, last = by_piece.first(), by_piece["frame"].last()
    last_piece = tracks.groupby("track_id")["piece"].last()
    parent = first["parent_track_id"].map(last_piece).fillna(0)
    continued = first["gap_frames"] > 0
    parent = parent.where(~continued, first.index - 1)
    columns = [first.index, first["frame"], last, parent]
    return np.column_stack([np.asarray(c, dtype=np.int64) for c in columns])


def ctc_scores(tracks: pd.DataFrame, truth: Path) -> dict[str, float]:
    """Write a result folder in the challenge's layout and score it."""
    tracks = without_gaps(tracks)
    with tempfile.TemporaryDirectory() as folder:
        for frame, path in enumerate(sorted((truth / "TRA").glob("man_track*.tif"))):
            plane = tifffile.imread(path)
            here = tracks[tracks["frame"] == frame]
            new = np.zeros(int(plane.max()) + 1, dtype=np.uint16)
            new[here["label"]] = here["piece"]
            tifffile.imwrite(Path(folder) / f"mask{frame:03d}.tif", new[plane])
        rows = spans(tracks)
        np.savetxt(Path(folder) / "res_track.txt", rows, fmt="%d")
        with contextlib.redirect_stdout(io.StringIO()):
            return evaluate_sequence(folder, str(truth), list(METRICS), threads=1)


def agreement(found: set, truth: set) -> dict[str, float]:
    """Precision, recall and Jaccard of the links."""
    hits = len(found & truth)
    return {
        "precision": hits / len(found),
        "recall": hits / len(truth),
        "Jaccard": hits / len(found | truth),
    }


def speed(seconds: float, peer: float, table: pd.DataFrame) -> dict[str, str]:
    """Milliseconds per 1000 detections and the factor to laptrack."""
    return {
        "ms per 1000 cells": f"{seconds * 1e6 / len(table):.1f}",
        "times laptrack": f"{peer / seconds:.1f}",
    }


def ctc_rows(data: Path, repeat: int) -> Rows:
    """Scores of the Cell Tracking Challenge, and speed, per method."""
    truth = data / "ctc_cellmigration" / "02_GT"
    table = ctc_movie(truth / "TRA")
    field = Calibration.regular((86, 1024, 1024), PIXEL_UM)
    runs = timed(table, field, methods(1), repeat)
    rows = []
    for name, (tracks, seconds) in runs.items():
        scores = ctc_scores(tracks, truth)
        kept = {key: float(scores[key]) for key in SHOWN}
        peer = runs["laptrack"][1]
        rows.append({"tracker": name} | kept | speed(seconds, peer, table))
    return rows


def speed_rows(data: Path, repeat: int) -> Rows:
    """Factors to laptrack on diffusing cells of which 2 % are missed."""
    rows = [{"tracker": name} for name in methods(1) if name != "trackpy"]
    for n_cells, n_frames in ((200, 20), (700, 20), (700, 80)):
        table = synthetic_movie(n_cells, n_frames)
        field = Calibration.regular((n_frames, 2400, 2400), PIXEL_UM)
        todo = {row["tracker"]: methods(1)[row["tracker"]] for row in rows}
        runs = timed(table, field, todo, repeat)
        for row in rows:
            factor = runs["laptrack"][1] / runs[row["tracker"]][1]
            row[f"{n_cells} cells x {n_frames} frames"] = f"{factor:.1f}"
    return rows


def sparse_rows(data: Path, repeat: int) -> Rows:
    """Connection Jaccard on every k-th frame of one movie, per method."""
    rows = [{"tracker": name} for name in methods(1)]
    for step in (1, 3, 5, 7):
        table, truth = sparse_movie(data / "tracking_tables" / f"sparse{step}")
        field = Calibration.regular(
            (int(table["frame"].max()) + 1, 1024, 1024), PIXEL_UM
        )
        for row, track in zip(rows, methods(step).values(), strict=True):
            row[f"sparse{step}"] = agreement(links(track(table, field)), truth)[
                "Jaccard"
            ]
    return rows


def btrack_rows(data: Path, repeat: int) -> Rows:
    """Connection Jaccard on btrack's points, whole and every 10th frame."""
    rows = [{"tracker": name} for name in methods(1)]
    for step, title in ((1, "every frame"), (10, "every 10th frame")):
        table, truth = btrack_movie(data / "tracking_tables", step)
        field = Calibration.regular(
            (int(table["frame"].max()) + 1, 1200, 1600), PIXEL_UM
        )
        for row, track in zip(rows, methods(step).values(), strict=True):
            row[title] = agreement(links(track(table, field)), truth)["Jaccard"]
    return rows


CASES: dict[str, tuple[Callable[[Path, int], Rows], str]] = {
    "ctc": (
        ctc_rows,
        "py-ctcmetrics on `ctc_cellmigration`, perfect detections, by "
        "`benchmarks/tracking.py` (as the tables below); laptrack and `lap, no motion` "
        "with distances of 11.9 px, 25.8 px for splitting:",
    ),
    "speed": (speed_rows, "How many times as fast as laptrack 0.17, 2 % missed:"),
    "sparse": (
        sparse_rows,
        "Connection Jaccard on every k-th frame, the same defaults of `lap` for all "
        "four; the distances of the others were set by hand for each:",
    ),
    "btrack": (
        btrack_rows,
        "The same score on btrack's points (of its tests: 1399 points, seven tracks of "
        "one family, three divisions; a few cells only):",
    ),
}


def blocks(
    data: Path | None, repeat: int = 3, only: Sequence[str] = tuple(CASES)
) -> Iterator[Block]:
    """One per case; none without the data."""
    for name in only if data is not None else ():
        rows, about = CASES[name]
        yield Block(PAGE, name, about, rows(data, repeat))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=CASES)
    asked = parser.parse_args()
    for block in blocks(asked.data, asked.repeat, asked.only):
        print(block.markdown, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
