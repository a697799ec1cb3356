"""The files of a dataset with their hashes, as `sha256sum --check` reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import InputError, StorageError
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.provenance.hashing import sha256_of

Hashes = dict[str, str]


def regular_files(source: Path) -> Iterator[str]:
    """Relative paths of the files of a dataset, sorted; a link to a file is one.

    Raises:
        InputError: There is a link to a folder or to nothing, or something that is no
            file (a pipe, a device).
    """
    if source.is_file():
        yield source.name
        return
    for root, folders, names in os.walk(source):
        folders.sort()
        here = Path(root)
        for name in [*folders, *names]:
            path = here / name
            _check_name(path)
            if not path.is_file() and (path.is_symlink() or name in names):
                raise InputError(
                    "A dataset holds files, links to files, and folders",
                    where=repr(str(path)),
                    fix="replace links to folders by the folders, remove broken ones",
                )
        for name in sorted(names):
            yield (here / name).relative_to(source).as_posix()


def _check_name(path: Path) -> None:
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            "A file name is not UTF-8 text",
            where=repr(str(path)),
            fix="rename it: 'convmv -f latin1 -t utf8' does so for a whole folder",
        ) from None


def located(source: Path, name: str) -> Path:
    """Where a file of a dataset lies; the dataset may be that one file."""
    return source if source.is_file() else source / name


def hashes_of(source: Path) -> Hashes:
    """SHA-256 of every file, by relative path."""
    names = list(regular_files(source))
    found = side_by_side(lambda name: sha256_of(located(source, name)), names)
    return dict(zip(names, found, strict=True))


def differences(before: Hashes, now: Hashes) -> list[str]:
    """What changed, in words; empty if nothing did."""
    told = dict.fromkeys(before.keys() - now.keys(), "missing")
    told |= dict.fromkeys(now.keys() - before.keys(), "new")
    both = before.keys() & now.keys()
    told |= {name: "changed" for name in both if before[name] != now[name]}
    return [f"{name!r} {what}" for name, what in sorted(told.items())]


def write_hashes(path: Path, dataset: str, hashes: Hashes) -> None:
    """Write ``<dataset>.sha256``: check it with ``sha256sum --check`` beside it."""
    lines = []
    for name, digest in sorted(hashes.items()):
        plain = f"{dataset}/{name}"
        escaped = plain.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "" if escaped == plain else "\\"  # as GNU coreutils does
        lines.append(f"{mark}{digest}  {escaped}\n")
    write_text(path, "".join(lines))


def read_hashes(path: Path, dataset: str) -> Hashes:
    """Read what :func:`write_hashes` wrote.

    Raises:
        StorageError: The file is missing or no list of hashes of this dataset.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
        return dict(_parsed(line, dataset) for line in lines if line)
    except (OSError, ValueError) as exc:
        raise StorageError(
            f"The list of hashes of '{dataset}' cannot be read: {exc}",
            where=str(path),
            fix="this folder was not placed by 'kedro cyto ingest', or its list was "
            "lost: ingest it under another name",
        ) from exc


def _parsed(line: str, dataset: str) -> tuple[str, str]:
    escaped = line.startswith("\\")
    digest, found, name = line.removeprefix("\\").partition("  ")
    if not found or len(digest) != 64 or not name.startswith(f"{dataset}/"):
        raise ValueError(f"unexpected line {line[:80]!r}")
    if escaped:
        name = _unescaped(name)
    return name.removeprefix(f"{dataset}/"), digest


def _unescaped(name: str) -> str:
    letters = iter(name)
    meaning = {"n": "\n", "r": "\r", "\\": "\\"}
    return "".join(
        meaning[next(letters)] if letter == "\\" else letter for letter in letters
    )
