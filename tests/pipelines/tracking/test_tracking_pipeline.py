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
from cyto_kedro.core.schemas import DETECTIONS, SUSPICIOUS_EVENTS, TRACKS
from cyto_kedro.methods.tracking import TRACKERS
from cyto_kedro.pipelines.tracking import create_pipeline
from cyto_kedro.pipelines.tracking.params import TrackingAuditParams, TrackingParams
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
    return yaml.safe_load(CONF.read_text("utf-8"))


def test_two_nodes_per_role(layout):
    pipeline = create_pipeline(layout)
    assert {node.name for node in pipeline.nodes} == {
        *("tcell.track", "tcell.audit", "cancer.track", "cancer.audit")
    }
    assert pipeline.inputs() == {
        "calibration",
        *("tcell.detections", "cancer.detections"),
        *("tcell.labels", "cancer.labels"),
        "params:tracking.tcell",
        "params:tracking.cancer",
        "params:tracking_audit",
    }
    assert pipeline.all_outputs() == {
        *("tcell.tracks", "cancer.tracks"),
        *("tcell.suspicious_events", "cancer.suspicious_events"),
    }


def test_parameters_are_typed_and_the_shipped_ones_are_valid(layout, shipped):
    types = TypeExtractor({"tracking": create_pipeline(layout)})
    assert types.extract_types_from_pipelines() == {
        "tracking.tcell": TrackingParams,
        "tracking.cancer": TrackingParams,
        "tracking_audit": TrackingAuditParams,
    }
    for role in ("tcell", "cancer"):
        method = TrackingParams.model_validate(shipped["tracking"][role]).method
        assert method.name in TRACKERS
    shipped_audit = TrackingAuditParams.model_validate(shipped["tracking_audit"])
    assert shipped_audit == TrackingAuditParams()


@pytest.mark.parametrize(
    "method, complaint",
    [
        ({"name": "lap", "linking_max_distance_um": -1}, "greater than 0"),
        ({"name": "lap", "linking_max_distance": 15}, "Extra inputs"),
        ({"name": "lap", "linking_max_distance_um": "far"}, "auto"),
        ({"name": "trackmate"}, "'lap', 'laptrack', 'trackpy', 'overlap'"),
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
    pipeline = create_pipeline(layout).to_outputs("tcell.tracks")
    tracks = TRACKS.validate(run(pipeline, table, params)["tcell.tracks"].load())
    assert tracks.groupby("track_id")["label"].unique().str.len().tolist() == [1, 1]


def masks(table):
    """A square of five pixels around each cell."""
    stack = np.zeros((10, 400, 400), np.uint32)
    for cell in table.itertuples():
        y, x = round(cell.y_um), round(cell.x_um)
        stack[cell.frame, y - 2 : y + 3, x - 2 : x + 3] = cell.label
    return stack


def run(pipeline, table, params, **audited):
    """The outputs of a run with the same detections for both roles."""
    data = {
        "calibration": Calibration.regular((10, 400, 400), frame_interval_min=2.0),
        "params:tracking_audit": TrackingAuditParams(**audited),
    }
    for role in ("tcell", "cancer"):
        data |= {f"{role}.detections": table, f"params:tracking.{role}": params}
        data[f"{role}.labels"] = masks(table)
    catalog = DataCatalog({key: MemoryDataset(value) for key, value in data.items()})
    return SequentialRunner().run(pipeline, catalog)


@pytest.fixture
def jumping():
    """Four cells at 1 um per frame, one of which moves on by 40 um in frame 6."""
    frame, cell = (grid.ravel() for grid in np.indices((10, 4)))
    jumped = (cell == 2) & (frame >= 6)
    return filled(
        DETECTIONS,
        {
            "frame": frame,
            "label": cell + 11,
            "time_min": frame * 2.0,
            "y_um": 80.0 * (cell + 1.0),
            "x_um": 100.0 + frame + 40.0 * jumped,
        },
    )


# Without learned motion a limit is given, so that the jump is linked at all.
FAR = {"name": "lap", "motion": "none", "linking_max_distance_um": 60.0}


def test_a_jump_is_listed_for_each_role(layout, jumping):
    params = TrackingParams.model_validate({"method": FAR})
    found = run(create_pipeline(layout), jumping, params)
    for role in layout.roles:
        events = found[f"{role}.suspicious_events"].load()
        SUSPICIOUS_EVENTS.validate(events)
        columns = ["kind", "frame", "time_min", "label"]
        assert events[columns].to_numpy().tolist() == [["jump", 6, 12.0, 13]]
        assert events["severity"].tolist() == pytest.approx([41.0])
    quiet = run(create_pipeline(layout), jumping, params, jump_factor=50)
    assert len(quiet["tcell.suspicious_events"].load()) == 0


def test_a_movie_without_cells(layout):
    params = TrackingParams.model_validate({"method": {"name": "lap"}})
    found = run(create_pipeline(layout), DETECTIONS.empty(), params)
    events = found["tcell.suspicious_events"].load()
    assert len(events) == 0
    SUSPICIOUS_EVENTS.validate(events)


@pytest.mark.parametrize(
    "change", [{"swap_ratio": 0.9}, {"jump_factor": 1}, {"edge_margin_um": -1}]
)
def test_audits_that_make_no_sense_are_refused(change):
    with pytest.raises(ValidationError, match="greater than"):
        TrackingAuditParams.model_validate(change)
