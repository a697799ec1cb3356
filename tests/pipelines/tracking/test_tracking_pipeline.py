"""The tracking pipeline as Kedro sees it: graph, parameters, a run in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import DETECTIONS, TRACKS
from cyto_kedro.methods.tracking import TRACKERS
from cyto_kedro.pipelines.tracking import create_pipeline
from cyto_kedro.pipelines.tracking.params import TrackingParams
from tables import filled

CONF = Path(__file__).parents[3] / "conf/base/parameters_tracking.yml"


@pytest.fixture
def layout() -> Layout:
    return Layout.model_validate(
        {
            "data_root": "a",
            "scratch_root": "b",
            "output_root": "c",
            "dataset": "d",
            "sheet": "s.csv",
            "channels": {name: {"files": name} for name in ("green", "red")},
            "roles": {
                "tcell": {"kind": "effector", "channels": ["red"]},
                "cancer": {"kind": "target", "channels": ["green"]},
            },
        }
    )


@pytest.fixture
def shipped() -> dict:
    return yaml.safe_load(CONF.read_text("utf-8"))["tracking"]


def test_one_node_per_role(layout):
    pipeline = create_pipeline(layout)
    assert {node.name for node in pipeline.nodes} == {"tcell.track", "cancer.track"}
    assert pipeline.inputs() == {
        "calibration",
        "tcell.detections",
        "cancer.detections",
        "params:tracking.tcell",
        "params:tracking.cancer",
    }
    assert pipeline.outputs() == {"tcell.tracks", "cancer.tracks"}


def test_parameters_are_typed_and_the_shipped_ones_are_valid(layout, shipped):
    types = TypeExtractor({"tracking": create_pipeline(layout)})
    assert types.extract_types_from_pipelines() == {
        "tracking.tcell": TrackingParams,
        "tracking.cancer": TrackingParams,
    }
    for role in ("tcell", "cancer"):
        TrackingParams.model_validate(shipped[role])
    assert TrackingParams.model_validate(shipped["tcell"]).method.name in TRACKERS


@pytest.mark.parametrize(
    "method, complaint",
    [
        ({"name": "lap", "linking_max_distance_um": -1}, "greater than 0"),
        ({"name": "lap", "linking_max_distance": 15}, "Extra inputs"),
        ({"name": "lap", "linking_max_distance_um": "far"}, "auto"),
        ({"name": "trackmate"}, "'lap', 'laptrack', 'trackpy'"),
        ({"name": "trackpy", "splitting_max_distance_um": 3}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_refused(method, complaint):
    with pytest.raises(ValidationError, match=complaint):
        TrackingParams.model_validate({"method": method})


@pytest.mark.parametrize("name", list(TRACKERS))
def test_every_method_can_be_chosen(name, layout):
    frame = np.repeat(np.arange(4), 2)
    table = filled(
        DETECTIONS,
        {
            "frame": frame,
            "label": np.tile([1, 2], 4),
            "time_min": frame * 1.0,
            "y_um": np.tile([20.0, 80.0], 4),
            "x_um": 20.0 + frame,
        },
    )
    params = TrackingParams.model_validate({"method": {"name": name}})
    data = {"calibration": Calibration.regular((4, 100, 100))}
    for role in ("tcell", "cancer"):
        data |= {f"{role}.detections": table, f"params:tracking.{role}": params}
    catalog = DataCatalog({key: MemoryDataset(value) for key, value in data.items()})
    result = SequentialRunner().run(create_pipeline(layout), catalog)
    tracks = TRACKS.validate(result["tcell.tracks"].load())
    assert tracks.groupby("track_id")["label"].unique().str.len().tolist() == [1, 1]
