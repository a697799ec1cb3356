"""How much the storage classes hold, by dataset, movie and workflow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import CytoError, first_line
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.roots import StorageClass
from cyto_kedro.core.scope import RUN_ID
from cyto_kedro.core.uri import Root
from cyto_kedro.lifecycle.scratch import folders_in, usage_of
from cyto_kedro.provenance.seal import is_sealed

CLASSES: tuple[StorageClass, ...] = ("raw", "scratch", "output")


@dataclass(frozen=True)
class Usage:
    """One folder: a dataset of raw, a movie's workflow in scratch, a run.

    ``linked_bytes`` is what links in it point to: files that lie elsewhere. Of what is
    on no disk ``path`` is a URI, and ``why`` says why nothing is known about it.
    """

    storage: StorageClass
    dataset: str | None
    movie: str | None
    workflow: str | None
    run: str | None
    path: str
    files: int
    size_bytes: int
    linked_bytes: int = 0
    sealed: bool = False
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def usage(layout: Layout, root_of: Callable[[str], Root] | None = None) -> list[Usage]:
    """Every folder of the three roots, biggest first within its class.

    Args:
        layout: The roots.
        root_of: Opens roots that are on no disk; without it they are left out.
    """
    found = [*_raw(layout), *_scratch(layout), *_output(layout)]
    if root_of is not None:
        found += _remote(layout, root_of)
    order = {name: number for number, name in enumerate(CLASSES)}
    return sorted(found, key=lambda u: (order[u.storage], -u.size_bytes, u.path))


def _raw(layout: Layout) -> Iterator[Usage]:
    root = layout.data_root
    if not root.is_dir():
        return
    for entry in sorted(root.iterdir()):
        # A dataset may be a link to an archive: the root of what is counted.
        if entry.is_dir():
            files, size = usage_of(entry)
            linked = _linked(entry)
            yield Usage(
                "raw", entry.name, None, None, None, str(entry), files, size, linked
            )


def _scratch(layout: Layout) -> Iterator[Usage]:
    root = layout.scratch_root
    for dataset in folders_in(root) if root.is_dir() else []:
        for movie in folders_in(root, (dataset,)):
            for workflow in folders_in(root, (dataset, movie)):
                parts = (dataset, movie, workflow)
                files, size = usage_of(root, parts)
                path = str(root.joinpath(*parts))
                yield Usage(
                    "scratch", dataset, movie, workflow, None, path, files, size
                )


def _output(layout: Layout) -> Iterator[Usage]:
    root = layout.output_root
    for folder, folders, _ in os.walk(root):
        runs = [name for name in sorted(folders) if _is_run(name)]
        folders[:] = sorted(set(folders) - set(runs))  # no run lies in a run
        for name in runs:
            path = Path(folder, name)
            files, size = usage_of(path)
            yield Usage(
                "output",
                None,
                None,
                Path(folder).relative_to(root).as_posix(),
                name.removeprefix("run_"),
                str(path),
                files,
                size,
                sealed=is_sealed(path),
            )


def _remote(layout: Layout, root_of: Callable[[str], Root]) -> Iterator[Usage]:
    for kind, roots in layout.remote.by_class():
        for address in roots:
            try:
                parts, why = root_of(address).usage(), ""
            except CytoError as exc:  # a service that is away
                parts, why = {address: (0, 0)}, first_line(exc)
            for path, (files, size) in parts.items():
                yield Usage(kind, None, None, None, None, path, files, size, why=why)


def _is_run(name: str) -> bool:
    return name.startswith("run_") and bool(RUN_ID.match(name.removeprefix("run_")))


def _linked(folder: Path) -> int:
    """Bytes of the files that links point to."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if path.is_symlink() and path.is_file():
                total += path.stat().st_size
    return total
