"""What a driver finds out before it starts."""

from __future__ import annotations

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.pickle import PickleDataset

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.segmentation.cellpose import CellposeOptions
from cyto_kedro.pipelines.segmentation.params import SegmentationParams
from cyto_kedro.runners.driver import check_persisted, wants_gpu
from cyto_kedro.runners.stages import Placement, stages_of


def same(value, *rest):
    return value


PIPELINE = Pipeline(
    [
        Node(same, "raw", "cells", name="find"),
        Node(same, "cells", "tracks", name="track"),
    ]
)


def test_a_dataset_in_memory_between_jobs_is_refused_with_an_entry_to_paste():
    stages = stages_of(PIPELINE, lambda node: Placement(key=node.name))
    catalog = DataCatalog({"raw": MemoryDataset(1)})
    with pytest.raises(
        ConfigError, match="cells: made by find, needed by track"
    ) as told:
        check_persisted(stages, PIPELINE, catalog)
    assert '"cells":' in str(told.value) and "pickle.PickleDataset" in str(told.value)


def test_in_a_file_or_in_one_job_it_is_fine(tmp_path):
    apart = stages_of(PIPELINE, lambda node: Placement(key=node.name))
    file = DataCatalog({"cells": PickleDataset(filepath=str(tmp_path / "cells.pkl"))})
    check_persisted(apart, PIPELINE, file)
    together = stages_of(PIPELINE, lambda node: Placement(key="same"))
    check_persisted(together, PIPELINE, DataCatalog())


@pytest.mark.parametrize(
    ("method", "gpu"),
    [
        ({"name": "classical"}, False),
        ({"name": "cellpose"}, True),
        ({"name": "cellpose", "gpu": "off"}, False),
    ],
)
def test_the_method_that_the_parameters_choose_decides_on_a_gpu(method, gpu):
    params = SegmentationParams.model_validate({"method": method})
    node = Node(same, ["image", "params:segmentation"], "labels", name="segment")
    catalog = DataCatalog({"params:segmentation": MemoryDataset(params)})
    assert wants_gpu(node, catalog) is gpu
    assert isinstance(params.method, CellposeOptions) is (method["name"] == "cellpose")
