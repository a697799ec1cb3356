"""An advisory lock: one run at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyto_kedro.core.errors import StorageError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; the system frees it when the process dies.

    The empty file stays behind: removing it would let two processes lock two files of
    one name.

    Raises:
        StorageError: Another process holds the lock, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise StorageError(
            "Another run is using this folder",
            where=str(path.parent),
            fix="wait for it to end, or stop it",
        ) from exc
    except (OSError, NotImplementedError) as exc:
        raise StorageError(
            f"Cannot lock this folder: {exc}",
            where=str(path),
            fix="check its permissions; the file system must support file locks",
        ) from exc
    try:
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock file ``path``.

    A lock that cannot be asked, on a file system of somebody else, counts as held.
    """
    if not path.exists():
        return False
    try:
        with locked(path):
            return False
    except StorageError:
        return True
