"""The features pipeline: follows the layout, typed, and filters are checked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.features import create_pipeline
from cyto_kedro.pipelines.features.nodes import combine_features, select_tracks
from cyto_kedro.pipelines.features.params import COMBINED, FILTERED, FeaturesParams
from tables import tracks_table

CONF = Path(__file__).parents[3] / "conf" / "base"
BASE = {
    "data_root": "a",
    "scratch_root": "b",
    "output_root": "c",
    "dataset": "d",
    "sheet": "e",
    "channels": {"green": {"files": "g"}, "red": {"files": "r"}},
}
BOTH = {
    "tcell": {"kind": "effector", "channels": ["green"]},
    "cancer": {"kind": "target", "channels": ["red"]},
}
DYE = {"death": {"channel": "red", "kind": "death"}}


def pipeline_of(**layout):
    return create_pipeline(Layout.model_validate(BASE | {"roles": BOTH} | layout))


def test_the_shipped_parameters_are_valid_and_are_the_defaults():
    text = (CONF / "parameters_features.yml").read_text()
    assert FeaturesParams(**yaml.safe_load(text)["features"]) == FeaturesParams()


def test_the_shipped_examples_are_valid_too():
    """What stands in the comments can be pasted."""
    text = (CONF / "parameters_features.yml").read_text()
    lines = [line.removeprefix("  # ") for line in text.splitlines()]
    first = next(k for k, line in enumerate(lines) if line.startswith("- feature"))
    filters = [line for line in lines if line.startswith("- {name")]
    chosen = {
        "filters": yaml.safe_load("\n".join(filters)),
        "operations": yaml.safe_load("\n".join(lines[first : first + 4])),
    }
    rise = next(k for k, line in enumerate(lines) if "death_dye_rise" in line)
    chosen["gradients"] = yaml.safe_load("\n".join(lines[rise : rise + 3]))
    params = FeaturesParams.model_validate(chosen)
    found = (params.filters, params.operations, params.gradients)
    assert [len(part) for part in found] == [4, 1, 1]


def test_nodes_follow_the_layout():
    every = {"tcell.select", "cancer.select", "features.combine"}
    assert {n.name for n in pipeline_of().nodes} == every | {"features.correlate"}
    dying = pipeline_of(markers=DYE)
    assert {n.name for n in dying.nodes} == every | {
        "features.correlate",
        "cancer.capacity",
    }
    assert "tcell.deaths@movie" in dying.inputs()
    nuclei = {"nuclei": {"kind": "other", "channels": ["green"]}}
    alone = pipeline_of(channels={"green": {"files": "g"}}, roles=nuclei)
    assert {n.name for n in alone.nodes} == {"nuclei.select", "features.combine"}
    for made in (dying, alone):
        types = TypeExtractor({"f": made}).extract_types_from_pipelines()
        assert types == {"features": FeaturesParams}


def tracks():
    return tracks_table([0, 1, 0], [1, 1, 2], [0] * 3, range(3))


def test_filters_are_for_the_roles_they_name():
    step = {"name": "tracks", "column": "frame", "statistic": "count", "min": 2}
    options = FeaturesParams.model_validate({"filters": [step | {"roles": ["tcell"]}]})
    kept = {}
    for role in BOTH:
        table, steps = select_tracks(
            options, role=role, roles=tuple(BOTH), tracks=tracks()
        )
        kept[role] = table["selected"].sum()
        assert steps["step"].tolist() == ([0, 1] if role == "tcell" else [0])
    assert kept == {"tcell": 1, "cancer": 2}
    wrong = FeaturesParams.model_validate({"filters": [step | {"roles": ["nk"]}]})
    with pytest.raises(ConfigError, match="No role is called nk"):
        select_tracks(wrong, role="tcell", roles=tuple(BOTH), tracks=tracks())


def test_operations_find_the_tables_by_role_and_name():
    side = {"table": "tcell.tracks", "column": "x_um"}
    one = {"feature": "none", "operation": "difference", "left": side, "right": side}
    options = FeaturesParams.model_validate({"operations": [one]})
    table = combine_features(options, **{"tcell.tracks": tracks()})
    assert table["value"].tolist() == [0.0] * 3
    pd.testing.assert_frame_equal(
        table, combine_features(options, **{"tcell.tracks": tracks()})
    )


def test_gradients_stand_beside_operations_under_names_of_their_own():
    side = {"table": "tcell.tracks", "column": "x_um"}
    one = {"feature": "none", "operation": "difference", "left": side, "right": side}
    rate = {"feature": "pace", "source": side, "window_frames": 3}
    options = {"operations": [one], "gradients": [rate]}
    table = combine_features(
        FeaturesParams.model_validate(options), **{"tcell.tracks": tracks()}
    )
    assert table.groupby("feature").size().to_dict() == {"none": 3, "pace": 3}
    with pytest.raises(ValidationError, match="two features are called none"):
        FeaturesParams.model_validate(
            options | {"gradients": [rate | {"feature": "none"}]}
        )


def test_code_is_no_parameter():
    side = {"table": "tcell.tracks", "column": "x_um"}
    one = {"feature": "f", "left": side, "right": side}
    for wrong in ({"operation": "eval"}, {"operation": "ratio", "expression": "a / b"}):
        with pytest.raises(ValidationError):
            FeaturesParams.model_validate({"operations": [one | wrong]})


def test_misspelt_tables_and_columns_are_found_before_a_run():
    bound = {"name": "points", "max": 1}
    good = [
        bound | {"column": "mean_death"},  # of a channel, by its pattern
        bound | {"table": "viability", "column": "alive_probability"},
    ]
    assert len(FeaturesParams.model_validate({"filters": good}).filters) == 2
    for wrong, message in (
        (bound | {"column": "area"}, "no column 'area'"),
        (bound | {"table": "trakcs", "column": "frame"}, "no table 'trakcs'"),
    ):
        with pytest.raises(ValidationError, match=message):
            FeaturesParams.model_validate({"filters": [wrong]})
    good_side = {"table": "tcell.frame_counts", "column": "n_cells"}
    for table, column in (
        ("frame_counts", "n_cells"),
        ("tcell.counts", "n_cells"),
        ("tcell.frame_counts", "cells"),
    ):
        one = {"feature": "f", "operation": "ratio", "left": good_side}
        one["right"] = {"table": table, "column": column}
        with pytest.raises(ValidationError, match=r"<role>|no table|no column"):
            FeaturesParams.model_validate({"operations": [one]})


def test_tables_of_the_pipeline_are_those_that_parameters_may_name():
    dying = pipeline_of(markers=DYE)
    (select,) = dying.only_nodes("tcell.select").nodes
    tables = {name.split(".")[1].split("@")[0] for name in select.inputs if "." in name}
    assert tables == set(FILTERED)
    (joined,) = dying.only_nodes("features.combine").nodes
    tables = {name.split(".")[1].split("@")[0] for name in joined.inputs if "." in name}
    assert tables == set(COMBINED)
