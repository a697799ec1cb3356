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
from cyto_kedro.core.schemas import CONTACT_RATES, CONTACTS, EPISODES, NEAREST
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
        for step in ("measure", "episodes", "rates", "nearest")
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
    # Listed up to three pixel diagonals (2.1 um), in contact within one.
    assert contacts["frame"].tolist() == [1, 2, 3, 4]
    assert contacts["distance_um"].tolist() == [1.5, 0.5, 0.5, 1.5]
    assert contacts["in_contact"].tolist() == [False, True, True, False]
    names = ["measure", "episodes"]
    nodes = [f"tcell_cancer.{name}" for name in names]
    found = run(pipeline.only_nodes(*nodes), data)["tcell_cancer.contact_episodes"]
    found = EPISODES.validate(found)
    assert found["dwell_min"].tolist() == [6.0]
    assert not found["truncated_start"].item()
    outputs = run(pipeline, data)
    rates = CONTACT_RATES.validate(outputs["tcell_cancer.contact_rates"])
    assert rates["n_begun"].tolist() == [0, 0, 1, 0, 0, 0]
    nearest = NEAREST.validate(outputs["tcell_cancer.nearest_target"])
    assert nearest["distance_um"].tolist() == [2.5, 1.5, 0.5, 0.5, 1.5, 2.5]
    assert (nearest["target_track_id"] == 1).all()


def test_a_role_may_touch_its_own_kind() -> None:
    asked = layout(tcell="effector", cancer="target")
    asked = Layout.model_validate(asked.model_dump() | {"self_contacts": ["tcell"]})
    pipeline = create_pipeline(asked)
    names = {node.name for node in pipeline.nodes}
    own = {f"tcell_tcell.{step}" for step in ("measure", "episodes", "rates")}
    assert own < names and "tcell_tcell.nearest" not in names
    labels = np.zeros((2, 10, 20), np.uint32)
    labels[:, 2:5, 2:5], labels[:, 2:5, 5:9], labels[:, 8, 18] = 1, 2, 3
    tracks = pd.DataFrame({"frame": [0, 0, 0, 1, 1, 1], "label": [1, 2, 3] * 2})
    data: dict[str, object] = {
        "tcell.labels": da.from_array(labels),
        "tcell.tracks": tracks.assign(track_id=tracks["label"] + 4),
        "calibration": Calibration.regular((2, 10, 20), 1.0, 3.0),
        "params:contacts": ContactsParams(),
    }
    outputs = run(pipeline.only_nodes(*sorted(own)), data)
    rates = CONTACT_RATES.validate(outputs["tcell_tcell.contact_rates"])
    assert rates["n_contacts"].tolist() == [1, 1]
    assert rates["effectors_in_contact"].tolist() == pytest.approx([2 / 3, 2 / 3])
    with pytest.raises(ValidationError, match="macrophage"):
        Layout.model_validate(asked.model_dump() | {"self_contacts": ["macrophage"]})
