"""The sparse assignment against the full augmented matrix, solved densely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from cyto_kedro.methods.tracking import assignment
from cyto_kedro.methods.tracking.assignment import best_links


def jaqaman_links(cost: np.ndarray, alone: float) -> float:
    """Total cost of links by Jaqaman's (n + m) x (n + m) matrix; inf = forbidden."""
    n, m = cost.shape
    huge = 1e6
    full = np.full((n + m, n + m), huge)
    full[:n, :m] = np.where(np.isfinite(cost), cost, huge)
    full[:n, m:][np.eye(n, dtype=bool)] = alone
    full[n:, :m][np.eye(m, dtype=bool)] = alone
    lowest = cost[np.isfinite(cost)].min(initial=alone)
    full[n:, m:] = np.where(np.isfinite(cost.T), lowest, huge)
    row, column = linear_sum_assignment(full)
    return full[row, column].sum()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000), st.booleans())
def test_optimum_of_the_augmented_matrix(n, m, seed, small_batches):
    rng = np.random.default_rng(seed)
    cost = np.where(rng.random((n, m)) < 0.4, rng.uniform(0, 10, (n, m)), np.inf)
    alone = rng.uniform(2, 12)
    source, target = np.nonzero(np.isfinite(cost))
    value = cost[source, target]
    lowest = value.min(initial=alone)
    batch = assignment._BATCH
    assignment._BATCH = 3 if small_batches else batch
    try:
        chosen = best_links(source, target, 2 * alone - lowest - value)
    finally:
        assignment._BATCH = batch
    assert len(np.unique(source[chosen])) == len(np.unique(target[chosen]))
    assert len(np.unique(source[chosen])) == len(chosen)
    ours = value[chosen].sum() + len(chosen) * lowest
    ours += (n + m - 2 * len(chosen)) * alone
    assert ours == pytest.approx(jaqaman_links(cost, alone))


def test_nothing_worth_linking():
    none = np.empty(0, dtype=int)
    assert len(best_links(none, none, np.empty(0))) == 0
    assert len(best_links(np.array([0]), np.array([0]), np.array([-1.0]))) == 0


def test_free_links_are_taken():
    """A gain that equals the best of its source is a weight of zero inside."""
    source, target = np.array([0, 0, 1]), np.array([0, 1, 0])
    assert best_links(source, target, np.array([1.0, 1.0, 1.0])).tolist() == [1, 2]
