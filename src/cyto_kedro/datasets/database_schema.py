"""Names, tables and indices in PostgreSQL: what must be there before rows come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.database_client import fetch, first, literal, quoted, run
from cyto_kedro.datasets.database_types import ROW

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection

_OUTPUTS = "cyto_outputs"
#: Columns that rows are looked up by, as far as a table has them.
_LOOKED_UP = ("frame", "label")


@dataclass(frozen=True)
class TableName:
    """A table and its schema."""

    schema: str
    table: str

    @classmethod
    def of(cls, uri: Uri) -> TableName:
        """The table that an address names; without a schema it is the public one."""
        schema, _, table = uri.path.partition("/")[2].rpartition(".")
        return cls(schema or "public", table)

    @property
    def full(self) -> str:
        """The name as SQL wants it."""
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    @property
    def outputs(self) -> str:
        """The table of the same schema that knows which outputs are whole."""
        return f"{quoted(self.schema)}.{_OUTPUTS}"


def has_outputs(connection: Connection, name: TableName) -> bool:
    """Whether anything was ever saved in the schema of a table."""
    sql = f"SELECT to_regclass({literal(name.outputs)})::text AS found"
    return first(connection, sql) is not None


def provide_table(
    connection: Connection,
    name: TableName,
    types: Mapping[str, str],
    keys: tuple[str, ...],
    where: str,
) -> None:
    """Create schema, table, columns and index as needed, under a lock, and commit.

    Args:
        connection: An open one.
        name: The table.
        types: Types of its columns.
        keys: Columns that pick the rows of one output.
        where: The address, for messages.

    Raises:
        StorageError: The table has a column of another type.
    """
    index = [*keys, *(column for column in _LOOKED_UP if column in types)]
    for sql in (
        f"SELECT pg_advisory_xact_lock(hashtextextended({literal(name.full)}, 0))",
        f"CREATE SCHEMA IF NOT EXISTS {quoted(name.schema)}",
        f"CREATE TABLE IF NOT EXISTS {name.outputs} (tab text, keys text, "
        "columns text NOT NULL, rows bigint NOT NULL, note text, "
        "PRIMARY KEY (tab, keys))",
        f"CREATE TABLE IF NOT EXISTS {name.full} ({quoted(ROW)} bigint NOT NULL)",
        *(
            f"ALTER TABLE {name.full} ADD COLUMN IF NOT EXISTS {quoted(column)} {kind}"
            for column, kind in types.items()
        ),
        f"CREATE INDEX IF NOT EXISTS {quoted(name.table[:50] + '_keys')} "
        f"ON {name.full} ({', '.join(quoted(column) for column in index)})",
    ):
        run(connection, sql)
    found = fetch(
        connection,
        "SELECT attname::text, format_type(atttypid, NULL) AS kind FROM "
        f"pg_attribute WHERE attrelid = {literal(name.full)}::regclass AND attnum > 0",
    ).to_pydict()
    there = dict(zip(found["attname"], found["kind"], strict=True))
    connection.commit()
    for column, kind in types.items():
        if not there[column].startswith(kind):
            raise StorageError(
                f"Column '{column}' is {there[column]} in the table, and {kind} in "
                "what was to be saved",
                where=where,
                fix="give the catalog entry another table",
            )
