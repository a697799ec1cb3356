"""Effect sizes and permutation against scipy, by hand, and by how often they err."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from scipy.stats import permutation_test as scipy_permutation

from cyto_kedro.methods.killing.inference import (
    Sample,
    cliffs_delta,
    hodges_lehmann,
    mean_difference,
    resampled_effects,
)
from cyto_kedro.methods.killing.permutation import (
    benjamini_hochberg,
    holm,
    permutation_test,
)


def _sample(a, b, donor_a=None, donor_b=None, paired=False) -> Sample:
    donors = np.zeros(len(a) + len(b), int)
    if donor_a is not None:
        donors = np.array([*donor_a, *donor_b])
    in_b = np.r_[np.zeros(len(a), bool), np.ones(len(b), bool)]
    return Sample(np.array([*a, *b], dtype=float), in_b, donors, paired)


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_p_value_is_that_of_scipy(seed):
    random = np.random.default_rng(seed)
    a, b = random.normal(0, 1, 5), random.normal(1, 1, 4)
    ours, least = permutation_test(_sample(a, b), 10_000, 1)
    theirs = scipy_permutation(
        (a, b),
        lambda x, y, axis: abs(x.mean(axis) - y.mean(axis)),
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    )
    assert ours == pytest.approx(theirs.pvalue)
    assert least == pytest.approx(1 / 126)


def test_random_labels_find_the_exact_p_value():
    random = np.random.default_rng(2)
    sample = _sample(random.normal(0, 1, 7), random.normal(0.8, 1, 7))
    exact, _ = permutation_test(sample, 10_000, 1)
    drawn, _ = permutation_test(sample, 3000, 1)
    assert drawn == pytest.approx(exact, abs=0.02) and drawn != exact


def test_three_wells_against_three_cannot_be_significant():
    p, least = permutation_test(_sample([1, 2, 3], [11, 12, 13]), 9999, 1)
    assert p == least == pytest.approx(2 / 20)


def test_pairs_of_donors_flip_signs():
    a, b = np.array([1.0, 5.0, 9.0, 2.0]), np.array([2.0, 7.0, 12.0, 2.5])
    sample = _sample(a, b, range(4), range(4), paired=True)
    flips = np.array(list(product([-1, 1], repeat=4))) @ (b - a) / 4
    expected = (np.abs(flips) >= (b - a).mean() - 1e-12).mean()
    assert permutation_test(sample, 9999, 1)[0] == pytest.approx(expected) == 2 / 16


def test_donors_that_differ_do_not_hide_what_differs_within_them():
    a, b = [1.0, 1.2, 51.0, 51.2], [2.0, 2.2, 52.0, 52.2]
    donors = [0, 0, 1, 1]
    within = permutation_test(_sample(a, b, donors, donors), 9999, 1)[0]
    pooled = permutation_test(_sample(a, b), 9999, 1)[0]
    assert within == pytest.approx(2 / 36) and pooled > 0.5
    effects = resampled_effects(_sample(a, b, donors, donors), 0.95, 500, 1)
    for effect in effects:
        assert effect.value == pytest.approx(1.0)
        assert 0.5 < effect.low < 1.0 < effect.high < 1.5


def test_without_an_effect_few_are_significant_and_intervals_hold_the_truth():
    random = np.random.default_rng(4)
    significant, held = [], []
    for _ in range(300):
        donor = random.normal(0, 5, 2)[[0, 0, 0, 1, 1, 1]]
        a, b = donor + random.normal(0, 1, 6), donor + random.normal(0, 1, 6)
        sample = _sample(a, b, [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1])
        significant.append(permutation_test(sample, 9999, 1)[0] <= 0.05)
        mean, shift = resampled_effects(sample, 0.95, 400, 1)
        held.append((mean.low <= 0 <= mean.high, shift.low <= 0 <= shift.high))
    assert np.mean(significant) <= 0.08
    assert (np.mean(held, axis=0) >= 0.92).all()


def test_hodges_lehmann_is_the_median_of_all_differences():
    a, b = [1.0, 4.0, 2.0], [3.0, 9.0]
    by_hand = np.median([y - x for x in a for y in b])
    assert hodges_lehmann(_sample(a, b)) == by_hand
    # A single wild well moves the mean, not the median.
    wild = _sample(a, [3.0, 9.0, 1000.0])
    assert mean_difference(wild) > 300 and hodges_lehmann(wild) < 10


def test_cliffs_delta_by_hand_and_its_bounds_at_the_edge():
    found = cliffs_delta(_sample([1.0, 2.0, 3.0], [2.0, 4.0]), 0.95)
    assert found.value == pytest.approx((4 - 1) / 6)
    apart = cliffs_delta(_sample([1, 2, 3], [4, 5, 6]), 0.95)
    assert apart.value == apart.high == 1.0 and apart.low < 0.5
    more = cliffs_delta(_sample(range(20), range(30, 50)), 0.95)
    assert apart.low < more.low < 1.0


def test_the_bounds_of_cliffs_delta_hold_the_truth():
    random = np.random.default_rng(6)
    from scipy.special import ndtr

    truth = 2 * ndtr(0.8 / np.sqrt(2)) - 1
    held = [
        found.low <= truth <= found.high
        for found in (
            cliffs_delta(_sample(random.normal(size=8), random.normal(0.8, 1, 8)), 0.95)
            for _ in range(400)
        )
    ]
    assert 0.92 <= np.mean(held) <= 0.985


def test_one_well_on_a_side_gives_numbers_without_bounds():
    mean, shift = resampled_effects(_sample([1.0], [2.0, 3.0]), 0.95, 99, 1)
    assert mean.value == 1.5 and shift.value == 1.5
    assert np.isnan([mean.low, mean.high, shift.low, shift.high]).all()
    assert permutation_test(_sample([1.0], [2.0]), 99, 1) == (1.0, 1.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_hochberg_is_scipys_and_holm_is_never_milder(p_values):
    p = np.array(p_values)
    loose, strict = benjamini_hochberg(p), holm(p)
    np.testing.assert_allclose(loose, false_discovery_control(p), atol=1e-12)
    assert (strict >= loose - 1e-12).all() and (loose >= p - 1e-12).all()
    # Holm by its definition: the k-th smallest is multiplied by n - k + 1.
    order = np.argsort(p, kind="stable")
    worst = 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, p[index] * (len(p) - place)))
        assert strict[index] == pytest.approx(worst)


def test_what_was_not_tested_is_not_corrected_for():
    p = np.array([0.01, np.nan, 0.04])
    np.testing.assert_allclose(holm(p), [0.02, np.nan, 0.04])
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_units_shift_effects_but_not_p_values(seed, factor, offset):
    random = np.random.default_rng(seed)
    a, b = random.normal(0, 1, 4), random.normal(0.5, 1, 5)
    before, after = _sample(a, b), _sample(a * factor + offset, b * factor + offset)
    assert permutation_test(before, 9999, 1) == permutation_test(after, 9999, 1)
    one, two = (resampled_effects(s, 0.95, 50, 1) for s in (before, after))
    for x, y in zip(one, two, strict=True):
        expected = np.array([x.value, x.low, x.high]) * factor
        np.testing.assert_allclose([y.value, y.low, y.high], expected, atol=1e-6)
    # Naming the groups the other way round turns the sign.
    turned = Sample(before.value, ~before.in_b, before.stratum)
    assert mean_difference(turned) == pytest.approx(-mean_difference(before))
    assert permutation_test(turned, 9999, 1) == permutation_test(before, 9999, 1)
