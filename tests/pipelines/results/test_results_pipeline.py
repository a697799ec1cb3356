"""The results pipeline: what it reads follows the layout; the summary is JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.validation.type_extractor import TypeExtractor

from cyto_kedro.core import schemas
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import (
    DEATHS,
    DRIFT,
    EPISODES,
    FRAME_COUNTS,
    FRAME_STATS,
    RESIDUAL_MOTION,
)
from cyto_kedro.core.table import TableSpec
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.kinematics.nodes import measure_motion
from cyto_kedro.pipelines.kinematics.params import KinematicsParams
from cyto_kedro.pipelines.results import create_pipeline
from cyto_kedro.pipelines.results.nodes import data_dictionary, summarise
from cyto_kedro.pipelines.results.params import ResultsParams
from tables import filled, tracks_table

# Kedro warns of every dataset of another namespace, here the roles'.
pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names")

CONF = Path(__file__).parents[3] / "conf" / "base"
LAYOUT = {
    "data_root": "a",
    "scratch_root": "b",
    "output_root": "c",
    "dataset": "d",
    "sheet": "e",
    "channels": {"green": {"files": "g"}, "red": {"files": "r"}},
    "roles": {
        "tcell": {"kind": "effector", "channels": ["green"]},
        "cancer": {"kind": "target", "channels": ["red"]},
    },
}
DEATH = {"markers": {"death": {"channel": "red", "kind": "death"}}}


def pipeline_of(**changes):
    return create_pipeline(Layout.model_validate(LAYOUT | changes))


def test_the_shipped_parameters_are_valid_and_are_the_defaults():
    text = (CONF / "parameters_results.yml").read_text()
    assert ResultsParams(**yaml.safe_load(text)["results"]) == ResultsParams()


def tables_of_the_catalog(name, root):
    """Table contract by the file that the catalog writes, its names in braces."""
    text = (CONF / name).read_text().replace("${globals:", "$(")
    entries = yaml.safe_load(text).values()
    return {
        re.sub(r"\{\w+\}", "*", path): entry["validator"]
        for entry in entries
        if "validator" in entry
        for path in [entry["filepath"].removeprefix(root)]
    }


def test_the_data_dictionary_lists_the_tables_and_files_of_the_catalog():
    sheet = pd.DataFrame({"dataset": ["d"], "movie": ["a"]})
    listed = data_dictionary(sheet)[["storage", "table", "file"]].drop_duplicates()
    spec_of = {
        f"cyto_kedro.core.schemas.{key}": spec.name
        for key, spec in vars(schemas).items()
        if isinstance(spec, TableSpec)
    }
    for storage, catalog, root, suffix in (
        ("output", "catalog_reporting.yml", "$(output_root}/<workflow>/<run>/", ".csv"),
        (
            "scratch",
            "catalog_intermediate.yml",
            "$(scratch_root}/<dataset>/<movie>/<workflow>/",
            ".parquet",
        ),
    ):
        written = {
            (path.replace(".parquet", suffix), spec_of[contract])
            for path, contract in tables_of_the_catalog(catalog, root).items()
        }
        rows = listed[listed["storage"] == storage]
        files = rows["file"].str.replace(
            r"<effector>_<target>|<(?:target|role|channel)>", "*", regex=True
        )
        assert set(zip(files, rows["table"], strict=True)) == written


def test_nodes_are_named_tagged_and_typed():
    pipeline = pipeline_of(**DEATH)
    joint = {node.name for node in pipeline.only_nodes_with_tags(EXPERIMENT).nodes}
    assert joint == {"experiment.collect_results", "experiment.data_dictionary"}
    names = {node.name for node in pipeline.nodes}
    assert names - joint == {"results.collect_movie", "results.summarise"}
    types = TypeExtractor({"r": pipeline}).extract_types_from_pipelines()
    assert types == {"results": ResultsParams}


def inputs(pipeline, name):
    return set(pipeline.only_nodes(name).inputs())


def test_deaths_are_read_only_where_a_marker_shows_them():
    with_death, without = pipeline_of(**DEATH), pipeline_of()
    extra = inputs(with_death, "results.collect_movie") - inputs(
        without, "results.collect_movie"
    )
    assert extra == {"cancer.viability"}
    extra = inputs(with_death, "results.summarise") - inputs(
        without, "results.summarise"
    )
    assert extra == {"cancer.deaths@movie"}


def test_cells_without_partners_need_no_contacts():
    roles = {"nuclei": {"kind": "other", "channels": ["green"]}}
    found = inputs(pipeline_of(roles=roles), "results.collect_movie")
    assert found == {"nuclei.tracks", "nuclei.kinematics"}


def tables_of_a_movie(n_rows, n_daughters):
    calibration = Calibration.regular((20, 100, 100), 0.5, 2.0, ("green", "red"))
    frame = np.arange(20)
    cell = tracks_table(frame, [1] * 20, 3.0 * frame, 4.0 * frame, 2.0).iloc[:n_rows]
    kinematics, summary, msd = measure_motion(cell, calibration, KinematicsParams())
    summary = summary.assign(n_daughters=n_daughters)
    counts = {"frame": frame, "n_cells": np.ones(20, int) if n_rows else 0}
    deaths = {
        "track_id": [1, 2, 3],
        "reason": ["died", "end_of_movie", "dead_at_entry"],
        "censored": [False, True, False],
        "death_frame": pd.array([9, pd.NA, 0], dtype="Int64"),
        "death_time_min": [18, np.nan, 0],
    }
    episodes = {
        "effector_track_id": [1, 1],
        "target_track_id": [1, 2],
        "episode": [1, 1],
        "dwell_min": [4.0, 8.0],
    }
    tables = {
        "frame_counts:tcell": filled(FRAME_COUNTS, counts),
        "kinematics:tcell": kinematics,
        "track_summary:tcell": summary,
        "msd:tcell": msd,
        "events:tcell": pd.DataFrame({"kind": ["jump", "swap", "jump"]}),
        "deaths:cancer": filled(DEATHS, deaths).iloc[:n_rows],
        "episodes:tcell_cancer": filled(EPISODES, episodes).iloc[:n_rows],
    }
    drift = {"frame": frame, "dy_px": 0.3 * frame, "dx_px": -0.4 * frame}
    return calibration, filled(DRIFT, drift), tables


def summary_of(n_rows, n_daughters=0):
    calibration, drift, tables = tables_of_a_movie(n_rows, n_daughters)
    stats = filled(FRAME_STATS, {"frame": [0], "channel": "red", "maximum": [1.0]})
    made = summarise(
        calibration,
        ResultsParams(),
        stats,
        drift,
        RESIDUAL_MOTION.empty(),
        kinds={"tcell": "effector"},
        **tables,
    )
    return json.loads(json.dumps(made, allow_nan=False))


def test_the_summary_states_the_numbers_of_the_movie():
    found = summary_of(20)
    assert (found["n_frames"], found["duration_min"], found["width_um"]) == (20, 38, 50)
    assert found["drift_max_um"] == pytest.approx(19 * 0.25)
    cells = found["roles"]["tcell"]
    assert cells["median_speed_um_per_min"] == 2.5
    assert (cells["n_tracks"], cells["n_detections"]) == (1, 20)
    assert cells["msd_exponent"] == pytest.approx(2)
    assert found["deaths"]["cancer"] == {
        "n_at_risk": 2,
        "n_deaths": 1,
        "n_dead_at_entry": 1,
        "median_death_time_min": 18,
    }
    assert found["contacts"]["tcell_cancer"] == {
        "n_episodes": 2,
        "n_touching_effectors": 1,
        "n_touched_targets": 2,
        "median_dwell_min": 6,
    }
    assert found["suspicious"] == {"tcell": {"jump": 2, "swap": 1}}
    assert found["warnings"] == []


def test_a_division_has_two_daughters():
    counted = [summary_of(20, n)["roles"]["tcell"]["n_divisions"] for n in (0, 1, 2)]
    assert counted == [0, 0, 1]


def test_a_movie_without_cells_is_summarised_and_warned_of():
    found = summary_of(0)
    assert found["roles"]["tcell"]["median_speed_um_per_min"] is None
    assert found["deaths"]["cancer"]["n_deaths"] == 0
    (warning,) = found["warnings"]
    assert "No tcell was found in any frame" in warning
