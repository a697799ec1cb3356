"""What a benchmark found, in words and tables: `scaling_analysis.md`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.methods.scaling.times import rows_of

_MIB = 2**20
# Columns of TIMED with their head and what a figure is divided by.
_COSTS = {
    "queue_s": ("queue (s)", 1, ".2f"),
    "startup_s": ("start-up (s)", 1, ".2f"),
    "load_s": ("load (s)", 1, ".2f"),
    "compute_s": ("compute (s)", 1, ".2f"),
    "save_s": ("save (s)", 1, ".2f"),
    "cpu_s": ("CPU (s)", 1, ".2f"),
    "peak_memory_mib": ("memory (MiB)", 1, ".0f"),
    "read_bytes": ("read (MiB)", _MIB, ".1f"),
    "written_bytes": ("written (MiB)", _MIB, ".1f"),
}
_EXPLAINED = """\
*Net* time is the work: without waiting in the queue, starting Python and loading
libraries and models, which *wall* time has in it. Speedup and efficiency are of net
times. Where N jobs could not run side by side the figure is in brackets: it says
nothing about N jobs. The verdict allows for the noise between repetitions; *strictly*
does not."""


def analysis_text(
    scaling: pd.DataFrame,
    fits: pd.DataFrame,
    timed: pd.DataFrame,
    report: dict[str, Any],
) -> str:
    """The page: the verdict, then each stage.

    Args:
        scaling: Table SCALING.
        fits: Table FITS.
        timed: Table TIMED.
        report: The acceptance report.
    """
    hardware = report["hardware"]
    lines = [
        f"# Scaling, run {report['run_id']}",
        "",
        f"Verdict: **{_said(report['banded'])}** (strictly: "
        f"{_said(report['strict'])}), on {hardware['processor']}, "
        f"{hardware['cpus']} CPUs.",
        "",
        *_grid(
            ["stage", "verdict", "strictly", "why"],
            [
                [stage, _said(entry["banded"]), _said(entry["strict"]), _why(entry)]
                for stage, entry in report["stages"].items()
            ],
        ),
        "",
        _EXPLAINED,
        "",
        "![Efficiency](figures/efficiency.svg)",
    ]
    for stage, entry in report["stages"].items():
        lines += ["", f"## {stage}", ""]
        rows = scaling[scaling["stage"] == stage].sort_values("n_jobs")
        trials = timed[timed["stage"] == stage]
        if len(trials):
            fit = fits[fits["stage"] == stage].iloc[0]
            lines += [*_measured(rows, trials, fit, report["rules"]), ""]
        lines += _grid(
            ["check", "verdict", "strictly", "because"],
            [
                [name, _said(check["banded"]), _said(check["strict"]), check["reason"]]
                for name, check in entry["checks"].items()
            ],
        )
    return "\n".join(lines) + "\n"


def _measured(
    rows: pd.DataFrame, trials: pd.DataFrame, fit: pd.Series, rules: dict[str, Any]
) -> list[str]:
    first = trials.iloc[0]
    device = f" on {first['device']}" if isinstance(first["device"], str) else ""
    return [
        f"Methods: {first['method']}{device}. Backend: {first['backend']}. "
        f"{first['total_frames']} frames of {first['movies']} movies.",
        "",
        f"![Speedup of {first['stage']}](figures/speedup_{first['stage']}.svg)",
        "",
        *_speedups(rows),
        "",
        "Medians over the repetitions. Load, compute, save, CPU and bytes are summed "
        "over all jobs; queue and start-up are those of the slowest job, memory is of "
        "the largest unit.",
        "",
        *_costs(trials),
        "",
        fit_text(fit, rules["confidence"]),
    ]


def _speedups(rows: pd.DataFrame) -> list[str]:
    head = ["N", "repetitions", "wall (s)", "net (s)", "spread", "speedup"]
    table = []
    for row in rows_of(rows):
        ratio = [f"{row.speedup:.2f}", f"{row.efficiency:.0%}"]
        if not row.measurable:
            ratio = [f"({text})" for text in ratio]
        spread = f"{row.relative_sd:.0%}" if np.isfinite(row.relative_sd) else "-"
        note = "" if row.measurable else f"not measurable here: {row.note}"
        seconds = [f"{row.wall_s:.2f}", f"{row.net_s:.2f}"]
        table.append(
            [str(row.n_jobs), str(row.replicates), *seconds, spread, *ratio, note]
        )
    return _grid([*head, "efficiency", ""], table)


def _costs(trials: pd.DataFrame) -> list[str]:
    medians = trials.groupby("n_jobs")[list(_COSTS)].median()
    table = []
    for n_jobs, values in medians.iterrows():
        cells = [
            f"{values[name] / unit:{form}}" if np.isfinite(values[name]) else "-"
            for name, (_, unit, form) in _COSTS.items()
        ]
        table.append([str(n_jobs), *cells])
    return _grid(["N", *(head for head, _, _ in _COSTS.values())], table)


def fit_text(fit: pd.Series, confidence: float) -> str:
    """What the fit says, and what it does not.

    Args:
        fit: Row of FITS.
        confidence: Of its interval, 0 to 1.
    """
    serial = fit["serial_fraction"]
    if not np.isfinite(serial):
        return (
            f"Amdahl and Gustafson: too few measurable trials ({fit['points']}) to fit."
        )
    low, high = fit["serial_ci_low"], fit["serial_ci_high"]
    told = (
        f"Amdahl: serial fraction {serial:.3f} "
        f"({confidence:.0%} interval {low:.3f} to {high:.3f})"
    )
    if low <= 0 and high >= 1:
        return f"{told}: these trials do not tell it, any value from 0 to 1 fits them."
    if serial >= 1:
        return f"{told}: more jobs are not faster."
    gustafson = (
        f"Gustafson at N = {fit['at_jobs']:.0f}: {fit['scaled_speedup']:.2f} times the "
        "work in the same time."
    )
    if serial <= 0:
        return f"{told}: no limit is seen. {gustafson}"
    least = f"{1 / high:.1f}" if high < 1 else "1"
    most = f"{1 / low:.1f}" if low > 0 else "no limit"
    return (
        f"{told}: at most {fit['max_speedup']:.1f} times faster ({least} to {most}). "
        f"{gustafson}"
    )


def _why(entry: dict[str, Any]) -> str:
    """What keeps a stage from passing: failures before open questions."""
    checks = entry["checks"]
    for verdict in ("fail", "not_judged"):
        found = [
            f"{name}: {check['reason']}"
            for name, check in checks.items()
            if check["banded"] == verdict
        ]
        if found:
            return "; ".join(found)
    return "all checks pass"


def _said(verdict: str) -> str:
    return verdict.replace("_", " ")


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    ]
