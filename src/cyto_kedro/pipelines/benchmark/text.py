"""What a benchmark found, in figures and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cyto_kedro.methods.scaling.times import rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scaling_figures(scaling: pd.DataFrame, fits: pd.DataFrame) -> dict[str, Figure]:
    """`speedup_<stage>` and `efficiency`: hollow points are not measurable here."""
    from matplotlib.figure import Figure

    figures = {}
    for stage, rows in scaling.groupby("stage", sort=False):
        figure = Figure(figsize=(4, 3.2), layout="constrained")
        axes = figure.add_subplot()
        jobs = rows["n_jobs"].to_numpy(float)
        axes.plot(jobs, jobs / jobs.min(), ":", color="0.6", label="linear")
        _points(axes, rows, "speedup", "C0")
        serial = fits.loc[fits["stage"] == stage, "serial_fraction"].iloc[0]
        if np.isfinite(serial):
            grid = np.linspace(jobs.min(), jobs.max(), 100)
            time = (serial + (1 - serial) / grid) / (serial + (1 - serial) / jobs.min())
            label = f"Amdahl, serial {serial:.0%}"
            axes.plot(grid, 1 / time, color="C1", lw=1, label=label)
        axes.set(xlabel="jobs N", ylabel="speedup", title=str(stage))
        axes.legend(frameon=False, fontsize="small")
        figures[f"speedup_{stage}"] = figure
    figures["efficiency"] = _efficiency(scaling)
    return figures


def _efficiency(scaling: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (stage, rows) in enumerate(scaling.groupby("stage", sort=False)):
        _points(axes, rows, "efficiency", f"C{number}", str(stage))
    axes.axhline(1, ls=":", color="0.6")
    axes.set(xlabel="jobs N", ylabel="efficiency", ylim=(0, None))
    if len(scaling):
        axes.legend(frameon=False, fontsize="small")
    return figure


def _points(
    axes: Any, rows: pd.DataFrame, column: str, color: str, label: str = "measured"
) -> None:
    good = rows["measurable"]
    axes.plot(rows["n_jobs"][good], rows[column][good], "o-", color=color, label=label)
    axes.plot(rows["n_jobs"][~good], rows[column][~good], "o", color=color, mfc="none")


def analysis_text(
    scaling: pd.DataFrame,
    fits: pd.DataFrame,
    timed: pd.DataFrame,
    report: dict[str, Any],
) -> str:
    """`scaling_analysis.md`."""
    lines = [
        f"# Scaling, run {report['run_id']}",
        "",
        f"Verdict: **{report['banded']}** (allowing for the noise between repetitions; "
        f"strictly: {report['strict']}).",
        "",
        "Net time leaves out waiting in the queue and starting Python, wall time has "
        "them in. Speedup and efficiency are of net times. Where N jobs could not run "
        "side by side the figure is in brackets: it says nothing about N jobs.",
    ]
    for stage, entry in report["stages"].items():
        rows = scaling[scaling["stage"] == stage]
        lines += [
            "",
            f"## {stage}: {entry['banded']} (strictly: {entry['strict']})",
            "",
        ]
        trials = timed[timed["stage"] == stage]
        if len(trials):
            first = trials.iloc[0]
            lines += [
                f"Methods: {first['method']}. Backend: {first['backend']}. "
                f"{first['total_frames']} frames of {first['movies']} movies.",
                "",
                *_table(rows, trials),
                "",
                _fit(fits[fits["stage"] == stage].iloc[0]),
                "",
            ]
        for name, check in entry["checks"].items():
            lines.append(
                f"- {name}: {check['banded']} (strictly: {check['strict']}): "
                f"{check['reason']}"
            )
    return "\n".join(lines) + "\n"


def _table(rows: pd.DataFrame, trials: pd.DataFrame) -> list[str]:
    peaks = trials.groupby("n_jobs")[
        ["queue_s", "startup_s", "cpu_s", "peak_memory_mib"]
    ].median()
    lines = [
        "| N | repetitions | wall (s) | net (s) | queue (s) | start-up (s) | CPU (s) "
        "| memory (MiB) | speedup | efficiency | |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows_of(rows):
        more = peaks.loc[row.n_jobs]
        ratio = [f"{row.speedup:.2f}", f"{row.efficiency:.0%}"]
        if not row.measurable:
            ratio = [f"({text})" for text in ratio]
        lines.append(
            f"| {row.n_jobs} | {row.replicates} | {row.wall_s:.2f} | {row.net_s:.2f} "
            f"| {more.queue_s:.2f} | {more.startup_s:.2f} | {more.cpu_s:.2f} "
            f"| {more.peak_memory_mib:.0f} | {ratio[0]} | {ratio[1]} "
            f"| {'' if row.measurable else 'not measurable here: ' + str(row.note)} |"
        )
    return lines


def _fit(fit: pd.Series) -> str:
    if not np.isfinite(fit["serial_fraction"]):
        return (
            f"Amdahl and Gustafson: too few measurable trials ({fit['points']}) to fit."
        )
    limit = fit["max_speedup"]
    most = f"at most {limit:.1f} times faster"
    if not np.isfinite(limit):
        slower = fit["serial_fraction"] >= 1
        most = "more jobs are not faster" if slower else "no limit seen"
    return (
        f"Amdahl: serial fraction {fit['serial_fraction']:.3f} "
        f"({fit['serial_ci_low']:.3f} to {fit['serial_ci_high']:.3f}), {most}. "
        f"Gustafson at N = {fit['at_jobs']:.0f}: {fit['scaled_speedup']:.2f} times the "
        "work in the same time."
    )
