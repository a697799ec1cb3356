"""An advisory lock file: one run at a time in a folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cyto_kedro.core.errors import StorageError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; a lock of a dead process on this host is taken over.

    Raises:
        StorageError: Another live process, or one on another host, holds the lock.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _acquire(path)
    except OSError as exc:
        raise StorageError(
            f"Cannot lock this folder: {exc.strerror or exc}",
            where=str(path.parent),
            fix="check its permissions and free space",
        ) from exc
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _acquire(path: Path) -> None:
    me = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    # Written privately and linked into place: a lock is never seen half-written.
    private = path.with_name(f"{path.name}.{os.getpid()}")
    private.write_text(json.dumps(me), encoding="utf-8")
    try:
        for _ in range(2):
            with suppress(FileExistsError):
                os.link(private, path)
                return
            _drop_if_stale(path)
    finally:
        private.unlink(missing_ok=True)
    raise StorageError(
        "Another run is using this folder",
        where=str(path),
        fix=f"wait for it; if it is gone for sure ({_owner(path)}), delete this file",
    )


def _drop_if_stale(path: Path) -> None:
    owner = _owner(path)
    if owner.get("host") == socket.gethostname() and not _alive(owner.get("pid", 0)):
        path.unlink(missing_ok=True)


def _owner(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _alive(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
