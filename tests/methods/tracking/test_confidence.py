"""Margins of links: by hand, and against truth on movies with confusable cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from cyto_kedro.methods.tracking import TRACKERS
from cyto_kedro.methods.tracking.confidence import link_margins
from cyto_kedro.methods.tracking.points import read_points


def test_margins_by_hand(make):
    """Two cells 10 um apart move by 2 um: the other one is 8 um away, or 12."""
    table = make([0, 0, 1, 1], [0.0, 10.0, 2.0, 12.0], np.zeros(4))
    points = read_points(table)
    source, target = np.array([0, 1]), np.array([2, 3])
    margin = link_margins(points, points.position_um, source, target)
    # 2 um against 8: the first target is 8 from the second source, and the second
    # source 8 from the first target.
    assert margin == pytest.approx([0.75, 0.75])
    known = link_margins(
        points, points.position_um + np.array([2.0, 0.0]), source, target
    )
    assert known == pytest.approx([1.0, 1.0])


def test_alone_is_certain_and_a_toss_up_is_not(make):
    alone = read_points(make([0, 1], [0.0, 30.0], [0.0, 0.0]))
    one, two = np.array([0]), np.array([1])
    assert link_margins(alone, alone.position_um, one, two) == pytest.approx([1.0])
    split = read_points(make([0, 1, 1], [5.0, 0.0, 10.0], np.zeros(3)))
    assert link_margins(split, split.position_um, one, two) == pytest.approx([0.0])


def test_gaps_are_compared_over_their_length(make):
    """Two frames at 3 um each: the expected place is 6 um away, and it is met."""
    points = read_points(make([0, 2, 2], [0.0, 6.0, 20.0], np.zeros(3)))
    ahead = points.position_um + np.array([3.0, 0.0])
    margin = link_margins(points, ahead, np.array([0]), np.array([1]))
    assert margin == pytest.approx([1.0])


def auc(score: pd.Series, bad: pd.Series) -> float:
    """How often a bad one scores lower than a good one."""
    u = mannwhitneyu(score[~bad], score[bad]).statistic
    return u / (bad.sum() * (~bad).sum())


@pytest.mark.parametrize("name", ["lap", "trackpy"])
def test_low_confidence_finds_wrong_links_and_tracks(name, make, field):
    """Crowded random walkers, 4 % of them missed in each frame; `mass` is the cell."""
    rng = np.random.default_rng(1)
    n_frames, n_cells = 30, 150
    steps = rng.normal(0, 5.0, (n_frames, n_cells, 2))
    steps[0] = rng.uniform(100, 600, (n_cells, 2))
    frame, cell = np.nonzero(rng.random((n_frames, n_cells)) >= 0.04)
    y, x = np.abs(steps.cumsum(axis=0)[frame, cell]).T
    tracker = TRACKERS[name]
    options = {"lap": {"splitting_max_distance_um": None}, "trackpy": {}}[name]
    tracks = tracker.track(
        make(frame, y, x, mass=cell + 1.0), field, tracker.options(name=name, **options)
    ).sort_values(["track_id", "frame"])
    linked = tracks["link_margin"].notna()
    wrong = linked & (tracks["mass"].diff() != 0)
    assert wrong.sum() > 50, "a movie without errors would show nothing"
    assert auc(tracks["link_margin"][linked], wrong[linked]) > 0.8
    by_track = tracks.assign(wrong=wrong).groupby("track_id")
    sure, bad = by_track["track_confidence"].first(), by_track["wrong"].any()
    assert auc(sure.dropna(), bad[sure.notna()]) > 0.7
    low = tracks["link_margin"] <= tracks["link_margin"].quantile(0.25)
    assert wrong[low].sum() > 0.7 * wrong.sum()
