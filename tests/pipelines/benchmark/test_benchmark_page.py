"""What an operator sees of a benchmark: figures and `scaling_analysis.md`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.scaling import TIMED
from cyto_kedro.methods.scaling import Rules, fit_scaling, judge, scaling_of
from cyto_kedro.pipelines.benchmark.figures import scaling_figures
from cyto_kedro.pipelines.benchmark.text import analysis_text, fit_text

HARDWARE = {"processor": "Some CPU", "cpus": 4}
NOISE = (0.99, 1.0, 1.01)


def timed(serial: float, granted: int = 4, stage: str = "cellpose") -> pd.DataFrame:
    """Trials of Amdahl's law with a little noise, 100 s at N = 1."""
    rows = [
        dict.fromkeys(TIMED.columns, np.nan)
        | {
            "stage": stage,
            "n_jobs": n_jobs,
            "replicate": number,
            "method": "tcell: classical",
            "backend": "local",
            "gpu": False,
            "device": None,
            "movies": 1,
            "total_frames": 80,
            "widest_phase": 8,
            "granted": granted,
            "outputs_expected": 3,
            "outputs_found": 3,
            "results_sha256": "same",
            "failed": 0,
            "wall_s": 130.0,
            "net_s": 100 * (serial + (1 - serial) / n_jobs) * noise,
            "queue_s": 11.0,
            "startup_s": 12.0,
            "load_s": 13.0,
            "compute_s": 14.0,
            "save_s": 15.0,
            "cpu_s": 16.0,
            "peak_memory_mib": 17.0,
            "read_bytes": 18 * 2**20,
            "written_bytes": 19 * 2**20,
            "at_a_time": n_jobs,
        }
        for n_jobs in (1, 2, 4, 8)
        for number, noise in enumerate(NOISE, start=1)
    ]
    return TIMED.conform(pd.DataFrame(rows))


def page_of(trials: pd.DataFrame) -> tuple[dict[str, Any], str]:
    """Figures and text."""
    scaling = scaling_of(trials)
    fits = fit_scaling(trials, scaling)
    rules = Rules(expected_jobs=(1, 2, 4, 8))
    report = judge(trials, scaling, {}, HARDWARE, rules, ["cellpose"])
    report |= {"run_id": "20260315T111551Z", "rules": {"confidence": 0.95}}
    figures = scaling_figures(scaling, fits, trials)
    return figures, analysis_text(scaling, fits, trials, report)


def test_the_page_begins_with_the_verdict_and_its_reasons() -> None:
    text = page_of(timed(0.1))[1]
    head = text.partition("## cellpose")[0]
    assert "Verdict: **not judged**" in head
    assert "Some CPU, 4 CPUs" in head
    assert "| cellpose | not judged | not judged | speedup: it never falls" in head
    assert "wall_time: no reference run is given" in head


def test_every_figure_of_a_trial_is_in_the_tables() -> None:
    text = page_of(timed(0.1))[1]
    costs = "11.00 | 12.00 | 13.00 | 14.00 | 15.00 | 16.00 | 17 | 18.0 | 19.0"
    assert text.count(costs) == 4
    assert "| 2 | 3 | 130.00 | 55.00 | 1% | 1.82 | 91% |" in text
    assert "(5.33) |" not in text  # speedup at 8 is 100 / 21.25
    assert "(4.71) | (59%) | not measurable here: 8 jobs share 4 cores" in text
    assert "![Speedup of cellpose](figures/speedup_cellpose.svg)" in text


def test_tables_are_whole() -> None:
    blocks: list[list[int]] = [[]]
    for line in page_of(timed(0.1))[1].splitlines():
        if line.startswith("|"):
            blocks[-1].append(line.count("|"))
        elif blocks[-1]:
            blocks.append([])
    assert len([block for block in blocks if block]) == 4
    assert all(len(set(block)) <= 1 for block in blocks)


@pytest.mark.parametrize(
    ("serial", "low", "high", "told"),
    [
        (0.2, 0.1, 0.25, r"at most 5.0 times faster (4.0 to 10.0)"),
        (0.2, -0.1, 0.25, r"at most 5.0 times faster (4.0 to no limit)"),
        (0.5, -0.3, 1.4, "any value from 0 to 1 fits"),
        (1.2, 0.9, 1.5, "more jobs are not faster"),
        (-0.1, -0.2, 0.1, "no limit is seen"),
    ],
)
def test_the_fit_says_no_more_than_it_knows(serial, low, high, told) -> None:
    fit = {
        "serial_fraction": serial,
        "serial_ci_low": low,
        "serial_ci_high": high,
        "max_speedup": 1 / serial,
        "scaled_speedup": 3.0,
        "at_jobs": 4.0,
        "points": 6,
    }
    assert told in fit_text(pd.Series(fit), 0.95)


def test_points_of_a_figure_are_what_was_measured() -> None:
    axes = page_of(timed(0.1))[0]["speedup_cellpose"].axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["median"].get_xdata()) == [1, 2, 4]
    np.testing.assert_allclose(lines["median"].get_ydata(), [1, 1 / 0.55, 1 / 0.325])
    assert list(lines["not measurable here"].get_xdata()) == [8]
    assert lines["not measurable here"].get_markerfacecolor() == "none"
    dots = lines["each repetition"].get_ydata()
    np.testing.assert_allclose(sorted(dots)[:3], [1 / 1.01, 1, 1 / 0.99])
    law = lines["Amdahl, serial 10%"]
    assert law.get_xdata().max() <= 4  # solid only where it was measured
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend[-1] == "not measurable here"


def test_a_law_that_does_not_hold_is_not_drawn() -> None:
    trials = timed(1.4)  # slower with every job
    labels = [
        line.get_label()
        for line in page_of(trials)[0]["speedup_cellpose"].axes[0].get_lines()
    ]
    assert not [label for label in labels if "Amdahl" in str(label)]
