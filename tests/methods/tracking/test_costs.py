"""Looks and overlap beside distance: they decide where places do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import DETECTIONS
from cyto_kedro.methods.tracking import TRACKERS, LapOptions


@pytest.fixture
def confusable(make) -> pd.DataFrame:
    """Random walkers whose step is half their spacing; each keeps its own look."""
    rng = np.random.default_rng(0)
    n_frames, n_cells = 20, 120
    steps = rng.normal(0, 8.0, (n_frames, n_cells, 2))
    steps[0] = rng.uniform(200, 500, (n_cells, 2))
    frame, cell = (grid.ravel() for grid in np.indices((n_frames, n_cells)))
    y, x = steps.cumsum(axis=0)[frame, cell].T
    look = np.exp(rng.normal(0, 0.5, (2, n_cells)))[:, cell]
    look *= np.exp(rng.normal(0, 0.05, look.shape))
    return make(frame, y, x, mass=cell + 1.0, area_um2=look[0] * 80, mean=look[1] * 500)


def share_right(table, field, **terms) -> float:
    options = LapOptions(cost_terms=terms, splitting_max_distance_um=None)
    tracks = TRACKERS["lap"].track(table, field, options)
    ordered = tracks.sort_values(["track_id", "frame"])
    linked = ordered["link_distance_um"].notna()
    return float((ordered["mass"].diff() == 0)[linked].mean())


def test_looks_tell_confusable_cells_apart(confusable, field):
    plain = share_right(confusable, field)
    area = share_right(confusable, field, area=1.0)
    both = share_right(confusable, field, area=1.0, intensity=1.0)
    assert plain < 0.8 < area - 0.05
    assert both > area + 0.01


def test_looks_that_say_nothing_do_little_harm(confusable, field):
    """Areas shuffled in every frame: their spread is learned to be what it is."""
    rng = np.random.default_rng(1)
    shuffled = confusable.assign(area_um2=rng.permutation(confusable["area_um2"]))
    plain = share_right(shuffled, field)
    assert share_right(shuffled, field, area=1.0) > plain - 0.05


def test_unknown_looks_cost_nothing(confusable, field):
    blank = confusable.assign(area_um2=np.nan)
    assert share_right(blank, field, area=1.0) == share_right(blank, field)


def test_overlap_tells_long_cells_apart(make, field):
    """Two rods side by side turn into each other's centroid; their masks do not."""
    n_frames, rng = 12, np.random.default_rng(0)
    frame, cell = (grid.ravel() for grid in np.indices((n_frames, 40)))
    row, column = 20 + 8 * (cell // 8), 30 + 50 * (cell % 8)
    shift = rng.integers(-1, 2, len(cell))
    labels = np.zeros((n_frames, 140, 440), np.uint32)
    where = []
    for t, k, y, x, dx in zip(frame, cell, row, column, shift, strict=True):
        labels[t, y : y + 6, x + dx : x + dx + 30] = k + 1
        where.append((y + 2.5, x + dx + 14.5))
    y, x = np.array(where).T
    # Centroids measured badly: they lie anywhere along the rod.
    table = make(
        frame, y, x + rng.normal(0, 9, len(x)), label=cell + 1, mass=cell + 1.0
    )

    def wrong(weight):
        options = LapOptions(
            cost_terms={"overlap": weight},
            linking_max_distance_um=40.0,
            gap_closing_max_distance_um=None,
            splitting_max_distance_um=None,
        )
        tracks = TRACKERS["lap"].track(table, field, options, labels)
        ordered = tracks.sort_values(["track_id", "frame"])
        linked = ordered["link_distance_um"].notna()
        return int((ordered["mass"].diff() != 0)[linked].sum())

    assert wrong(0.0) > 20
    assert wrong(1.0) < wrong(0.0) / 5


def test_what_is_missing_is_named(make, field):
    table = make([0, 1], [5.0, 5.0], [5.0, 5.0])
    with pytest.raises(InputError, match="no masks"):
        TRACKERS["lap"].track(table, field, LapOptions(cost_terms={"overlap": 1.0}))
    bare = table.drop(columns="mean").assign(mean="bright")
    with pytest.raises(InputError, match="no numeric column 'mean'"):
        TRACKERS["lap"].track(bare, field, LapOptions(cost_terms={"intensity": 1.0}))


def test_no_cells(field):
    options = LapOptions(cost_terms={"area": 1.0, "intensity": 1.0, "overlap": 1.0})
    labels = np.zeros((3, 20, 20), np.uint32)
    assert len(TRACKERS["lap"].track(DETECTIONS.empty(), field, options, labels)) == 0
