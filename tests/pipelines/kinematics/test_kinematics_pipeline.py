"""The kinematics pipeline: names, typed parameters, one node for real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import (
    CONTACT_MOTION,
    EPISODES,
    KINEMATICS,
    MOTION_FIT,
    MSD,
    PERSISTENCE,
    TRACK_SUMMARY,
)
from cyto_kedro.pipelines.kinematics import create_pipeline
from cyto_kedro.pipelines.kinematics.params import KinematicsParams
from tables import tracks_table

CONF = Path(__file__).parents[3] / "conf" / "base"


@pytest.fixture
def layout():
    return Layout.model_validate(
        {
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
    )


def test_the_shipped_parameters_are_valid_and_are_the_defaults():
    text = (CONF / "parameters_kinematics.yml").read_text()
    assert KinematicsParams(**yaml.safe_load(text)["kinematics"]) == KinematicsParams()


def test_typed_nodes_per_role_and_pair(layout):
    pipeline = create_pipeline(layout)
    assert {n.name for n in pipeline.nodes} == {
        "tcell.kinematics",
        "cancer.kinematics",
        "tcell.persistence",
        "cancer.persistence",
        "tcell_cancer.contact_motion",
    }
    types = TypeExtractor({"k": pipeline}).extract_types_from_pipelines()
    assert types == {"kinematics": KinematicsParams}
    assert pipeline.inputs() == {
        "calibration",
        "params:kinematics",
        "tcell.tracks",
        "cancer.tracks",
        "tcell_cancer.contact_episodes",
    }


@pytest.mark.parametrize("n_rows", [0, 12])
def test_a_run_fills_its_tables(layout, n_rows):
    frame, track = (v.ravel() for v in np.meshgrid(range(4), [1, 2, 3]))
    tracks = tracks_table(frame, track, frame * 1.0, track * 5.0).iloc[:n_rows]
    catalog = DataCatalog(
        {
            "tcell.tracks": MemoryDataset(tracks),
            "cancer.tracks": MemoryDataset(tracks),
            "tcell_cancer.contact_episodes": MemoryDataset(EPISODES.empty()),
            "calibration": MemoryDataset(Calibration.regular((4, 50, 50))),
            "params:kinematics": MemoryDataset(KinematicsParams()),
        }
    )
    out = SequentialRunner().run(create_pipeline(layout), catalog)
    for role in layout.roles:
        KINEMATICS.validate(out[f"{role}.kinematics"].load())
        PERSISTENCE.validate(out[f"{role}.persistence"].load())
        summary = TRACK_SUMMARY.validate(out[f"{role}.track_summary"].load())
        assert len(summary) == n_rows / 4
        assert len(MOTION_FIT.validate(out[f"{role}.motion_fit"].load())) == (
            n_rows > 0
        )
        alone = create_pipeline(layout).only_nodes(f"{role}.kinematics")
        MSD.validate(SequentialRunner().run(alone, catalog)[f"{role}.msd"].load())
    around = CONTACT_MOTION.validate(out["tcell_cancer.contact_motion"].load())
    assert set(around["state"]) == ({"free"} if n_rows else set())
