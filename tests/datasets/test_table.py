"""Tables: dtypes survive, and CSV and Parquet say the same."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes
from kedro.io import DatasetError

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import DEATHS, FRAME_STATS
from cyto_kedro.datasets import TableDataset

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=25, deadline=None)
@given(
    data_frames(
        [
            column("frame", dtype=np.int64),
            column("y_um", dtype=np.float64),
            column("alive", dtype=bool),
            column("role", elements=_TEXT, dtype=object),
        ],
        index=range_indexes(max_size=6),
    ),
    st.lists(st.one_of(st.none(), st.integers(0, 2**60)), min_size=6, max_size=6),
)
def test_any_table_comes_back(table, ids):
    table = table.assign(
        track_id=pd.array(ids[: len(table)], dtype="Int64"),
        dead=pd.array([i is None for i in ids[: len(table)]], dtype="boolean"),
    )
    with tempfile.TemporaryDirectory() as folder:
        dataset = TableDataset(f"{folder}/t.parquet")
        dataset.save(table)
        pd.testing.assert_frame_equal(dataset.load(), table)


@pytest.mark.parametrize("spec", [FRAME_STATS, DEATHS])
def test_empty_tables_keep_their_contract(tmp_path, spec):
    dataset = TableDataset(tmp_path / "t.parquet")
    dataset.save(spec.empty())
    spec.validate(dataset.load())
    assert dataset.preview()["columns"] == list(spec.columns)


def test_csv_beside_parquet(tmp_path):
    table = pd.DataFrame({"x": [0.1, np.nan], "id": pd.array([1, None], "Int64")})
    dataset = TableDataset(tmp_path / "t.parquet", formats=["parquet", "csv"])
    dataset.save(table)
    assert [path.name for path in dataset.paths] == ["t.parquet", "t.csv"]
    again = pd.read_csv(tmp_path / "t.csv", dtype={"id": "Int64"})
    pd.testing.assert_frame_equal(again, table)


def test_preview_has_the_first_rows_without_nan(tmp_path):
    table = pd.DataFrame({"n": range(1000), "x": [np.nan] * 1000})
    dataset = TableDataset(tmp_path / "t.parquet")
    dataset.save(table)
    shown = dataset.preview(nrows=3)
    assert shown == {
        "index": [0, 1, 2],
        "columns": ["n", "x"],
        "data": [[k, None] for k in range(3)],
    }


def test_a_damaged_table_says_what_to_do(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DatasetError, match="run the node") as e:
        TableDataset(tmp_path / "t.parquet").load()
    assert isinstance(e.value.__cause__, InputError)


def test_only_tables_are_saved(tmp_path):
    with pytest.raises(DatasetError, match="Expected a DataFrame"):
        TableDataset(tmp_path / "t.parquet").save([1, 2])
    with pytest.raises(ConfigError, match=r"\.parquet"):
        TableDataset(tmp_path / "t.csv")
