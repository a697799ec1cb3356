"""Kappa against scikit-learn, statsmodels and the bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.schemas import AGREEMENT
from cyto_kedro.methods.reporting.agreement import (
    agreement_table,
    agreement_words,
    cohen_kappa,
    wilson,
)


def raters(both, first, second, none):
    """Verdicts with the given counts of yes-yes, yes-no, no-yes, no-no."""
    a = [True] * (both + first) + [False] * (second + none)
    b = [True] * both + [False] * first + [True] * second + [False] * none
    return np.array(a), np.array(b)


def test_a_textbook_table():
    """20, 5, 10, 15: observed .7, by chance .5."""
    assert cohen_kappa(*raters(20, 5, 10, 15)).value == pytest.approx(0.4)


@given(counts=st.tuples(*[st.integers(1, 60)] * 4))
@settings(max_examples=40, deadline=None)
def test_kappa_and_interval_are_those_of_statsmodels(counts):
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    ours = cohen_kappa(*raters(*counts))
    theirs = inter_rater.cohens_kappa(np.reshape(counts, (2, 2)))
    assert ours.value == pytest.approx(theirs.kappa, abs=1e-12)
    half = 1.959963984540054 * theirs.std_kappa
    assert ours.low == pytest.approx(max(-1, theirs.kappa - half), abs=1e-9)
    assert ours.high == pytest.approx(min(1, theirs.kappa + half), abs=1e-9)


def test_the_interval_is_about_that_of_the_bootstrap():
    first, second = raters(40, 12, 7, 41)
    draw = np.random.default_rng(1)
    picks = draw.integers(0, len(first), (600, len(first)))
    values = [cohen_kappa(first[p], second[p]).value for p in picks]
    ours = cohen_kappa(first, second)
    low, high = np.quantile(values, [0.025, 0.975])
    assert ours.low == pytest.approx(low, abs=0.03)
    assert ours.high == pytest.approx(high, abs=0.03)


def test_where_all_is_one_kappa_is_not_defined():
    assert np.isnan(cohen_kappa(*raters(9, 0, 0, 0)).value)
    assert np.isnan(cohen_kappa(np.array([]), np.array([])).value)


def test_the_score_interval_is_that_of_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    expected = proportion.proportion_confint(8, 10, method="wilson")
    assert wilson(8, 10)[1:] == pytest.approx(expected)
    assert np.isnan(wilson(0, 0)[0])


def test_each_kind_has_a_row_and_open_answers_count_apart():
    judged = pd.DataFrame(
        {
            "kind": ["death"] * 5 + ["kill"] * 2,
            "called": [True, True, True, False, False, True, False],
            "answer": ["yes", "no", "unclear", "no", "yes", "yes", "no"],
        }
    )
    table = agreement_table(judged)
    AGREEMENT.validate(table)
    death = table.set_index("kind").loc["death"]
    assert (death["n"], death["n_unclear"]) == (4, 1)
    assert death[["called_confirmed", "called_rejected"]].tolist() == [1, 1]
    assert death[["not_called_found", "not_called_confirmed"]].tolist() == [1, 1]
    assert (death["precision"], death["missed"]) == (0.5, 0.5)
    assert table.set_index("kind").loc["all", "n"] == 6
    assert "1 of 2 calls confirmed" in agreement_words(table.iloc[0])


def test_an_empty_sheet_gives_an_empty_table():
    table = agreement_table(pd.DataFrame({"kind": [], "called": [], "answer": []}))
    AGREEMENT.validate(table)
    assert table.empty
