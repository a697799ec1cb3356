"""Kinematics of 78,000 rows: ratio against a plain loop, pandas and a sort.

The loop does what the predecessor's code does (one track after another, one row after
another) for speeds only; the pandas peer is the usual groupby-diff. All in one process,
interleaved, medians.

    python benchmarks/kinematics.py --tracks 1000 --frames 80
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.methods.kinematics.msd import MsdOptions, mean_squared_displacement
from cyto_kedro.methods.kinematics.persistence import (
    PersistenceOptions,
    directional_persistence,
)
from cyto_kedro.methods.kinematics.points import sort_points
from cyto_kedro.methods.kinematics.steps import measure_steps, step_table
from cyto_kedro.methods.kinematics.summary import summarise_tracks


def workload(n_tracks: int, n_frames: int, seed: int = 0) -> pd.DataFrame:
    """Random walks, 2 % missed; rows by frame, in no order of tracks within it."""
    rng = np.random.default_rng(seed)
    frame, track = np.meshgrid(
        np.arange(n_frames), np.arange(1, n_tracks + 1), indexing="ij"
    )
    keep = rng.random(frame.shape) > 0.02
    y, x = np.cumsum(rng.normal(0, 2, (2, *frame.shape)), axis=1) + 500
    table = pd.DataFrame(
        {
            "frame": frame[keep],
            "track_id": track[keep],
            "label": track[keep],
            "y_um": y[keep],
            "x_um": x[keep],
            "time_min": frame[keep] * 2.0,
            "area_um2": 100.0,
            "link_confidence": 0.9,
            "parent_track_id": pd.array([pd.NA] * int(keep.sum()), dtype="Int64"),
        }
    )
    table = table.sample(frac=1, random_state=seed).sort_values("frame", kind="stable")
    return table.reset_index(drop=True).astype(
        {c: TRACKS.columns[c].dtype for c in table}
    )


def plain_loop(table: pd.DataFrame) -> pd.DataFrame:
    """Speeds by a loop over tracks and rows."""
    parts = []
    for _, part in table.groupby("track_id"):
        track = part.sort_values("frame").copy()
        speeds = [np.nan]
        for i in range(1, len(track)):
            before, here = track.iloc[i - 1], track.iloc[i]
            step = np.hypot(
                here["y_um"] - before["y_um"], here["x_um"] - before["x_um"]
            )
            one = here["frame"] - before["frame"] == 1
            speeds.append(
                step / (here["time_min"] - before["time_min"]) if one else np.nan
            )
        track["speed"] = speeds
        parts.append(track)
    return pd.concat(parts)


def with_pandas(table: pd.DataFrame) -> pd.DataFrame:
    """Speeds, paths and net displacement by groupby."""
    table = table.sort_values(["track_id", "frame"])
    groups = table.groupby("track_id", sort=False)
    step = groups[["y_um", "x_um", "time_min", "frame"]].diff()
    length = np.hypot(step["y_um"], step["x_um"])
    table["speed"] = (length / step["time_min"]).where(step["frame"] == 1)
    table["path"] = length.fillna(0).groupby(table["track_id"]).cumsum()
    first = groups[["y_um", "x_um"]].transform("first")
    table["net"] = np.hypot(
        table["y_um"] - first["y_um"], table["x_um"] - first["x_um"]
    )
    return table


def persistence_loop(table: pd.DataFrame, most: int) -> list[float]:
    """Mean cosine by lag: track by track, pair by pair."""
    found: list[list[float]] = [[] for _ in range(most + 1)]
    for _, track in table.sort_values("frame").groupby("track_id"):
        place = dict(
            zip(track["frame"], track[["y_um", "x_um"]].to_numpy(), strict=True)
        )
        step = {f: place[f] - place[f - 1] for f in place if f - 1 in place}
        unit = {f: v / np.linalg.norm(v) for f, v in step.items()}
        for frame, one in unit.items():
            for lag in range(1, most + 1):
                if frame + lag in unit:
                    found[lag].append(float(one @ unit[frame + lag]))
    return [float(np.mean(values)) for values in found[1:]]


def seconds(function: Callable[[], object]) -> float:
    """CPU time of one call: everything here is single-threaded."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    table = workload(options.tracks, options.frames)
    times = np.arange(options.frames) * 2.0
    labels = table["label"].to_numpy()

    def steps_only() -> pd.DataFrame:
        points = sort_points(table, times)
        return step_table(points, measure_steps(points), labels)

    def steps_and_summary() -> object:
        points = sort_points(table, times)
        steps = measure_steps(points)
        return step_table(points, steps, labels), summarise_tracks(
            table, points, steps, 2.0
        )

    def everything() -> object:
        points = sort_points(table, times)
        return steps_and_summary(), mean_squared_displacement(
            points, times, MsdOptions()
        )

    def persistence() -> object:
        points = sort_points(table, times)
        return directional_persistence(points, times, PersistenceOptions(bootstraps=0))

    few = table[table["track_id"] <= max(options.tracks // 20, 1)]
    track, frame = table["track_id"].to_numpy(), table["frame"].to_numpy()
    cases: dict[str, Callable[[], object]] = {
        "a lexsort by (track, frame)": lambda: np.lexsort((frame, track)),
        "pandas groupby, 3 columns": lambda: with_pandas(table),
        "ours: steps": steps_only,
        "ours: steps + track summary": steps_and_summary,
        "ours: with MSD and 500 bootstraps": everything,
        "ours: persistence, no bootstraps": persistence,
        "plain loop, speed only (1 track of 20)": lambda: plain_loop(few),
        "persistence, plain loop (1 track of 20)": lambda: persistence_loop(
            few, options.frames // 2
        ),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for repeat in range(options.repeats):
        for name, function in cases.items():
            if "loop" not in name or repeat < 1:
                taken[name].append(seconds(function))
    medians = {name: float(np.median(values)) for name, values in taken.items()}
    for name in cases:
        if "loop" in name:
            medians[name] *= len(table) / len(few)
    loop = next(name for name in cases if "loop" in name)
    sort = medians["a lexsort by (track, frame)"]
    print(f"{len(table)} rows, {options.tracks} tracks, {options.frames} frames")
    print(f"{'case':42}{'ms':>10}{'x lexsort':>11}{'loop / it':>11}")
    for name, value in medians.items():
        shown = f"{1e3 * value:10.2f}{value / sort:11.2f}{medians[loop] / value:11.0f}"
        print(f"{name:42}{shown}")
    tracemalloc.start()
    everything()
    peak = tracemalloc.get_traced_memory()[1]
    print(f"peak of ours, with MSD: {peak / 2**20:.1f} MiB of Python-visible memory")


if __name__ == "__main__":
    main()
