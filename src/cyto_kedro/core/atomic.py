"""Write under a staging name, publish by rename: a final name is always whole."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyto_kedro.core.errors import StorageError

STAGING_SUFFIX = ".partial"
_RETIRED_SUFFIX = ".retired"


@contextmanager
def staged(path: Path | str) -> Iterator[Path]:
    """Yield a private name beside ``path``; on success it becomes ``path``.

    Works for files and for directories (a directory is created by the caller). An
    error, or a kill at any moment, leaves the previous content of ``path`` in place
    or nothing, never half of the new one. The stale staging name of a killed run is
    removed by :func:`remove_leftovers`.

    Raises:
        StorageError: The folder cannot be written, or the disk is full.
    """
    final = Path(path)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        stage = final.parent / f".{final.name}.{uuid.uuid4().hex[:12]}{STAGING_SUFFIX}"
        try:
            yield stage
            publish(stage, final)
        finally:
            _remove(stage)
    except OSError as exc:
        raise StorageError(
            f"Cannot write: {exc.strerror or exc}",
            where=str(final),
            fix="check free space and permissions of this folder, then run again",
        ) from exc


def publish(stage: Path, final: Path) -> None:
    """Rename ``stage`` to ``final``, replacing a file or a directory there."""
    if final.is_dir() and not final.is_symlink():
        # A directory cannot be replaced in one step: move the old one aside first.
        retired = final.parent / f".{final.name}.{uuid.uuid4().hex[:12]}"
        retired = retired.with_name(retired.name + _RETIRED_SUFFIX)
        os.rename(final, retired)
        os.rename(stage, final)
        shutil.rmtree(retired, ignore_errors=True)
    else:
        os.replace(stage, final)


def remove_leftovers(folder: Path, keep: str | None = None) -> list[Path]:
    """Delete what killed runs left staged below ``folder``; return what went.

    What bears the run id ``keep`` in its name stays.
    """
    if not folder.is_dir():
        return []
    found = [
        path
        for suffix in (STAGING_SUFFIX, _RETIRED_SUFFIX)
        for path in folder.rglob(f".*{suffix}")
        if not path.is_symlink() and not (keep and f".{keep}." in path.name)
    ]
    for path in found:
        _remove(path)
    return found


def is_leftover(path: Path) -> bool:
    """Whether a path is what a killed run left staged."""
    marks = (STAGING_SUFFIX, _RETIRED_SUFFIX)
    return path.name.startswith(".") and path.name.endswith(marks)


def write_text(path: Path | str, text: str) -> None:
    """Write a small text file atomically."""
    with staged(path) as stage:
        stage.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
