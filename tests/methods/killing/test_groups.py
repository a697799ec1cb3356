"""Comparing groups: log-rank, permutation of movies, bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines.statistics import multivariate_logrank_test

from cyto_kedro.methods.killing.groups import (
    bootstrap_survival,
    log_rank,
    movie_permutation_test,
    restricted_means,
)
from cyto_kedro.methods.killing.survival import (
    Subjects,
    kaplan_meier,
    restricted_mean,
)


def _cells(seed, n, rate=0.03, late=False):
    random = np.random.default_rng(seed)
    entry = random.integers(0, 15, n) * 2.0 if late else np.zeros(n)
    death = entry + 2.0 * random.geometric(np.broadcast_to(rate, n))
    lost = entry + 2.0 * random.geometric(0.01, n)
    end = np.minimum(np.minimum(death, lost), 120.0)
    return Subjects(entry, end, (death <= lost) & (death <= 120.0))


@pytest.mark.parametrize("n_groups", [2, 3, 5])
def test_log_rank_equals_lifelines(n_groups):
    for seed in range(4):
        group = np.random.default_rng(seed).integers(0, n_groups, 200)
        cells = _cells(seed, 200, 0.02 + 0.01 * group)
        theirs = multivariate_logrank_test(cells.exit, group, cells.died)
        ours = log_rank(cells, group)
        assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)
        assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-9)
        assert ours.dof == n_groups - 1
        assert ours.expected.sum() == pytest.approx(ours.observed.sum())


def _mantel(cells, group, strata):
    """Two groups: Mantel's sum over the 2 x 2 table of each death time and stratum."""
    gap = variance = 0.0
    for level in np.unique(strata):
        for t in np.unique(cells.exit[cells.died & (strata == level)]):
            risk = (cells.entry < t) & (cells.exit >= t) & (strata == level)
            n, n1 = risk.sum(), (risk & (group == 1)).sum()
            dead = risk & cells.died & (cells.exit == t)
            d, d1 = dead.sum(), (dead & (group == 1)).sum()
            gap += d1 - d * n1 / n
            if n > 1:
                variance += d * (n - d) * n1 * (n - n1) / (n**2 * (n - 1))
    return gap**2 / variance


@pytest.mark.parametrize("seed", range(4))
def test_log_rank_with_delayed_entry_and_strata_equals_the_textbook_sum(seed):
    random = np.random.default_rng(seed)
    group, strata = random.integers(0, 2, 150), random.integers(0, 3, 150)
    cells = _cells(seed, 150, 0.02 + 0.02 * strata, late=True)
    ours = log_rank(cells, group, strata)
    assert ours.statistic == pytest.approx(_mantel(cells, group, strata), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_stratified_log_rank_equals_statsmodels(seed):
    duration = pytest.importorskip("statsmodels.duration.api")
    random = np.random.default_rng(seed)
    group, strata = random.integers(0, 3, 200), random.integers(0, 4, 200)
    cells = _cells(seed, 200, 0.02 + 0.01 * strata)
    statistic, p_value = duration.survdiff(
        cells.exit, cells.died.astype(int), group, strata=strata
    )
    ours = log_rank(cells, group, strata)
    assert ours.statistic == pytest.approx(statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_with_late_entry_it_is_the_score_test_of_a_stratified_cox_model(seed):
    """Equal where no two deaths coincide; statsmodels' model, at no effect."""
    duration = pytest.importorskip("statsmodels.duration.hazard_regression")
    random = np.random.default_rng(seed)
    group, strata = random.integers(0, 2, 150), random.integers(0, 3, 150)
    cells = _cells(seed, 150, 0.02 + 0.02 * group, late=True)
    cells = Subjects(cells.entry, cells.exit + random.random(150), cells.died)
    model = duration.PHReg(
        cells.exit,
        group[:, None].astype(float),
        status=cells.died.astype(int),
        entry=cells.entry,
        strata=strata,
    )
    none = np.zeros(1)
    score, information = model.score(none)[0], -model.hessian(none)[0, 0]
    ours = log_rank(cells, group, strata)
    assert ours.statistic == pytest.approx(score**2 / information, rel=1e-6)


def test_nothing_to_compare_is_undefined():
    cells = _cells(0, 20)
    assert np.isnan(log_rank(cells, np.zeros(20, int)).p_value)
    alive = Subjects(cells.entry, cells.exit, np.zeros(20, bool))
    assert np.isnan(log_rank(alive, np.arange(20) % 2).p_value)


def _experiment(seed, well_spread, effect):
    """Four wells against four, with hazards that also differ between wells."""
    random = np.random.default_rng(seed)
    movie = np.repeat(np.arange(8), 40)
    group = np.arange(8) % 2
    rate = 0.03 * np.exp(random.normal(0, well_spread, 8) + effect * group)
    cells = _cells(seed + 10**6, 320, np.clip(rate, 0.001, 0.9)[movie])
    return cells, movie, group


def test_wells_that_differ_anyway_fool_the_cell_level_test_only():
    stratum = np.zeros(8, int)
    by_cell, by_movie = [], []
    for seed in range(60):
        cells, movie, group = _experiment(seed, well_spread=0.6, effect=0.0)
        by_cell.append(log_rank(cells, group[movie]).p_value < 0.05)
        p = movie_permutation_test(cells, movie, group, stratum, 199, 1)
        by_movie.append(p < 0.05)
    assert np.mean(by_cell) > 0.25
    assert np.mean(by_movie) < 0.13


def test_a_real_difference_shows_between_movies_and_few_movies_prove_little():
    cells, movie, group = _experiment(0, well_spread=0.05, effect=1.5)
    stratum = np.zeros(8, int)
    p = movie_permutation_test(cells, movie, group, stratum, 9999, 1)
    # Of the 70 ways to choose 4 of 8 wells, 2 are as extreme.
    assert p == pytest.approx(2 / 70, abs=0.01)
    few = np.isin(movie, [0, 1, 2, 3])
    p = movie_permutation_test(cells[few], movie[few], group[:4], stratum[:4], 9999, 1)
    assert p == pytest.approx(1 / 3, abs=0.03)
    # Pairs of wells as strata: 2 ** 4 labellings, 2 as extreme.
    p = movie_permutation_test(cells, movie, group, np.arange(8) // 2, 9999, 1)
    assert p == pytest.approx(2 / 16, abs=0.02)


def test_a_bootstrap_curve_is_the_curve_of_the_drawn_movies():
    # One movie less is drawn than there are.
    cells = _cells(3, 90, late=True)
    cluster = np.arange(90) % 6
    times, curves = bootstrap_survival(cells, cluster, 20, seed=8)
    drawn = np.random.default_rng(8).integers(0, 6, size=(20, 5))
    draws = (drawn[:, :, None] == np.arange(6)).sum(axis=1)
    for draw, curve in zip(draws, curves, strict=True):
        rows = np.repeat(np.arange(90), draw[cluster])
        direct = kaplan_meier(cells[rows])
        at = np.searchsorted(direct.time, times, side="right") - 1
        expected = np.where(at >= 0, direct.survival[at], 1.0)
        np.testing.assert_allclose(curve, expected, atol=1e-12)
        defined = direct.time[-1] >= 60
        if defined:
            mean = restricted_means(times, curve[None], 60.0)[0]
            assert mean == pytest.approx(restricted_mean(direct, 60.0)[0])


def test_bootstrapped_cells_spread_like_greenwood_says():
    cells = _cells(4, 300)
    times, curves = bootstrap_survival(cells, np.arange(300), 2000, seed=1)
    _, error = restricted_mean(kaplan_meier(cells), 60.0)
    spread = restricted_means(times, curves, 60.0).std()
    assert spread == pytest.approx(error, rel=0.08)


def test_without_deaths_every_resample_survives():
    times, curves = bootstrap_survival(
        Subjects(np.zeros(3), np.full(3, 9.0), np.zeros(3, bool)), np.arange(3), 5, 1
    )
    assert len(times) == 0 and curves.shape == (5, 0)
    np.testing.assert_allclose(restricted_means(times, curves, 9.0), 9.0)
