"""The seal of a run: `sealed.json` lists every file of its folder with its hash."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.provenance.hashing import sha256_of

SEAL = "sealed.json"


@dataclass(frozen=True)
class Seal:
    """What a run folder held when it was sealed."""

    run_id: str
    sealed_at: str
    files: dict[str, dict[str, Any]]

    def differences(self, folder: Path) -> dict[str, str]:
        """Files of a folder that are changed, missing or added, by relative path."""
        now = {path.relative_to(folder).as_posix() for path in files_below(folder)}
        found = dict.fromkeys(sorted(set(self.files) - now), "missing")
        found |= dict.fromkeys(sorted(now - set(self.files) - {SEAL}), "added")
        names = sorted(now & set(self.files))
        hashes = side_by_side(sha256_of, [folder / name for name in names])
        found |= {
            name: "changed"
            for name, digest in zip(names, hashes, strict=True)
            if digest != self.files[name]["sha256"]
        }
        return found


def is_sealed(folder: Path) -> bool:
    """Whether a run folder bears a seal."""
    return (folder / SEAL).exists()


def refuse_if_sealed(folder: Path) -> None:
    """Nothing writes into a sealed run.

    Raises:
        StorageError: The run is sealed.
    """
    if is_sealed(folder):
        raise StorageError(
            "This run is sealed: nothing in its folder may change",
            where=str(folder),
            fix="start a new run",
        )


def read_seal(folder: Path) -> Seal | None:
    """The seal of a run folder; None if it has none.

    Raises:
        StorageError: There is a seal that cannot be read.
    """
    path = folder / SEAL
    if not path.exists():
        return None
    try:
        return Seal(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as exc:
        raise StorageError(
            f"The seal cannot be read: {exc}",
            where=str(path),
            fix="restore the folder from its archive",
        ) from exc


def seal(folder: Path, run_id: str, when: str) -> Seal:
    """List and hash all files of a run folder, then take away all write permissions.

    The seal comes last: a folder that was being sealed when the machine stopped bears
    none, and sealing it again is safe.

    Raises:
        StorageError: The folder holds a link: what it points to cannot be sealed.
    """
    paths = sorted(files_below(folder))
    hashes = side_by_side(sha256_of, paths)
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": digest,
            "size_bytes": path.stat().st_size,
        }
        for path, digest in zip(paths, hashes, strict=True)
        if path.name != SEAL
    }
    made = Seal(run_id, when, files)
    content = {"run_id": run_id, "sealed_at": when, "files": files}
    write_text(folder / SEAL, json.dumps(content, indent=1) + "\n")
    make_read_only(folder)
    return made


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder.

    Raises:
        StorageError: There is a link among them.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_symlink():
            raise StorageError(
                "A run folder holds files, not links",
                where=entry.path,
                fix="replace the link by what it points to, or remove it",
            )
        if entry.is_dir():
            yield from files_below(Path(entry.path))
        else:
            yield Path(entry.path)


def make_read_only(folder: Path, files: bool = True) -> None:
    """Take the write permission from everybody; links are not followed.

    Args:
        folder: A folder, changed last, so that a stop halfway can be repeated.
        files: Also the files in it, not only the folders.
    """
    for root, folders, names in os.walk(folder, topdown=False):
        for name in [*folders, *(names if files else [])]:
            _drop_write(Path(root) / name)
    _drop_write(folder)


def _drop_write(path: Path) -> None:
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode):
        path.chmod(stat.S_IMODE(mode) & ~0o222)
