"""The scratch root, walked and deleted without ever following a link.

Every folder is opened by its name in an open parent folder with ``O_NOFOLLOW``. A link
that somebody puts in the place of a folder, at any time, ends the walk there.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cyto_kedro.core.errors import StorageError

LOCK = ".lock"
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextmanager
def opened(root: Path, parts: Sequence[str] = ()) -> Iterator[int]:
    """A folder below a root as a file descriptor.

    Args:
        root: May itself be a link: it is what ``globals.yml`` names.
        parts: Names of folders, each in the one before.

    Raises:
        StorageError: A part is no plain name, no folder, or a link.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            if part in ("", ".", "..") or "/" in part or "\0" in part:
                raise _outside(root, parts)
            try:
                inner = os.open(part, _FLAGS, dir_fd=descriptor)
            except OSError as exc:
                raise _outside(root, parts) from exc
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def folders_in(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """Names of the real folders in a folder, sorted; links are left out."""
    with opened(root, parts) as descriptor, os.scandir(descriptor) as entries:
        return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))


def usage_of(root: Path, parts: Sequence[str] = ()) -> tuple[int, int]:
    """(files, bytes) below a folder; a link counts as itself, a hard link once."""
    seen: set[tuple[int, int]] = set()
    files = size = 0
    with opened(root, parts) as descriptor:
        for _, _, names, inner in os.fwalk(dir_fd=descriptor, follow_symlinks=False):
            for name in names:
                with suppress(FileNotFoundError):  # a run may be at work
                    facts = os.stat(name, dir_fd=inner, follow_symlinks=False)
                    key = facts.st_dev, facts.st_ino
                    if facts.st_nlink > 1 and key in seen:
                        continue
                    seen.add(key)
                    files, size = files + 1, size + facts.st_size
    return files, size


def empty(root: Path, parts: Sequence[str], keep: Sequence[str] = (LOCK,)) -> None:
    """Delete what is in a folder, but not the lock file: somebody may wait for it.

    Raises:
        StorageError: The folder is not a real folder below the root.
    """
    remove(root, parts, lambda name: name not in keep)


def remove(root: Path, parts: Sequence[str], wanted: Callable[[str], bool]) -> None:
    """Delete what is in a folder and has a wanted name.

    Raises:
        StorageError: The folder is not a real folder below the root.
    """
    if not shutil.rmtree.avoids_symlink_attacks:
        raise StorageError(
            "This system cannot delete folders without following links",
            where=str(root),
            fix="delete the folders by hand",
        )
    with opened(root, parts) as descriptor:
        for name in sorted(filter(wanted, os.listdir(descriptor))):
            mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                shutil.rmtree(name, dir_fd=descriptor)
            else:
                os.unlink(name, dir_fd=descriptor)


def folders_below(root: Path, parts: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
    """Every real folder below a folder and that folder itself, as parts of the root."""
    yield tuple(parts)
    for name in folders_in(root, parts):
        yield from folders_below(root, (*parts, name))


def remove_if_empty(root: Path, parts: Sequence[str]) -> None:
    """Remove a folder that holds nothing."""
    with opened(root, parts[:-1]) as descriptor, suppress(OSError):
        os.rmdir(parts[-1], dir_fd=descriptor)


def _outside(root: Path, parts: Sequence[str]) -> StorageError:
    return StorageError(
        "This is not a folder of the scratch root",
        where=repr(str(Path(root, *parts))),
        fix="a link or an odd name lies there: look at it, nothing was deleted",
    )
