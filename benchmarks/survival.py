"""Survival against lifelines, the 1000-fold bootstrap, and how often intervals hold.

Times are medians of one process, all rows in turns; the ratio is peer / ours. The
second table plays experiments of wells that differ, with a known difference between
two conditions, and counts how often 95 % intervals hold it and how often p <= 0.05
where there is no difference.

    python benchmarks/survival.py [--experiments 1000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from cyto_kedro.methods.killing.competing import aalen_johansen
from cyto_kedro.methods.killing.groups import bootstrap_survival, restricted_means
from cyto_kedro.methods.killing.inference import Sample, resampled_effects
from cyto_kedro.methods.killing.permutation import permutation_test
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier

N_FRAMES, INTERVAL_MIN = 300, 2.0


def make_cells(n: int, random: np.random.Generator) -> tuple[Subjects, np.ndarray]:
    """Cells of a movie that die, leave or stay, a third of them seen late."""
    die, leave = random.exponential(400.0, n), random.exponential(800.0, n)
    entry = np.where(random.random(n) < 0.3, random.uniform(0, 200, n), 0.0)
    end = np.minimum(np.minimum(die, leave), N_FRAMES * INTERVAL_MIN - entry)
    cause = np.where(end == die, 1, np.where(end == leave, 2, 0))
    last = INTERVAL_MIN * np.ceil((entry + end) / INTERVAL_MIN)
    return Subjects(entry, last, cause == 1), cause


def bootstrap(cells: Subjects, cluster: np.ndarray) -> np.ndarray:
    """Mean survival times of 1000 resamples."""
    times, curves = bootstrap_survival(cells, cluster, 1000, seed=1)
    return restricted_means(times, curves, 500.0)


def timed(work: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each piece of work, done in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, do in work.items():
            start = time.perf_counter()
            do()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def speed(n: int, repeats: int) -> None:
    """Print the times of one and of a thousand estimates."""
    random = np.random.default_rng(0)
    cells, cause = make_cells(n, random)
    untied = Subjects(cells.entry, cells.exit + random.uniform(0, 1, n), cells.died)
    wells = np.arange(n) % 6
    seen = timed(
        {
            "km": lambda: kaplan_meier(cells),
            "km lifelines": lambda: KaplanMeierFitter().fit(
                cells.exit, cells.died, entry=cells.entry
            ),
            "aj": lambda: aalen_johansen(untied, cause, 2),
            "aj lifelines": lambda: AalenJohansenFitter().fit(
                untied.exit, cause, event_of_interest=1, entry=untied.entry
            ),
            "wells": lambda: bootstrap(cells, wells),
            "cells": lambda: bootstrap(cells, np.arange(n)),
        },
        repeats,
    )
    print(f"{n} cells, {N_FRAMES} frames")
    for name, label in (("km", "Kaplan-Meier"), ("aj", "Aalen-Johansen")):
        ratio = seen[f"{name} lifelines"] / seen[name]
        print(f"  {label:24} {1e3 * seen[name]:8.2f} ms  lifelines / ours {ratio:6.1f}")
    for name in ("wells", "cells"):
        print(f"  1000 resamples of {name:6} {1e3 * seen[name]:8.1f} ms")


def coverage(experiments: int) -> None:
    """Print how often intervals hold a known difference, and false alarms."""
    print("wells  donors  difference held  Hodges-Lehmann held  false alarms")
    for n_wells, n_donors in ((3, 1), (5, 1), (3, 3), (1, 4), (1, 6)):
        random = np.random.default_rng(n_wells + 10 * n_donors)
        stratum = np.repeat(np.arange(n_donors), n_wells)
        both, in_b = np.tile(stratum, 2), np.repeat([False, True], len(stratum))
        paired = n_wells == 1
        held, alarms = np.zeros(2), 0
        for trial in range(experiments):
            donors = random.normal(0, 3, n_donors)[both]
            value = donors + random.normal(0, 1, len(both)) + 1.0 * in_b
            found = Sample(value, in_b, both, paired)
            held += [
                e.low <= 1 <= e.high for e in resampled_effects(found, 0.95, 500, trial)
            ]
            none = Sample(value - 1.0 * in_b, in_b, both, paired)
            alarms += permutation_test(none, 999, trial)[0] <= 0.05
        shares = held / experiments
        print(
            f"{n_wells:5}  {n_donors:6}  {shares[0]:15.3f}  {shares[1]:19.3f}  "
            f"{alarms / experiments:12.3f}"
        )


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--experiments", type=int, default=500)
    options = parser.parse_args()
    speed(options.cells, options.repeats)
    coverage(options.experiments)


if __name__ == "__main__":
    main()
