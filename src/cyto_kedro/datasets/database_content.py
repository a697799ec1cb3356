"""The hash of a table by what it says, not by how it lies in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def content_of_rows(table: pa.Table) -> tuple[str, int]:
    """SHA-256 of names, types, values and nulls of a table, and its size in memory.

    For each column, in order, the digest takes its name and type, one byte per row that
    tells a value from null, and the values with 0 or empty text in place of null, as
    little-endian numbers or as lengths and UTF-8.
    """
    digest = hashlib.sha256()
    for field in table.schema:
        digest.update(f"{field.name}\0{field.type}\0{len(table)}\0".encode())
        for part in _parts(table[field.name].combine_chunks()):
            digest.update(part)
    return digest.hexdigest(), table.nbytes


def _parts(column: pa.Array) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):  # a table without any row
        return []
    if isinstance(column, pa.DictionaryArray):
        return [*_parts(column.dictionary), *_parts(column.dictionary_decode())]
    # What lies under a null is arbitrary, and so are the last bits of a bitmap.
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False).tobytes()
    if pa.types.is_null(column.type):
        return [valid]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = [text.encode() for text in pc.fill_null(column, "").to_pylist()]
        lengths = ",".join(str(len(text)) for text in texts)
        return [valid, lengths.encode(), b"".join(texts)]
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    empty = pa.scalar(0, pa.int8()).cast(column.type)
    values = pc.fill_null(column, empty).to_numpy(zero_copy_only=False)
    return [valid, values.astype(values.dtype.newbyteorder("<")).tobytes()]
