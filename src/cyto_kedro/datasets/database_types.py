"""Which column of PostgreSQL holds which column of a table."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cyto_kedro.core.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

#: Number of the row, so that a table comes back in its order.
ROW = "row_number"
_COLUMNS = {
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float": "real",
    "double": "double precision",
    "bool": "boolean",
    "string": "text",
    "date32[day]": "date",
    "timestamp[us]": "timestamp",
    "timestamp[us, tz=UTC]": "timestamptz",
}
# PostgreSQL has no unsigned and no tiny integers, and no nanoseconds.
_WIDER = {
    "int8": "int16",
    "uint8": "int16",
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "int64",
    "halffloat": "float32",
    "null": "string",
    "large_string": "string",
    "string_view": "string",
}


def to_columns(table: pa.Table, where: str) -> pa.Table:
    """The table with types that PostgreSQL has; no value changes.

    Raises:
        InputError: A column or a value cannot be held there.
    """
    import pyarrow as pa

    fields = [pa.field(f.name, _type_of(f, where)) for f in table.schema]
    try:
        return table.cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InputError(
            f"PostgreSQL cannot hold the table unchanged: {exc}", where=where
        ) from exc


def categories_of(table: pa.Table) -> dict[str, list[str]]:
    """The categories of categorical columns, also those that no row has."""
    import pyarrow as pa

    return {
        field.name: table[field.name]
        .unify_dictionaries()
        .chunk(0)
        .dictionary.to_pylist()
        for field in table.schema
        if pa.types.is_dictionary(field.type) and table[field.name].num_chunks
    }


def from_columns(
    found: pa.Table, schema: pa.Schema, categories: Mapping[str, list[str]]
) -> pa.Table:
    """Rows of the database with the types that they were saved with."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def column(field: pa.Field) -> pa.Array | pa.ChunkedArray:
        if pa.types.is_null(field.type):
            return pa.nulls(len(found))
        if field.name not in categories:
            return found[field.name].cast(field.type)
        known = pa.array(categories[field.name], field.type.value_type)
        values = found[field.name].cast(known.type).combine_chunks()
        codes = pc.index_in(values, value_set=known).cast(field.type.index_type)
        return pa.DictionaryArray.from_arrays(codes, known, ordered=field.type.ordered)

    return pa.Table.from_arrays([column(field) for field in schema], schema=schema)


def column_types(table: pa.Table) -> dict[str, str]:
    """PostgreSQL's type of each column of a table of :func:`to_columns`."""
    return {field.name: _COLUMNS[str(field.type)] for field in table.schema}


def schema_to_text(schema: pa.Schema) -> str:
    """The schema with the metadata of pandas, to be kept beside the rows."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def schema_from_text(text: str) -> pa.Schema:
    """The schema that :func:`schema_to_text` kept."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _type_of(field: pa.Field, where: str) -> pa.DataType:
    import pyarrow as pa

    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", None if kind.tz is None else "UTC")
    name = _WIDER.get(str(kind), str(kind))
    if name in _COLUMNS and not pa.types.is_floating(kind):
        return kind if str(kind) == name else pa.type_for_alias(name)
    if pa.types.is_floating(kind):
        return pa.float32() if pa.types.is_float16(kind) else kind
    raise InputError(
        f"Column '{field.name}' of type {field.type} has no place in PostgreSQL",
        where=where,
        fix="store the table as Parquet",
    )
