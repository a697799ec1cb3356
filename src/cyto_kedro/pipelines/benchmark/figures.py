"""Speedup and efficiency as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cyto_kedro.methods.scaling.times import rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^vP"
_HOLLOW = "not measurable here"


def scaling_figures(
    scaling: pd.DataFrame, fits: pd.DataFrame, timed: pd.DataFrame
) -> dict[str, Figure]:
    """`speedup_<stage>` and `efficiency`: hollow points are not measurable here.

    Args:
        scaling: Table SCALING.
        fits: Table FITS.
        timed: Table TIMED: each repetition is a small dot.
    """
    figures = {
        f"speedup_{stage}": _speedup(
            str(stage),
            rows.sort_values("n_jobs"),
            fits[fits["stage"] == stage].iloc[0],
            timed[timed["stage"] == stage],
        )
        for stage, rows in scaling.groupby("stage", sort=False)
    }
    figures["efficiency"] = _efficiency(scaling)
    return figures


def _speedup(
    stage: str, rows: pd.DataFrame, fit: pd.Series, trials: pd.DataFrame
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.8), layout="constrained")
    axes = figure.add_subplot()
    jobs = rows["n_jobs"].to_numpy(float)
    axes.plot(jobs, jobs / jobs.min(), ":", color="0.5", label="linear")
    _amdahl(axes, rows, fit)
    base = rows["net_s"].iloc[0]
    good = trials[trials["failed"] == 0]
    axes.plot(
        good["n_jobs"],
        base / good["net_s"],
        ".",
        ms=4,
        color="0.2",
        zorder=3,
        label="each repetition",
    )
    _points(axes, rows, "speedup", "C0", "o", "median")
    axes.set_yscale("log", base=2)
    _label(axes, jobs, "speedup of net time")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    first = trials.iloc[0]
    told = [first["method"], first["backend"], f"{first['total_frames']} frames"]
    axes.set_title(f"{stage}\n{', '.join(told)}", fontsize="small")
    return figure


def _amdahl(axes: Any, rows: pd.DataFrame, fit: pd.Series) -> None:
    """The fitted law with its band, dashed beyond what was measured."""
    serial = float(fit["serial_fraction"])
    if not 0 <= serial <= 1:
        return  # not fitted, or the law does not hold
    jobs = rows["n_jobs"].to_numpy(float)
    grid = np.geomspace(jobs.min(), jobs.max(), 100)
    bounds = np.clip([fit["serial_ci_low"], fit["serial_ci_high"]], 0, 1)
    low, high = (_law(grid, bound, jobs.min()) for bound in bounds[::-1])
    band = {"color": "C1", "alpha": 0.15, "lw": 0, "label": "its interval"}
    axes.fill_between(grid, low, high, **band)
    measured = grid <= float(fit["at_jobs"])
    law = _law(grid, serial, jobs.min())
    label = f"Amdahl, serial {serial:.0%}"
    axes.plot(grid[measured], law[measured], color="C1", lw=1.2, label=label)
    axes.plot(grid[~measured], law[~measured], "--", color="C1", lw=1.2)


def _law(jobs: np.ndarray, serial: float, first: float) -> np.ndarray:
    """Speedup by Amdahl over that at the smallest N."""
    return (serial + (1 - serial) / first) / (serial + (1 - serial) / jobs)


def _efficiency(scaling: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for number, (stage, rows) in enumerate(scaling.groupby("stage", sort=False)):
        marker = _MARKERS[number % len(_MARKERS)]
        _points(axes, rows, "efficiency", f"C{number}", marker, str(stage))
    axes.axhline(1, ls=":", color="0.5")
    axes.set_ylim(0, None)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    if len(scaling):
        _label(axes, scaling["n_jobs"].to_numpy(float), "efficiency")
    return figure


def _label(axes: Any, jobs: np.ndarray, what: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(np.unique(jobs), [f"{n:.0f}" for n in np.unique(jobs)])
    axes.minorticks_off()
    axes.set(xlabel="jobs N", ylabel=what)
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    hollow = once.pop(_HOLLOW, None)
    if hollow is not None:  # last: it explains what the others look like
        once[_HOLLOW] = hollow
    axes.legend(once.values(), once.keys(), frameon=False, fontsize="x-small")


def _points(
    axes: Any, rows: pd.DataFrame, column: str, color: str, marker: str, label: str
) -> None:
    good = rows[rows["measurable"]]
    axes.plot(
        good["n_jobs"], good[column], f"{marker}-", color=color, label=label, zorder=2
    )
    for row in rows_of(rows[~rows["measurable"]]):
        axes.plot(
            row.n_jobs,
            getattr(row, column),
            marker,
            ls="none",
            color=color,
            mfc="none",
            label=_HOLLOW,
        )
