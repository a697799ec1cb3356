"""Copies of sealed runs: on a disk, or as objects; checked before they count."""

from __future__ import annotations

import shutil
from pathlib import Path

from cyto_kedro.core.atomic import STAGING_SUFFIX, staged
from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.locks import locked
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.core.uri import Folder
from cyto_kedro.provenance.hashing import sha256_of
from cyto_kedro.provenance.seal import SEAL, Seal, files_below, make_read_only

_SHOWN = 5


def to_disk(folder: Path, sealed: Seal, final: Path) -> Path:
    """Copy a sealed run; an equal copy may be there already.

    Args:
        folder: The run folder.
        sealed: Its seal.
        final: The folder of the copy; it gets this name when it is whole.

    Raises:
        StorageError: Something else is there, or it cannot be written.
    """
    if not (final.is_symlink() or final.exists()):
        _copy(folder, sealed, final)
    _check_copy(final, folder, sealed)
    make_read_only(final)  # again, should a stop have come between
    return final


def to_objects(folder: Path, sealed: Seal, target: Folder) -> str:
    """Put a sealed run into object storage; what is there already stays.

    Every object is read again and hashed. The seal is put last: where there is none the
    copy is not whole, and archiving once more goes on with it.

    Args:
        folder: The run folder.
        sealed: Its seal.
        target: Where the objects go.

    Returns:
        The address of the copy.

    Raises:
        StorageError: Something else is there, or the service fails.
    """
    there = set(target.listing())
    seal = (folder / SEAL).read_bytes()
    found = target.read(SEAL) if SEAL in there else None
    wrong = sorted(there - set(sealed.files) - {SEAL})
    if wrong or found not in (None, seal):
        raise _not_what_was_sealed(target.as_uri(), wrong or [SEAL])

    def put(name: str) -> str | None:
        if name not in there:
            if found is not None:
                return name  # a copy that was whole has lost it
            target.upload(folder / name, name)
        same = target.sha256(name) == sealed.files[name]["sha256"]
        return None if same else name

    if wrong := [name for name in side_by_side(put, sealed.files) if name]:
        raise _not_what_was_sealed(target.as_uri(), wrong)
    if found is None:
        target.upload(folder / SEAL, SEAL)
        if target.read(SEAL) != seal:
            raise _not_what_was_sealed(target.as_uri(), [SEAL])
    return target.as_uri()


def _copy(folder: Path, sealed: Seal, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(final.parent / f".{final.name}.archive.lock"):
        for stale in final.parent.glob(f".{final.name}.*{STAGING_SUFFIX}"):
            shutil.rmtree(stale)  # of a copy that was killed
        with staged(final) as stage:
            for path in files_below(folder):  # contents only: permissions come last
                target = stage / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            _check_copy(stage, folder, sealed)


def _check_copy(copy: Path, folder: Path, sealed: Seal) -> None:
    if copy.is_symlink() or not copy.is_dir():
        raise _not_what_was_sealed(str(copy), [])
    different = sorted(sealed.differences(copy))
    seal = copy / SEAL
    if not different and (
        not seal.is_file() or sha256_of(seal) != sha256_of(folder / SEAL)
    ):
        different = [SEAL]
    if different:
        raise _not_what_was_sealed(str(copy), different)


def _not_what_was_sealed(where: str, names: list[str]) -> StorageError:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    told = f": {', '.join(map(repr, names[:_SHOWN]))}{more}" if names else ""
    return StorageError(
        f"The archive does not hold what was sealed{told}",
        where=where,
        fix="look at it and move it aside, then promote again",
    )
