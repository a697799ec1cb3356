"""Content hashes of files and of folders such as Zarr stores."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or the tree hash of a folder.

    The tree hash is the SHA-256 over the sorted lines ``<relative path> <sha256>``, so
    that it depends on names and contents but not on times or on the order of writing.
    """
    if path.is_dir():
        lines = [
            f"{item.relative_to(path).as_posix()} {_file(item)}\n"
            for item in sorted(path.rglob("*"))
            if item.is_file()
        ]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    return _file(path)


def sha256_unless_known(path: Path) -> str:
    """As :func:`sha256_of`; a file that did not change is read once per process."""
    if path.is_dir():
        return sha256_of(path)
    facts = path.stat()
    return _remembered(path, facts.st_size, facts.st_mtime_ns)


def size_of(path: Path) -> int:
    """Bytes of a file or of all files in a folder."""
    if path.is_dir():
        return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    return path.stat().st_size


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON-able value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=64)
def _remembered(path: Path, size: int, modified_ns: int) -> str:
    return _file(path)


def _file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
