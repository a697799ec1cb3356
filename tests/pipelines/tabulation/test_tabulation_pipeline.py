"""The tabulation pipeline as Kedro sees it."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.schemas import DETECTIONS, FRAME_COUNTS
from cyto_kedro.pipelines.tabulation import create_pipeline
from cyto_kedro.pipelines.tabulation.params import TabulationParams

CONF = Path(__file__).parents[3] / "conf/base/parameters_tabulation.yml"


def layout() -> Layout:
    return Layout.model_validate(
        {
            "data_root": "a",
            "scratch_root": "b",
            "output_root": "c",
            "dataset": "d",
            "sheet": "s.csv",
            "channels": {name: {"files": name} for name in ("green", "red", "dye")},
            "roles": {
                "tcell": {"kind": "effector", "channels": ["red"]},
                "cancer": {"kind": "target", "channels": ["green", "red"]},
            },
        }
    )


def test_each_role_is_tabulated_with_every_channel() -> None:
    pipeline = create_pipeline(layout())
    assert {node.name for node in pipeline.nodes} == {
        "tcell.tabulate",
        "cancer.tabulate",
    }
    assert pipeline.inputs() == {
        "tcell.labels",
        "cancer.labels",
        "green.image",
        "red.image",
        "dye.image",
        "calibration",
        "drift",
        "params:tabulation",
    }
    assert pipeline.outputs() == {
        f"{role}.{name}"
        for role in ("tcell", "cancer")
        for name in ("detections", "frame_counts")
    }


def test_parameters_are_typed_and_the_shipped_ones_are_valid() -> None:
    types = TypeExtractor({"p": create_pipeline(layout())})
    assert types.extract_types_from_pipelines() == {"tabulation": TabulationParams}
    TabulationParams.model_validate(yaml.safe_load(CONF.read_text())["tabulation"])


def run(pipeline: Pipeline, data: dict[str, object]) -> dict[str, pd.DataFrame]:
    catalog = DataCatalog({k: MemoryDataset(v, "assign") for k, v in data.items()})
    outputs = SequentialRunner().run(pipeline, catalog)
    return {name: dataset.load() for name, dataset in outputs.items()}


def test_a_run_measures_the_channel_of_each_role() -> None:
    labels = np.zeros((2, 12, 12), np.uint32)
    labels[1, 3:6, 3:6] = 77
    channels = {"green": 10, "red": 20, "dye": 30}
    data: dict[str, object] = {
        f"{name}.image": da.full(labels.shape, value, dtype="uint16")
        for name, value in channels.items()
    }
    data |= {f"{role}.labels": da.from_array(labels) for role in ("tcell", "cancer")}
    data["calibration"] = Calibration.regular(labels.shape, channels=tuple(channels))
    data["drift"] = pd.DataFrame(
        {"frame": [0, 1], "valid_y0": 0, "valid_y1": 12, "valid_x0": 0, "valid_x1": 12}
    )
    data["params:tabulation"] = TabulationParams()
    tables = run(create_pipeline(layout()), data)
    for role, own in (("tcell", 20), ("cancer", 10)):
        detections = DETECTIONS.validate(tables[f"{role}.detections"])
        assert detections["label"].tolist() == [77]
        assert detections["mean"].tolist() == [own]
        assert detections["channel"].tolist() == [role]
        for name, value in channels.items():
            assert detections[f"median_{name}"].tolist() == [value]
        counts = FRAME_COUNTS.validate(tables[f"{role}.frame_counts"])
        assert counts["n_cells"].tolist() == [0, 1]
