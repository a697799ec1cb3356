"""From what each unit took to the time of a trial, and to speedups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.scaling import SCALING, TIMED

_TRIAL = ["stage", "n_jobs", "replicate"]
_SUMS = ["load_s", "compute_s", "save_s", "cpu_s", "read_bytes", "written_bytes"]


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, columns as attributes."""
    yield from table.itertuples(index=False)


def timed_trials(trials: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Times of each trial from those of its units.

    Args:
        trials: Table TRIALS.
        units: Table UNITS.

    Returns:
        Table TIMED; times of a trial without finished units are NaN.
    """
    by_trial = dict(list(units.groupby(_TRIAL)))
    rows: list[dict[str, Any]] = []
    for values in trials.to_dict("records"):
        trial = {str(name): value for name, value in values.items()}
        key = tuple(trial[name] for name in _TRIAL)
        part = by_trial.get(key, units.iloc[:0])
        rows.append(trial | _times_of(part))
    return TIMED.conform(pd.DataFrame(rows)) if rows else TIMED.empty()


def _times_of(units: pd.DataFrame) -> dict[str, Any]:
    phases = units.groupby("phase")
    # Jobs that the queue let in one after the other count as if side by side.
    jobs = units.assign(job=units["job"].fillna("")).groupby(["phase", "job"])
    busy = jobs["ended_s"].max() - jobs["started_s"].min()
    net = busy.groupby(level="phase").max().sum(min_count=1)
    return {
        "failed": int((units["status"] != "done").sum()),
        "wall_s": units["ended_s"].max() - units["submitted_s"].min(),
        "net_s": net,
        "queue_s": phases["queue_s"].max().sum(min_count=1),
        "startup_s": phases["startup_s"].max().sum(min_count=1),
        "peak_memory_mib": units["peak_memory_mib"].max(),
        "at_a_time": most_at_a_time(units["started_s"], units["ended_s"]),
        **{name: units[name].sum(min_count=1) for name in _SUMS},
    }


def most_at_a_time(started: pd.Series, ended: pd.Series) -> int:
    """The largest number of intervals that share a moment; those without end drop."""
    known = started.notna() & ended.notna()
    begins, ends = started[known].to_numpy(), ended[known].to_numpy()
    times = np.concatenate([begins, ends])
    steps = np.concatenate([np.ones(len(begins)), -np.ones(len(ends))])
    # Of one moment the ends come first: what follows on is not side by side.
    order = np.lexsort((steps, times))
    return int(np.cumsum(steps[order]).max(initial=0))


def scaling_of(timed: pd.DataFrame) -> pd.DataFrame:
    """Medians, speedup and efficiency of each stage at each N.

    Speedup compares with the smallest N that was run; efficiency is speedup over the
    ratio of the Ns. Where N jobs could not run side by side the figures stand, but
    ``measurable`` is false and ``note`` says why.

    Args:
        timed: Table TIMED.

    Returns:
        Table SCALING.
    """
    rows = []
    for stage, trials in timed.groupby("stage", sort=False):
        good = trials[(trials["failed"] == 0) & trials["net_s"].notna()]
        first = trials["n_jobs"].min()
        base = good[good["n_jobs"] == first]
        for n_jobs in trials["n_jobs"].unique():
            done = good[good["n_jobs"] == n_jobs]
            note = _not_measurable(int(n_jobs), trials[trials["n_jobs"] == n_jobs])
            net, wall = done["net_s"].median(), done["wall_s"].median()
            speedup = base["net_s"].median() / net
            mean = done["net_s"].mean()
            rows.append(
                {
                    "stage": stage,
                    "n_jobs": n_jobs,
                    "replicates": len(done),
                    "wall_s": wall,
                    "net_s": net,
                    "relative_sd": done["net_s"].std(ddof=1) / mean,
                    "speedup_wall": base["wall_s"].median() / wall,
                    "speedup": speedup,
                    "efficiency": speedup * first / n_jobs,
                    "measurable": not note,
                    "note": note or None,
                }
            )
    return SCALING.conform(pd.DataFrame(rows)) if rows else SCALING.empty()


def _not_measurable(n_jobs: int, trials: pd.DataFrame) -> str:
    """Why a speedup at N says nothing about N jobs; empty if it does."""
    granted = trials["granted"].min()
    if pd.notna(granted) and granted < n_jobs:
        what = "GPUs" if trials["gpu"].any() else "cores"
        return f"{n_jobs} jobs share {int(granted)} {what}"
    widest = int(trials["widest_phase"].max())
    if widest < n_jobs:
        return f"the work has {widest} parts that can run side by side"
    seen = int(trials["at_a_time"].max())
    if seen < n_jobs:
        return f"at most {seen} jobs were at work at the same time"
    return ""
