"""The hash of a table depends on what it says and on nothing else."""

from __future__ import annotations

import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyto_kedro.datasets.database_content import content_of_rows

COLUMNS = {
    "flag": pa.array([True, None, False] * 3, pa.bool_()),
    "small": pa.array([1, None, 3] * 3, pa.uint32()),
    "large": pa.array([2**62, None, -1] * 3, pa.int64()),
    "x_um": pa.array([0.5, None, float("nan")] * 3, pa.float32()),
    "text": pa.array(["a", None, ""] * 3, pa.string()),
    "role": pa.array(["tcell", None, "cancer"] * 3).dictionary_encode(),
    "day": pa.array([datetime.date(2026, 1, 2), None, None] * 3, pa.date32()),
    "when": pa.array([datetime.datetime(2026, 1, 2), None, None] * 3),
    "none": pa.nulls(9),
}
TABLE = pa.table(COLUMNS)


def digest(table: pa.Table) -> str:
    return content_of_rows(table)[0]


@pytest.mark.parametrize("name", ["small", "large", "x_um"])
def test_what_lies_under_a_null_does_not_count(name):
    column = COLUMNS[name]
    bitmap, values = column.buffers()
    rubbish = np.frombuffer(values, column.type.to_pandas_dtype()).copy()
    rubbish[1::3] = 77
    other = pa.Array.from_buffers(
        column.type, len(column), [bitmap, pa.py_buffer(rubbish)], column.null_count
    )
    assert other.equals(column) or name == "x_um"  # NaN
    at = TABLE.schema.get_field_index(name)
    assert digest(TABLE.set_column(at, name, other)) == digest(TABLE)


@given(st.lists(st.integers(0, 9), max_size=4).map(sorted))
def test_chunks_and_slices_do_not_count(cuts):
    edges = [0, *cuts, 9]
    parts = [TABLE.slice(start, stop - start) for start, stop in pairwise(edges)]
    assert digest(pa.concat_tables(parts)) == digest(TABLE)


@pytest.mark.parametrize("name", sorted(set(COLUMNS) - {"none"}))
def test_any_value_null_name_or_order_counts(name):
    at = TABLE.schema.get_field_index(name)
    found = {digest(TABLE), digest(TABLE.take(pa.array([1, 0, *range(2, 9)])))}
    for row, other in ((0, None), (1, COLUMNS[name][0].as_py())):
        values = COLUMNS[name].to_pylist()
        values[row] = other
        kind = COLUMNS[name].type
        found.add(digest(TABLE.set_column(at, name, pa.array(values, kind))))
    found.add(digest(TABLE.rename_columns([f"{n}_" for n in COLUMNS])))
    assert len(found) == 5


def test_text_cannot_move_from_one_row_to_the_next():
    one, other = (pa.table({"t": t}) for t in (["ab", "c"], ["a", "bc"]))
    assert digest(one) != digest(other)
    assert digest(pa.table({"t": pa.array([], pa.string())})) != digest(
        pa.table({"t": pa.array([], pa.int64())})
    )
