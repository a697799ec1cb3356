"""The contacts pipeline as Kedro sees it."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import CONTACTS, EPISODES
from cyto_kedro.pipelines.contacts import create_pipeline
from cyto_kedro.pipelines.contacts.params import ContactsParams

CONF = Path(__file__).parents[3] / "conf/base/parameters_contacts.yml"


def layout(**kinds: str) -> Layout:
    roles = {name: {"kind": kind, "channels": ["a"]} for name, kind in kinds.items()}
    return Layout.model_validate(
        {
            "data_root": "a",
            "scratch_root": "b",
            "output_root": "c",
            "dataset": "d",
            "sheet": "s.csv",
            "channels": {"a": {"files": "a"}},
            "roles": roles,
        }
    )


def test_every_pair_of_effector_and_target_is_measured() -> None:
    pipeline = create_pipeline(layout(tcell="effector", nk="effector", cancer="target"))
    assert {node.name for node in pipeline.nodes} == {
        f"{pair}.{step}"
        for pair in ("tcell_cancer", "nk_cancer")
        for step in ("measure", "episodes")
    }
    assert pipeline.inputs() == {
        f"{role}.{name}"
        for role in ("tcell", "nk", "cancer")
        for name in ("labels", "tracks")
    } | {"calibration", "params:contacts"}
    assert {"tcell_cancer.contacts", "nk_cancer.contact_episodes"} <= (
        pipeline.all_outputs()
    )


def test_without_targets_there_is_nothing_to_do() -> None:
    assert not create_pipeline(layout(tcell="effector", other="other")).nodes


def test_parameters_are_typed_and_the_shipped_ones_are_the_defaults() -> None:
    pipeline = create_pipeline(layout(tcell="effector", cancer="target"))
    types = TypeExtractor({"p": pipeline}).extract_types_from_pipelines()
    assert types == {"contacts": ContactsParams}
    shipped = yaml.safe_load(CONF.read_text())["contacts"]
    assert ContactsParams.model_validate(shipped) == ContactsParams()
    with pytest.raises(ValidationError, match="min_overlap_px"):
        ContactsParams.model_validate({"rule": {"name": "edge", "min_overlap_px": 2}})


def run(pipeline: Pipeline, data: dict[str, object]) -> dict[str, pd.DataFrame]:
    catalog = DataCatalog({k: MemoryDataset(v, "assign") for k, v in data.items()})
    outputs = SequentialRunner().run(pipeline, catalog)
    return {name: dataset.load() for name, dataset in outputs.items()}


def test_a_run_finds_the_contact_and_its_duration() -> None:
    shape = (6, 20, 20)
    effectors, targets = np.zeros((2, *shape), np.uint32)
    targets[:, 8:14, 8:14] = 3
    for frame, column in enumerate([1, 3, 5, 5, 3, 1]):  # touches at columns 5..7
        effectors[frame, 9:12, column : column + 3] = 4
    frames = pd.DataFrame({"frame": range(6), "track_id": 1})
    data: dict[str, object] = {
        "tcell.labels": da.from_array(effectors),
        "cancer.labels": da.from_array(targets),
        "tcell.tracks": frames.assign(label=4),
        "cancer.tracks": frames.assign(label=3),
        "calibration": Calibration.regular(shape, 0.5, frame_interval_min=3.0),
        "params:contacts": ContactsParams(),
    }
    pipeline = create_pipeline(layout(tcell="effector", cancer="target"))
    measured = run(pipeline.only_nodes("tcell_cancer.measure"), data)
    contacts = CONTACTS.validate(measured["tcell_cancer.contacts"])
    assert contacts["frame"].tolist() == [2, 3]
    assert contacts["distance_um"].tolist() == [0.5, 0.5]
    found = EPISODES.validate(run(pipeline, data)["tcell_cancer.contact_episodes"])
    assert found["dwell_min"].tolist() == [6.0]
    assert not found["truncated_start"].item()
