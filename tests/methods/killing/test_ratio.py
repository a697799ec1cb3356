"""Effectors per target, counted by hand and frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from cyto_kedro.core.schemas import ET_RATIO
from cyto_kedro.methods.killing.ratio import count_at_start, ratio_table
from methods.killing.experiments import cells


def _alive(table, time):
    """Cells in view at ``time`` that have not died, one by one."""
    count = 0
    for row in table.itertuples():
        dead = row.reason == "dead_at_entry" or row.death_time_min <= time
        count += row.entry_min <= time <= row.exit_min and not dead
    return count


@pytest.mark.parametrize("seed", range(3))
def test_only_living_cells_in_view_count(seed):
    random = np.random.default_rng(seed)
    targets = cells(random, 40, 0.5, 0.4, late=0.4)
    effectors = cells(random, 25, 0.05, 0.6, role="tcell", late=0.5)
    targets.loc[:4, ["reason", "censored"]] = ["dead_at_entry", True]
    table = ratio_table({"m": effectors}, {"m": targets}, "tcell", "cancer")
    ET_RATIO.validate(table)
    for row in table.itertuples():
        assert row.n_effectors == _alive(effectors, row.time_min)
        assert row.n_targets == _alive(targets, row.time_min)
    whole = table[table["n_targets"] > 0]
    expected = whole["n_effectors"] / whole["n_targets"]
    np.testing.assert_allclose(whole["et_ratio"], expected)
    assert count_at_start(targets) == table["n_targets"].iloc[0]


def test_without_targets_the_ratio_is_undefined():
    random = np.random.default_rng(0)
    some, none = cells(random, 3, 0.0), cells(random, 0, 0.0)
    table = ratio_table({"m": some}, {"m": none}, "tcell", "cancer")
    assert len(table) and table["et_ratio"].isna().all()
    assert ET_RATIO.validate(ratio_table({"m": none}, {"m": none}, "t", "c")).empty
