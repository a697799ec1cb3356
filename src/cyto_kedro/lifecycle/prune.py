"""What only resuming a run and looking for its errors needs goes; links stay links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.layout import Layout
from cyto_kedro.lifecycle.scratch import (
    empty,
    folders_below,
    folders_in,
    remove,
    remove_if_empty,
    usage_of,
)

_LOG = ".log"


def prune(
    layout: Layout, run_id: str, folders: Iterable[Path], inner: Sequence[str]
) -> tuple[int, int]:
    """Delete logs, what units were told and told back, and what a run left staged.

    Args:
        layout: The roots.
        run_id: The run; nobody drives it.
        folders: Its folders with logs, below the output root.
        inner: Names of folders in those whose content goes too.

    Returns:
        Number of files in the folders with logs that went, and their bytes.
    """
    files = size = 0
    root = layout.output_root
    for folder in folders:
        parts = folder.relative_to(root).parts
        with suppress(StorageError):  # not there, or a link to somewhere else
            before = usage_of(root, parts)
            for name in set(inner) & set(folders_in(root, parts)):
                empty(root, (*parts, name), keep=())
                remove_if_empty(root, (*parts, name))
            remove(root, parts, lambda name: name.endswith(_LOG))
            after = usage_of(root, parts)
            files += before[0] - after[0]
            size += before[1] - after[1]
    if layout.scratch_root.is_dir():
        _remove_staged(layout.scratch_root, run_id)
    return files, size


def _remove_staged(root: Path, run_id: str) -> None:
    def is_staged(name: str) -> bool:
        return name.startswith(".") and f".{run_id}." in name

    for parts in list(folders_below(root)):
        if not any(map(is_staged, parts)):
            with suppress(StorageError):  # gone meanwhile
                remove(root, parts, is_staged)
