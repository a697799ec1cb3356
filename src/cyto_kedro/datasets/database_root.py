"""How much outputs in PostgreSQL hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.database_client import Server, fetch
from cyto_kedro.datasets.database_schema import TableName

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection

_SIZES = (
    "SELECT schemaname::text AS schema, tablename::text AS tab, pg_total_relation_size("
    "format('%I.%I', schemaname, tablename)::regclass) AS size FROM pg_tables "
    "WHERE schemaname IN (SELECT schemaname FROM pg_tables "
    "WHERE tablename = 'cyto_outputs')"
)


class DatabaseRoot:
    """A database, or one of its tables or schemas.

    Args:
        uri: ``db://host:port/database``, perhaps with ``/table`` or ``/schema``.
        credentials: As :class:`Server` takes them.
    """

    def __init__(self, uri: Uri, credentials: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.server = Server(uri, credentials)

    def usage(self) -> dict[str, tuple[int, int]]:
        """Outputs in each table and bytes on the server, indices with them."""

        def work(connection: Connection) -> dict[str, tuple[int, int]]:
            found: dict[tuple[str, str], int] = {}
            sizes = fetch(connection, _SIZES).to_pydict()
            for schema in sorted(set(sizes["schema"])):
                outputs = TableName(schema, "").outputs
                sql = f"SELECT tab, count(*) AS n FROM {outputs} GROUP BY tab"
                counts = fetch(connection, sql).to_pydict()
                found |= {
                    (schema, tab): number
                    for tab, number in zip(counts["tab"], counts["n"], strict=True)
                }
            return {
                self._address(schema, tab): (found[schema, tab], size)
                for schema, tab, size in zip(*sizes.values(), strict=True)
                if (schema, tab) in found and self._holds(schema, tab)
            }

        return self.server.bounded(work)

    def _holds(self, schema: str, table: str) -> bool:
        _, _, name = self.uri.path.partition("/")
        inner, _, wanted = name.rpartition(".")
        if not name or name == schema:
            return True
        # A network is two tables.
        tables = (wanted, f"{wanted}_nodes", f"{wanted}_edges")
        return schema == (inner or "public") and table in tables

    def _address(self, schema: str, table: str) -> str:
        database = self.uri.path.partition("/")[0]
        return f"db://{self.uri.host}/{database}/{schema}.{table}"
