"""Tables in PostgreSQL, by ADBC: rows of one output are picked by its keys.

Many outputs share one table; ``db://host/database/table?run_id=...&movie=...`` names
the rows of one of them. A save deletes these rows and inserts the new ones in one
transaction, so that others see the rows before or the rows after. What is not columns
(types, order, sidecar) is in the table ``cyto_outputs`` of the same schema; its row is
written in the same transaction and says that the output is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cyto_kedro.core.errors import ConfigError, InputError, StorageError
from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.database_client import (
    Server,
    fetch,
    first,
    literal,
    quoted,
    run,
)
from cyto_kedro.datasets.database_types import (
    ROW,
    categories_of,
    column_types,
    from_columns,
    schema_from_text,
    schema_to_text,
    to_columns,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_postgresql.dbapi import Connection

_OUTPUTS = "cyto_outputs"
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,59}$")
#: Columns that rows are looked up by, as far as a table has them.
_LOOKED_UP = ("frame", "label")


class TablePlace:
    """The rows of one output.

    Args:
        uri: ``db://host:port/database/[schema.]table?key=value&...``.
        credentials: As :class:`Server` takes them.

    Raises:
        ConfigError: A name is not plain, or credentials are unknown.
    """

    def __init__(self, uri: Uri, credentials: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.server = Server(uri, credentials)
        table = uri.path.partition("/")[2]
        schema, _, self._table = table.rpartition(".")
        self._schema = schema or "public"
        names = (self._schema, self._table, *uri.query)
        wrong = [name for name in names if not _NAME.match(name)]
        if wrong or ROW in uri.query:
            raise ConfigError(
                f"Not the name of a table or column: {', '.join(wrong) or ROW}",
                where=str(uri),
                fix="use letters, digits and _",
            )
        self.keys = dict(uri.query)

    def __repr__(self) -> str:
        return f"TablePlace({self.uri})"

    def as_uri(self) -> str:
        """The address."""
        return str(self.uri)

    def exists(self) -> bool:
        """Whether the output was saved; it may have no rows."""
        return self._output("columns") is not None

    def save(self, table: pa.Table) -> None:
        """Replace the rows of this output, in one transaction.

        Raises:
            InputError: PostgreSQL cannot hold a column, or a key contradicts one.
            StorageError: The server refuses, is away or does not answer; then the rows
                before are still there.
        """
        import pyarrow as pa

        rows = to_columns(table, self.as_uri())
        added = self._added_keys(rows)
        for name in added:
            values = pa.array([self.keys[name]] * len(rows), pa.string())
            rows = rows.append_column(name, values)
        rows = rows.append_column(ROW, pa.array(range(len(rows)), pa.int64()))
        facts = {"schema": schema_to_text(table.schema)}
        kept = json.dumps(facts | {"categories": categories_of(table)})

        def work(connection: Connection) -> None:
            self._provide_table(connection, column_types(rows))
            with connection.cursor() as cursor:
                # Of two writers of the same rows the second one waits.
                cursor.execute(f"SELECT pg_advisory_xact_lock({self._lock()})")
                cursor.execute(f"DELETE FROM {self._full()} WHERE {self._mine()}")
                if len(rows):
                    cursor.adbc_ingest(
                        self._table, rows, mode="append", db_schema_name=self._schema
                    )
                cursor.execute(
                    f"INSERT INTO {self._full(_OUTPUTS)} (tab, keys, columns, rows) "
                    f"VALUES ({literal(self._table)}, {literal(self._key_text())}, "
                    f"{literal(kept)}, {len(rows)}) ON CONFLICT (tab, keys) DO UPDATE "
                    "SET columns = EXCLUDED.columns, rows = EXCLUDED.rows, note = NULL"
                )

        self.server.bounded(work)

    def load(self) -> pa.Table:
        """The rows of this output in their order and with their types.

        Raises:
            FileNotFoundError: It was never saved.
            InputError: Rows were deleted or added by somebody else.
        """

        def work(connection: Connection) -> pa.Table:
            kept = self._output_in(connection, "columns")
            if kept is None:
                raise FileNotFoundError(self.as_uri())
            facts = json.loads(kept)
            schema = schema_from_text(facts["schema"])
            names = ", ".join(quoted(name) for name in schema.names) or "NULL"
            found = fetch(
                connection,
                f"SELECT {names} FROM {self._full()} WHERE {self._mine()} "
                f"ORDER BY {quoted(ROW)}",
            )
            expected = self._output_in(connection, "rows::text")
            if str(len(found)) != expected:
                raise InputError(
                    f"The output had {expected} rows when it was saved, and now has "
                    f"{len(found)}",
                    where=self.as_uri(),
                    fix="run the node that writes it again",
                )
            return from_columns(found, schema, facts["categories"])

        return self.server.bounded(work)

    def content(self) -> tuple[str, int]:
        """SHA-256 over the rows, and their size in memory."""
        import pyarrow as pa

        table = self.load().combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return hashlib.sha256(sink.getvalue()).hexdigest(), table.nbytes

    def state(self) -> str:
        """A hash that the server makes of the rows, in no order."""
        hashed = "coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
        sql = (
            f"SELECT count(*)::text || ' ' || {hashed} AS found "
            f"FROM {self._full()} t WHERE {self._mine()}"
        )
        return str(self.server.bounded(lambda c: first(c, sql)))

    def read_note(self) -> str | None:
        """The sidecar's text."""
        return self._output("note")

    def write_note(self, text: str) -> None:
        """Put the sidecar beside the rows."""
        self._set_note(literal(text))

    def drop_note(self) -> None:
        """Forget the sidecar."""
        self._set_note("NULL")

    def set_aside(self, label: str) -> str:
        """Copy the rows to a table named ``<table>_<label>``."""
        copy = f"{self._table[:30]}_{label}"[:59]
        full, mine = self._full(copy), self._mine()

        def work(connection: Connection) -> None:
            run(connection, f"CREATE TABLE IF NOT EXISTS {full} (LIKE {self._full()})")
            run(connection, f"DELETE FROM {full} WHERE {mine}")
            run(
                connection,
                f"INSERT INTO {full} SELECT * FROM {self._full()} t WHERE {mine}",
            )

        self.server.bounded(work)
        return str(self.uri.with_name(f"{self._schema}.{copy}"))

    def _set_note(self, value: str) -> None:
        if not self.exists():
            return
        where = self._of_outputs()
        sql = f"UPDATE {self._full(_OUTPUTS)} SET note = {value} WHERE {where}"
        self.server.bounded(lambda c: run(c, sql))

    def _output(self, column: str) -> str | None:
        return self.server.bounded(lambda c: self._output_in(c, column))

    def _output_in(self, connection: Connection, column: str) -> str | None:
        outputs = f"'{quoted(self._schema)}.{_OUTPUTS}'"
        if first(connection, f"SELECT to_regclass({outputs})::text AS found") is None:
            return None
        return first(
            connection,
            f"SELECT {column} AS found FROM {self._full(_OUTPUTS)} "
            f"WHERE {self._of_outputs()}",
        )

    def _added_keys(self, rows: pa.Table) -> list[str]:
        """Keys that are no column yet; a column of that name must agree with its key.

        Raises:
            InputError: It does not.
        """
        import pyarrow.compute as pc

        for name in set(self.keys) & set(rows.column_names):
            found = {str(value) for value in pc.unique(rows[name]).to_pylist()}
            if found - {self.keys[name]}:
                raise InputError(
                    f"Column '{name}' holds other values than the address says",
                    where=self.as_uri(),
                    fix=f"leave {name} out of the address, or give it another name",
                )
        return [name for name in self.keys if name not in rows.column_names]

    def _provide_table(self, connection: Connection, types: dict[str, str]) -> None:
        """Create table, columns and index as needed, under a lock, and commit."""
        full, schema = self._full(), quoted(self._schema)
        statements = [
            f"SELECT pg_advisory_xact_lock(hashtextextended({literal(full)}, 0))",
            f"CREATE SCHEMA IF NOT EXISTS {schema}",
            f"CREATE TABLE IF NOT EXISTS {self._full(_OUTPUTS)} (tab text, keys text, "
            "columns text NOT NULL, rows bigint NOT NULL, note text, "
            "PRIMARY KEY (tab, keys))",
            f"CREATE TABLE IF NOT EXISTS {full} ({quoted(ROW)} bigint NOT NULL)",
            *(
                f"ALTER TABLE {full} ADD COLUMN IF NOT EXISTS {quoted(name)} {kind}"
                for name, kind in types.items()
            ),
        ]
        index = [*self.keys, *(name for name in _LOOKED_UP if name in types)]
        columns = ", ".join(quoted(name) for name in index)
        statements.append(
            f"CREATE INDEX IF NOT EXISTS {quoted(self._table[:50] + '_keys')} "
            f"ON {full} ({columns})"
        )
        for sql in statements:
            run(connection, sql)
        found = fetch(
            connection,
            "SELECT attname::text, format_type(atttypid, NULL) AS kind FROM "
            f"pg_attribute WHERE attrelid = {literal(full)}::regclass AND attnum > 0",
        ).to_pydict()
        there = dict(zip(found["attname"], found["kind"], strict=True))
        connection.commit()
        for name, kind in types.items():
            if not there[name].startswith(kind):
                raise StorageError(
                    f"Column '{name}' is {there[name]} in the table, and {kind} in "
                    "what was to be saved",
                    where=self.as_uri(),
                    fix="give the catalog entry another table",
                )

    def _full(self, table: str | None = None) -> str:
        return f"{quoted(self._schema)}.{quoted(table or self._table)}"

    def _mine(self) -> str:
        tests = (f"{quoted(n)}::text = {literal(v)}" for n, v in self.keys.items())
        return " AND ".join(tests)

    def _of_outputs(self) -> str:
        return f"tab = {literal(self._table)} AND keys = {literal(self._key_text())}"

    def _key_text(self) -> str:
        return json.dumps(self.keys, sort_keys=True)

    def _lock(self) -> str:
        name = f"{self._full()} {self._key_text()}"
        return f"hashtextextended({literal(name)}, 1)"
