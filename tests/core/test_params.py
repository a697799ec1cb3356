"""What a misspelt parameter is told."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.tracking.params import TrackingParams


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (KillingParams, {"deth": {}}, r"deth\n.*did you mean 'death'\?"),
        (
            KillingParams,
            {"death": {"treshold": {"k": 10.0}}},
            r"death\.treshold\n.*did you mean 'threshold'\?",
        ),
        (
            TrackingParams,
            {"method": {"name": "lap", "linking_distance_um": 15}},
            r"method\.lap\.linking_distance_um\n.*'linking_max_distance_um'\?",
        ),
        (KillingParams, {"qqqq": 1}, r"qqqq\n  Extra inputs are not permitted \["),
    ],
)
def test_an_unknown_key_names_the_nearest_one_of_its_group(model, values, message):
    with pytest.raises(ValidationError, match=message) as caught:
        model.model_validate(values)
    assert len(re.findall("did you mean", str(caught.value))) <= 1


def test_other_faults_are_told_as_before():
    with pytest.raises(ValidationError, match=r"k\n.*greater than"):
        KillingParams.model_validate(
            {"death": {"threshold": {"name": "baseline", "k": -1}}}
        )
