"""What lies in a scratch folder: outputs with sidecars, edits, and things of others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import is_leftover
from cyto_kedro.lifecycle.scratch import LOCK
from cyto_kedro.provenance.hashing import sha256_of
from cyto_kedro.provenance.manifest import describes, path_of
from cyto_kedro.provenance.sidecar import (
    SUFFIX,
    Sidecar,
    read_sidecar,
    touched_since,
)


@dataclass(frozen=True)
class Contents:
    """A scratch folder as read without following links.

    Attributes:
        folder: The folder.
        sidecars: Sidecar of each output, by the output's path.
        others: Files and links that belong to no output, relative to the folder.
    """

    folder: Path
    sidecars: dict[Path, Sidecar]
    others: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left but the lock."""
        return not self.sidecars and not self.others

    @property
    def runs(self) -> set[str]:
        """Runs that made the outputs."""
        return {sidecar.run_id for sidecar in self.sidecars.values()}

    def is_accounted_for(self, manifest: dict[str, Any]) -> bool:
        """Whether a run made or used every output as its sidecar describes it."""
        known = {item["uri"]: item for item in manifest.get("outputs", [])}
        return all(describes(known.get(s.uri), s) for s in self.sidecars.values())

    def by_hand(self) -> list[str]:
        """What no run made: files of others, and outputs edited since.

        An output whose files are all older than its sidecar is not hashed.
        """
        return [*self.others, *self._edited]

    @cached_property
    def _edited(self) -> list[str]:
        return [
            path.relative_to(self.folder).as_posix()
            for path, sidecar in self.sidecars.items()
            if touched_since(path) and sha256_of(path) != sidecar.sha256
        ]


def read_contents(folder: Path) -> Contents:
    """Read the sidecars of a folder and find what they do not cover."""
    sidecars: dict[Path, Sidecar] = {}
    also: set[Path] = set()
    files: list[Path] = []
    for root, names, leaves in os.walk(folder, followlinks=False):
        for name in leaves:
            files.append(Path(root, name))
        for name in list(names):
            path = Path(root, name)
            if path.is_symlink() or is_leftover(path):
                names.remove(name)
                files.append(path)
        for name in leaves:
            output = Path(root, name.removesuffix(SUFFIX))
            if name.endswith(SUFFIX) and not output.is_symlink() and output.exists():
                found = read_sidecar(output)
                if found is not None:
                    sidecars[output] = found
                    also |= {p for uri in found.also if (p := path_of(uri))}
    return Contents(folder, sidecars, _others(folder, files, sidecars, also))


def _others(
    folder: Path, files: list[Path], sidecars: dict[Path, Sidecar], also: set[Path]
) -> tuple[str, ...]:
    covered = set(sidecars) | also | {p.with_name(p.name + SUFFIX) for p in sidecars}

    def is_covered(path: Path) -> bool:
        if path.is_symlink():
            return False
        if path in covered or path == folder / LOCK or is_leftover(path):
            return True
        return not covered.isdisjoint(path.parents)

    loose = [
        path.relative_to(folder).as_posix() for path in files if not is_covered(path)
    ]
    return tuple(sorted(loose))
