"""Place a snapshot of a dataset below the raw root: hashed, whole, read-only."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cyto_kedro.core.atomic import STAGING_SUFFIX, staged, write_text
from cyto_kedro.core.errors import ConfigError, InputError, StorageError
from cyto_kedro.core.locks import locked
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.lifecycle.snapshot import (
    Hashes,
    differences,
    hashes_of,
    located,
    read_hashes,
    write_hashes,
)
from cyto_kedro.provenance.runs import now
from cyto_kedro.provenance.seal import make_read_only

Mode = Literal["copy", "link", "move"]
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_SHOWN = 5


@dataclass(frozen=True)
class Ingested:
    """A snapshot below the raw root.

    ``already`` says that it was there, with the same content, before.
    """

    folder: Path
    hashes: Path
    files: int
    size_bytes: int
    already: bool


def ingest(source: Path, dataset: str, data_root: Path, mode: Mode) -> Ingested:
    """Place a folder (or a single file) as ``<data_root>/<dataset>``.

    Beside it come ``<dataset>.sha256`` and ``<dataset>.snapshot.json``. Ingesting the
    same content again changes nothing; other content under the same name is refused.

    Args:
        source: What the microscope wrote.
        dataset: Name of the dataset: a folder below the raw root.
        data_root: The raw root.
        mode: ``copy``; ``link``: one link per file, nothing is read-only but the
            folders with the links; ``move``: at once within a file system, else copied,
            checked, and then deleted at the source.

    Raises:
        ConfigError: The name is not usable.
        InputError: The source is missing, empty, or holds what is no file.
        StorageError: A snapshot of this name has other content, or the root cannot be
            written.
    """
    source, data_root = source.absolute(), data_root.absolute()
    _check_names(source, dataset, data_root, mode)
    data_root.mkdir(parents=True, exist_ok=True)
    with locked(data_root / f".{dataset}.ingest.lock"):
        final, listing = data_root / dataset, data_root / f"{dataset}.sha256"
        if os.path.lexists(final):
            hashes = _same_again(source, final, read_hashes(listing, dataset))
            already = True
        else:
            for stale in data_root.glob(f".{dataset}.*{STAGING_SUFFIX}"):
                shutil.rmtree(stale)  # of an ingest that was killed
            hashes = hashes_of(source)
            already = False
            _note(source, dataset, data_root, mode, hashes)
            _PLACE[mode](source, final, hashes)
        make_read_only(final, files=not _has_links(final))
    size = sum((final / name).stat().st_size for name in hashes)
    return Ingested(final, listing, len(hashes), size, already)


def _check_names(source: Path, dataset: str, data_root: Path, mode: Mode) -> None:
    if not _NAME.match(dataset):
        raise ConfigError(
            f"'{dataset}' is not a usable dataset name",
            where="--dataset",
            fix="use letters, digits, '_', '-' and '.': it names a folder",
        )
    if not source.exists():
        raise InputError("The source does not exist", where=str(source))
    if mode == "move" and source.is_symlink():
        raise InputError(
            "A link cannot be moved", where=str(source), fix="name what it points to"
        )
    inner, outer = source.resolve(), (data_root / dataset).resolve()
    if inner != outer and (outer.is_relative_to(inner) or inner.is_relative_to(outer)):
        raise ConfigError(
            "The source and its place below the raw root lie in each other",
            where=f"{inner} and {outer}",
            fix="move one of them out of the other",
        )


def _same_again(source: Path, final: Path, known: Hashes) -> Hashes:
    """Both the source and the snapshot must be what was ingested before."""
    for path, whose in ((final, "snapshot"), (source, "source")):
        if changed := differences(known, hashes_of(path)):
            more = len(changed) - _SHOWN
            shown = changed[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
            raise StorageError(
                f"The {whose} is not what was ingested as '{final.name}': "
                + ", ".join(shown),
                where=str(path),
                fix="a snapshot never changes: ingest under another name",
            )
    return known


def _note(
    source: Path, dataset: str, data_root: Path, mode: Mode, hashes: Hashes
) -> None:
    """Hashes and origin come first: a folder under its final name has both."""
    if not hashes:
        raise InputError("There is no file in the source", where=str(source))
    write_hashes(data_root / f"{dataset}.sha256", dataset, hashes)
    facts: dict[str, Any] = {"dataset": dataset, "source": str(source), "mode": mode}
    facts |= {"ingested_at": now(), "files": len(hashes)}
    text = json.dumps(facts, indent=1) + "\n"
    write_text(data_root / f"{dataset}.snapshot.json", text)


def _copy(source: Path, final: Path, hashes: Hashes) -> None:
    needed = sum(located(source, name).stat().st_size for name in hashes)
    if (free := shutil.disk_usage(final.parent).free) < needed:
        raise StorageError(
            f"The disk is too small: {needed / 2**30:.2f} GiB are needed, "
            f"{free / 2**30:.2f} GiB are free",
            where=str(final.parent),
            fix="use --link, or another data_root",
        )
    with staged(final) as stage:
        stage.mkdir()

        def copy(name: str) -> None:
            target = stage / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # Times too: a run knows raw files by their size and time.
            shutil.copy2(located(source, name), target)

        side_by_side(copy, hashes)
        if changed := differences(hashes, hashes_of(stage)):
            raise StorageError(
                f"The copy is not what was read: {', '.join(changed[:_SHOWN])}",
                where=str(final),
                fix="is the microscope still writing? try again",
            )


def _link(source: Path, final: Path, hashes: Hashes) -> None:
    with staged(final) as stage:
        stage.mkdir()
        for name in hashes:
            target = stage / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(located(source, name).resolve())


def _move(source: Path, final: Path, hashes: Hashes) -> None:
    if source.is_dir() and _has_links(source):
        raise InputError(
            "A dataset with links is not moved: they might lead nowhere afterwards",
            where=str(source),
            fix="use --copy, which takes what the links point to",
        )
    if source.is_dir() and source.stat().st_dev == final.parent.stat().st_dev:
        os.rename(source, final)
        return
    _copy(source, final, hashes)
    # Only what was read and checked goes; what came since stays where it is.
    for name in hashes:
        located(source, name).unlink()
    for root, _, _ in os.walk(source, topdown=False):
        if not os.listdir(root):
            os.rmdir(root)


_PLACE = {"copy": _copy, "link": _link, "move": _move}


def _has_links(folder: Path) -> bool:
    return any(
        Path(root, name).is_symlink()
        for root, folders, names in os.walk(folder)
        for name in [*folders, *names]
    )
