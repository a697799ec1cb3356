"""Permutation of units between groups, and correction for many tests."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from math import comb, prod

import numpy as np
import pandas as pd

from cyto_kedro.methods.killing.inference import Sample, mean_difference


def permutation_test(
    sample: Sample, n_permutations: int, seed: int
) -> tuple[float, float]:
    """Two-sided p-value of the mean difference, and the least that is possible.

    Labels are permuted over the units of each stratum: all ways if there are no more
    than ``n_permutations``, else random ones beside the observed.
    """
    levels = [np.flatnonzero(sample.stratum == s) for s in np.unique(sample.stratum)]
    sizes = [int(sample.in_b[own].sum()) for own in levels]
    ways = prod(comb(len(o), k) for o, k in zip(levels, sizes, strict=True))
    exact = ways <= n_permutations
    if exact:
        labels = _all_labels(levels, sizes, len(sample.value))
    else:
        labels = _random_labels(sample, n_permutations, seed)
    found = abs(mean_difference(sample))
    spread = np.abs(_differences(labels, sample.value, levels))
    tolerance = 1e-9 * max(1.0, float(np.abs(sample.value).max()))
    as_extreme = int((spread >= found - tolerance).sum())
    # With one and the same number on both sides the opposite labels are as extreme.
    mirrored = all(2 * k == len(o) for o, k in zip(levels, sizes, strict=True))
    least = (2 if mirrored and ways > 1 else 1) / ways
    if exact:
        return as_extreme / ways, least
    return (1 + as_extreme) / (1 + n_permutations), max(least, 1 / (1 + n_permutations))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction; NaN are no tests (Holm 1979)."""

    def step_down(p: np.ndarray, n: int) -> np.ndarray:
        return np.maximum.accumulate(p * np.arange(n, 0, -1))

    return _stepwise(p_values, step_down)


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Step-up correction for the false discovery rate (Benjamini & Hochberg 1995)."""

    def step_up(p: np.ndarray, n: int) -> np.ndarray:
        return np.minimum.accumulate((p * n / np.arange(1, n + 1))[::-1])[::-1]

    return _stepwise(p_values, step_up)


def with_corrected(table: pd.DataFrame, family: np.ndarray) -> pd.DataFrame:
    """``table`` with ``p_value`` corrected within families of rows.

    Args:
        table: Column ``p_value``, NaN where there was no test.
        family: (rows,) number of each row's family.

    Returns:
        The table with ``p_holm``, ``p_bh`` and ``n_tests``.
    """
    p_values = table["p_value"].to_numpy(np.float64)
    strict, loose = np.full(len(table), np.nan), np.full(len(table), np.nan)
    tests = np.zeros(len(table), dtype=np.int64)
    for number in np.unique(family):
        own = family == number
        strict[own], loose[own] = holm(p_values[own]), benjamini_hochberg(p_values[own])
        tests[own] = int(np.isfinite(p_values[own]).sum())
    return table.assign(p_holm=strict, p_bh=loose, n_tests=tests)


def _stepwise(
    p_values: np.ndarray, correct: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    out = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    if len(order):
        out[order] = np.minimum(correct(p_values[order], len(order)), 1.0)
    return out


def _all_labels(levels: list[np.ndarray], sizes: list[int], n: int) -> np.ndarray:
    choices = [list(combinations(o, k)) for o, k in zip(levels, sizes, strict=True)]
    rows = list(product(*choices))
    labels = np.zeros((len(rows), n), dtype=bool)
    for row, chosen in enumerate(rows):
        labels[row, np.concatenate([np.array(c, dtype=np.int64) for c in chosen])] = (
            True
        )
    return labels


def _random_labels(sample: Sample, n_permutations: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rank = np.unique(sample.stratum, return_inverse=True)[1]
    keys = random.random((n_permutations, len(rank))) + rank
    slots = np.argsort(rank, kind="stable")
    labels = np.empty(keys.shape, dtype=bool)
    labels[:, slots] = sample.in_b[np.argsort(keys, axis=1)]
    return labels


def _differences(
    labels: np.ndarray, value: np.ndarray, levels: list[np.ndarray]
) -> np.ndarray:
    total = np.zeros(len(labels))
    for own in levels:
        b = labels[:, own]
        v = value[own]
        total += (b @ v) / b.sum(axis=1) - (~b @ v) / (~b).sum(axis=1)
    return total / len(levels)
