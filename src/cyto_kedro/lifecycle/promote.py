"""Promote a run: verify it, seal it, copy it to an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyto_kedro.core.errors import InputError, StorageError
from cyto_kedro.core.locks import is_locked
from cyto_kedro.core.uri import Folder, Opener
from cyto_kedro.lifecycle.archive import to_disk, to_objects
from cyto_kedro.provenance.manifest import path_of, read_manifest
from cyto_kedro.provenance.runs import DRIVER_LOCK, METADATA, now, read_metadata
from cyto_kedro.provenance.seal import (
    Seal,
    files_below,
    is_sealed,
    make_read_only,
    read_seal,
    seal,
)
from cyto_kedro.provenance.verify import CHANGED, SAME, Verification, verify_run

MIB = 2**20
# Text and tables may be long in a large experiment; anything else of that size is an
# image, an array or a model that belongs in scratch.
COMPACT = (
    ".csv",
    ".graphml.gz",
    ".html",
    ".json",
    ".jsonl",
    ".log",
    ".md",
    ".parquet",
    ".txt",
)


@dataclass(frozen=True)
class Limits:
    """Largest files that a promoted run may hold (MiB)."""

    binary_mib: float = 20.0
    table_mib: float = 2048.0

    def of(self, path: Path) -> float:
        """The limit of one file."""
        compact = path.name.lower().endswith(COMPACT)
        return self.table_mib if compact else self.binary_mib


@dataclass(frozen=True)
class Promotion:
    """A sealed folder of a run, and where its copy is."""

    folder: Path
    seal: Seal
    archived: Path | str | None


def promote(
    folder: Path,
    run_id: str,
    output_root: Path,
    archive: Path | Folder | None = None,
    limits: Limits | None = None,
    opener: Opener | None = None,
) -> list[Promotion]:
    """Seal a completed, whole run; what is sealed already stays as it is.

    Args:
        folder: The run folder.
        run_id: Its run.
        output_root: Where it lies; its place below is kept in the archive.
        archive: Root of an archive to copy to: a folder, or objects below a prefix.
        limits: Largest files allowed.
        opener: Opens results that lie elsewhere, to verify them.

    Returns:
        The run folder; before it those of the benchmark's stages.

    Raises:
        InputError: The run is not complete and whole, changed, or holds large binaries.
        StorageError: The run is still driven, or the archive cannot be written or holds
            something else under this name.
    """
    check_complete(folder, run_id)
    check_unchanged(verify_run(folder, run_id, ("outputs", "seal"), opener), folder)
    folders = [*_stages(folder, output_root), folder]
    for each in folders:
        if not is_sealed(each):
            check_sizes(each, limits or Limits())
    # The run's own folder last: its seal says that all of it is sealed.
    return [_promoted(each, run_id, output_root, archive) for each in folders]


def _promoted(
    folder: Path, run_id: str, output_root: Path, archive: Path | Folder | None
) -> Promotion:
    found = read_seal(folder)
    if found is None:
        found = seal(folder, run_id, now())
    elif different := found.differences(folder):
        raise InputError(
            f"A sealed folder is not what was sealed: {different}", where=str(folder)
        )
    make_read_only(folder)  # again, should a stop have come between
    if archive is None:
        return Promotion(folder, found, None)
    below = folder.relative_to(output_root).as_posix()
    if isinstance(archive, Path):
        return Promotion(folder, found, to_disk(folder, found, archive / below))
    return Promotion(folder, found, to_objects(folder, found, archive.below(below)))


def _stages(folder: Path, output_root: Path) -> list[Path]:
    """Folders of the same run that hold other results: stages of the benchmark."""
    manifest = read_manifest(folder) or {}
    paths = [
        path
        for item in manifest.get("outputs", [])
        if item["class"] == "output" and (path := path_of(item["uri"])) is not None
    ]
    found = {
        parent
        for path in paths
        for parent in path.parents
        if parent.name == folder.name and parent.is_relative_to(output_root.absolute())
    }
    return sorted(found - {folder.absolute()})


def check_complete(folder: Path, run_id: str) -> None:
    """A run that is promoted or vouches for scratch came to its end as a whole.

    Raises:
        InputError: It did not, with the reason.
        StorageError: Its driver is alive.
    """
    said = read_metadata(folder)
    why = ""
    if said.get("status") != "completed":
        why = f"its status is '{said.get('status', 'unknown')}'"
    elif said.get("partial"):
        why = "only some of its nodes or movies were asked for"
    elif unfinished := [
        movie["movie"] for movie in said["movies"] if movie["status"] != "completed"
    ]:
        why = f"movies did not complete: {', '.join(unfinished)}"
    if why:
        raise InputError(
            f"Run {run_id} is not a whole run: {why}",
            where=str(folder / METADATA),
            fix="run the whole pipeline; --only-missing-outputs takes what is there",
        )
    if not is_sealed(folder) and is_locked(folder / DRIVER_LOCK):
        raise StorageError(f"Run {run_id} is still running", where=str(folder))


def check_unchanged(verified: Verification, folder: Path) -> None:
    """Kept results are what the manifest (and the seal) say.

    Raises:
        InputError: They are not, or the run accounts for none.
    """
    if verified.code != SAME:
        changed = verified.code == CHANGED
        what = "are not those of the run" if changed else "cannot all be read from here"
        raise InputError(
            f"The results {what}:\n{verified.as_text()}",
            where=str(folder),
            fix="restore the files, or run again"
            if changed
            else "mount what they lie on, or start the service, and try again",
        )
    if not verified.of("outputs"):
        raise InputError("The manifest of this run lists no result", where=str(folder))


def check_sizes(folder: Path, limits: Limits) -> None:
    """Compact results only.

    Raises:
        InputError: Names the files that are too large.
    """
    large = [
        f"  - {path.relative_to(folder)}: {size / MIB:.1f} MiB, limit {limit:g} MiB"
        for path in files_below(folder)
        if (size := path.stat().st_size) > (limit := limits.of(path)) * MIB
    ]
    if large:
        raise InputError(
            "A promoted run holds compact results only:\n" + "\n".join(large),
            where=str(folder),
            fix="keep images and arrays in scratch, or raise the limit with "
            "--limit-mib or --table-limit-mib",
        )
