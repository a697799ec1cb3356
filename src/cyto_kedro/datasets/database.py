"""Tables in PostgreSQL, by ADBC: rows of one output are picked by its keys.

Many outputs share one table; ``db://host/database/table?run_id=...&movie=...`` names
the rows of one of them. A save deletes these rows and inserts the new ones in one
transaction, so that others see the rows before or the rows after. What is not columns
(types, order, sidecar) is in the table ``cyto_outputs`` of the same schema; its row is
written in the same transaction and says that the output is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.database_client import (
    Server,
    fetch,
    first,
    literal,
    quoted,
    run,
)
from cyto_kedro.datasets.database_content import content_of_rows
from cyto_kedro.datasets.database_schema import (
    TableName,
    has_outputs,
    provide_table,
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

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,59}$")


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
        self.name = TableName.of(uri)
        names = (self.name.schema, self.name.table, *uri.query)
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
        save_together(self.server, [(self, table)])

    def load(self) -> pa.Table:
        """The rows of this output in their order and with their types.

        Raises:
            FileNotFoundError: It was never saved.
            InputError: Rows were deleted or added by somebody else.
        """
        return self.server.bounded(self.rows_in, snapshot=True)

    def ready(self, table: pa.Table) -> Ready:
        """A table as its rows will lie there.

        Raises:
            InputError: PostgreSQL cannot hold a column, or a key contradicts one.
        """
        import pyarrow as pa

        rows = to_columns(table, self.as_uri())
        for name in self._added_keys(rows):
            values = pa.array([self.keys[name]] * len(rows), pa.string())
            rows = rows.append_column(name, values)
        rows = rows.append_column(ROW, pa.array(range(len(rows)), pa.int64()))
        facts = {"schema": schema_to_text(table.schema)}
        return Ready(rows, json.dumps(facts | {"categories": categories_of(table)}))

    def provide(self, connection: Connection, rows: pa.Table) -> None:
        """Create schema, table, columns and index as needed, and commit.

        Raises:
            StorageError: The table has a column of another type.
        """
        types = column_types(rows)
        provide_table(connection, self.name, types, tuple(self.keys), self.as_uri())

    def replace_in(self, connection: Connection, ready: Ready) -> None:
        """Delete the rows of this output and insert new ones; commits nothing."""
        rows = ready.rows
        with connection.cursor() as cursor:
            # Of two writers of the same rows the second one waits.
            cursor.execute(f"SELECT pg_advisory_xact_lock({self._lock()})")
            cursor.execute(f"DELETE FROM {self.name.full} WHERE {self._mine()}")
            if len(rows):
                cursor.adbc_ingest(
                    self.name.table,
                    rows,
                    mode="append",
                    db_schema_name=self.name.schema,
                )
            cursor.execute(
                f"INSERT INTO {self.name.outputs} (tab, keys, columns, rows) "
                f"VALUES ({literal(self.name.table)}, {literal(self._key_text())}, "
                f"{literal(ready.columns)}, {len(rows)}) ON CONFLICT (tab, keys) DO "
                "UPDATE SET columns = EXCLUDED.columns, rows = EXCLUDED.rows, "
                "note = NULL"
            )

    def rows_in(self, connection: Connection) -> pa.Table:
        """What :meth:`load` returns, within a transaction."""
        kept = self._output_in(connection, "columns")
        if kept is None:
            raise FileNotFoundError(self.as_uri())
        facts = json.loads(kept)
        schema = schema_from_text(facts["schema"])
        names = ", ".join(quoted(name) for name in schema.names) or "NULL"
        found = fetch(
            connection,
            f"SELECT {names} FROM {self.name.full} WHERE {self._mine()} "
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

    def content(self) -> tuple[str, int]:
        """SHA-256 over the rows in their order with names and types, and their size.

        It is that of the table as it is loaded, so that it does not depend on the
        server, on other rows or on the keys in the address.
        """
        return content_of_rows(self.load())

    def state(self) -> str:
        """A hash that the server makes of the rows, in no order."""
        return str(self.server.bounded(self.state_in))

    def state_in(self, connection: Connection) -> str | None:
        """What :meth:`state` returns, within a transaction."""
        hashed = "coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
        return first(
            connection,
            f"SELECT count(*)::text || ' ' || {hashed} AS found "
            f"FROM {self.name.full} t WHERE {self._mine()}",
        )

    def extent(self) -> tuple[int, int]:
        """Rows, and their bytes on the server."""
        sql = (
            "SELECT count(*)::text || ' ' || coalesce(sum(pg_column_size(t)), 0)::text "
            f"AS found FROM {self.name.full} t WHERE {self._mine()}"
        )
        if not self.exists():
            return 0, 0
        rows, size = str(self.server.bounded(lambda c: first(c, sql))).split()
        return int(rows), int(size)

    def remove(self) -> None:
        """Delete the rows and what is known about them, in one transaction."""
        if self.exists():
            self.server.bounded(self.remove_in)

    def remove_in(self, connection: Connection) -> None:
        """What :meth:`remove` does, within a transaction."""
        run(connection, f"SELECT pg_advisory_xact_lock({self._lock()})")
        run(connection, f"DELETE FROM {self.name.full} WHERE {self._mine()}")
        run(connection, f"DELETE FROM {self.name.outputs} WHERE {self._of_outputs()}")

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
        copy = replace(self.name, table=f"{self.name.table[:30]}_{label}"[:59])
        self.server.bounded(lambda c: self.copy_in(c, copy))
        database = self.uri.path.partition("/")[0]
        path = f"{database}/{copy.schema}.{copy.table}"
        return str(replace(self.uri, path=path))

    def copy_in(self, connection: Connection, copy: TableName) -> None:
        """Copy the rows to another table, within a transaction."""
        full, mine = copy.full, self._mine()
        sql = f"CREATE TABLE IF NOT EXISTS {full} (LIKE {self.name.full})"
        run(connection, sql)
        run(connection, f"DELETE FROM {full} WHERE {mine}")
        sql = f"INSERT INTO {full} SELECT * FROM {self.name.full} t WHERE {mine}"
        run(connection, sql)

    def _set_note(self, value: str) -> None:
        if not self.exists():
            return
        where = self._of_outputs()
        sql = f"UPDATE {self.name.outputs} SET note = {value} WHERE {where}"
        self.server.bounded(lambda c: run(c, sql))

    def _output(self, column: str) -> str | None:
        return self.server.bounded(lambda c: self._output_in(c, column))

    def _output_in(self, connection: Connection, column: str) -> str | None:
        if not has_outputs(connection, self.name):
            return None
        return first(
            connection,
            f"SELECT {column} AS found FROM {self.name.outputs} "
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

    def _mine(self) -> str:
        tests = (f"{quoted(n)}::text = {literal(v)}" for n, v in self.keys.items())
        return " AND ".join(tests)

    def _of_outputs(self) -> str:
        return (
            f"tab = {literal(self.name.table)} AND keys = {literal(self._key_text())}"
        )

    def _key_text(self) -> str:
        return json.dumps(self.keys, sort_keys=True)

    def _lock(self) -> str:
        name = f"{self.name.full} {self._key_text()}"
        return f"hashtextextended({literal(name)}, 1)"


@dataclass(frozen=True)
class Ready:
    """A table as it will lie in the database: rows with keys, and what is no row."""

    rows: pa.Table
    columns: str


def save_together(
    server: Server, outputs: Sequence[tuple[TablePlace, pa.Table]]
) -> None:
    """Replace the rows of several outputs in one transaction: all of them or none."""
    todo = [(place, place.ready(table)) for place, table in outputs]

    def work(connection: Connection) -> None:
        for place, ready in todo:
            place.provide(connection, ready.rows)
        for place, ready in todo:
            place.replace_in(connection, ready)

    server.bounded(work)
