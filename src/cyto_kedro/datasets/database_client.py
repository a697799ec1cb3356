"""A PostgreSQL server: work in one transaction and a bounded time."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cyto_kedro.core.errors import ConfigError, CytoError, StorageError
from cyto_kedro.core.uri import Uri, without

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_postgresql.dbapi import Connection

Result = TypeVar("Result")
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_TIMEOUT_S = 600.0
_CONNECT_S = 10
_KNOWN = {"user", "password", "host", "port", "timeout_s", "sslmode"}


class Server:
    """Where a ``db://`` address leads.

    Args:
        uri: The address; for messages it is shown as it is.
        credentials: ``user``, ``password``, ``host``, ``port``, ``sslmode`` and
            ``timeout_s`` (seconds after which work is given up). What is not there
            comes from the variables of PostgreSQL, such as ``PGPASSWORD``.

    Raises:
        ConfigError: Unknown credentials.
    """

    def __init__(self, uri: Uri, credentials: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self._credentials = dict(credentials or {})
        if unknown := sorted(set(self._credentials) - _KNOWN):
            raise ConfigError(
                f"Unknown in the credentials: {', '.join(unknown)}",
                where=str(uri),
                fix=f"known are {', '.join(sorted(_KNOWN))}",
            )

    def __repr__(self) -> str:
        return f"Server({self.uri})"

    def bounded(
        self, work: Callable[[Connection], Result], snapshot: bool = False
    ) -> Result:
        """Do work in one transaction, in a bounded time.

        The library waits for ever for a server that has stopped answering; its thread
        is then left behind, and does not commit any more.

        Args:
            work: What to do with a connection.
            snapshot: Let all that it reads be of one moment.

        Raises:
            StorageError: The server refuses, is away or does not answer.
        """
        done: queue.Queue[Any] = queue.Queue(1)
        given_up = threading.Event()

        def attempt() -> None:
            try:
                with self._connected() as connection:
                    if snapshot:
                        run(connection, _SNAPSHOT)
                    result = work(connection)
                    if not given_up.is_set():
                        connection.commit()
                done.put((result, None))
            except BaseException as exc:
                done.put((None, exc))

        patience = float(self._credentials.get("timeout_s", _TIMEOUT_S))
        threading.Thread(target=attempt, daemon=True, name="postgresql").start()
        try:
            result, error = done.get(timeout=patience)
        except queue.Empty:
            given_up.set()
            raise self._failed(f"no answer within {patience:g} s") from None
        if isinstance(error, CytoError | FileNotFoundError):
            raise error
        if error is not None:
            raise self._failed(f"{error}") from None
        return result

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError as exc:
            raise ConfigError(
                "db:// needs adbc-driver-postgresql, which is not installed",
                where=str(self.uri),
                fix='pip install "cyto-kedro[remote]"',
            ) from exc
        connection = dbapi.connect(self._conninfo())
        try:
            yield connection
        finally:
            connection.close()

    def _conninfo(self) -> str:
        """What libpq is told; it is never shown."""
        host, _, port = self.uri.host.partition(":")
        given = self._credentials
        facts = {
            "dbname": self.uri.path.partition("/")[0],
            "host": host or given.get("host"),
            "port": port or given.get("port"),
            "user": given.get("user"),
            "password": given.get("password"),
            "sslmode": given.get("sslmode"),
            "connect_timeout": _CONNECT_S,
            "application_name": "cyto_kedro",
        }
        quoted = {
            name: str(value).replace("\\", "\\\\").replace("'", "\\'")
            for name, value in facts.items()
            if value not in (None, "")
        }
        return " ".join(f"{name}='{value}'" for name, value in quoted.items())

    def _failed(self, why: str) -> StorageError:
        secrets = {**self._credentials, "env_password": os.environ.get("PGPASSWORD")}
        return StorageError(
            f"PostgreSQL: {without(why, secrets).strip()}",
            where=str(self.uri),
            fix="check server, user and password in credentials.yml, and that the "
            "service runs; then run again",
        )


def run(connection: Connection, sql: str) -> None:
    """Execute one statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


def fetch(connection: Connection, sql: str) -> pa.Table:
    """The rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def first(connection: Connection, sql: str) -> str | None:
    """The first value of a query whose column is called ``found``."""
    values = fetch(connection, sql).column(0).to_pylist()
    return None if not values or values[0] is None else str(values[0])


def quoted(name: str) -> str:
    """A name of a table or column in a statement."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A literal: backslashes are plain since standard_conforming_strings."""
    return "'" + value.replace("\0", "").replace("'", "''") + "'"
