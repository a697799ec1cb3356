"""Which scratch may go: what a verified run accounts for, and nobody uses or edited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import locked
from cyto_kedro.core.scope import BENCHMARK_TRIALS, BENCHMARK_WORKFLOW, run_folder
from cyto_kedro.core.uri import Opener
from cyto_kedro.lifecycle.candidates import Candidate, Wanted, matches
from cyto_kedro.lifecycle.contents import Contents, read_contents
from cyto_kedro.lifecycle.remote import RemoteScratch
from cyto_kedro.lifecycle.scratch import (
    LOCK,
    empty,
    folders_in,
    opened,
    remove_if_empty,
    usage_of,
)
from cyto_kedro.lifecycle.vouching import Vouching
from cyto_kedro.provenance.manifest import read_manifest
from cyto_kedro.provenance.run_ids import run_ids
from cyto_kedro.provenance.runs import read_metadata

_TRIAL = re.compile(r"^N(\d+)_r\d+$")


@dataclass
class Purge:
    """Looks at the scratch root, then deletes what was agreed on.

    Args:
        layout: The roots.
        edits: Also delete what somebody edited or added by hand.
        opener: Opens what lies elsewhere; without it only disks are looked at.
    """

    layout: Layout
    edits: bool = False
    opener: Opener | None = None

    def __post_init__(self) -> None:
        self._vouching = Vouching(self.layout, self.opener)
        self._remote = None
        if self.opener is not None:
            self._remote = RemoteScratch(self._vouching, self.opener, self.edits)

    def plan(self, wanted: Wanted, now: datetime | None = None) -> list[Candidate]:
        """Folders that match, each judged; nothing is changed."""
        now = now or datetime.now(UTC)
        found = []
        for candidate in self._candidates():
            if not matches(candidate, wanted):
                continue
            judged = self._judged(candidate)
            if judged is not None and self._is_due(judged, wanted, now):
                found.append(judged)
        return found

    def delete(self, candidate: Candidate) -> None:
        """Delete one folder of the plan, after another look under its lock.

        Raises:
            StorageError: A run is using it, or it is no real folder any more.
            ConfigError: It may no longer be purged.
        """
        root = self.layout.scratch_root
        if candidate.uri:
            if self._remote is None:
                raise StorageError("Nobody can open this", where=candidate.uri)
            self._remote.delete(candidate)
            return
        if candidate.dataset is None:
            empty(root, candidate.parts, keep=())
            for depth in range(len(candidate.parts), 0, -1):
                remove_if_empty(root, candidate.parts[:depth])
            return
        folder = root.joinpath(*candidate.parts)
        if (why := self._vouching.why_in_use(folder, candidate.workflow)) != "":
            raise StorageError(f"Nothing was deleted: {why}", where=str(folder))
        with opened(root, candidate.parts):
            pass  # no link on the way, so that the lock is not made somewhere else
        with locked(folder / LOCK):
            again = self._judged(candidate, under_lock=True)
            if again is None:
                return
            if again.refused:
                raise ConfigError(
                    f"This folder may no longer be purged: {again.refused}",
                    where=str(folder),
                )
            empty(root, candidate.parts)

    def _candidates(self) -> Iterator[Candidate]:
        root = self.layout.scratch_root
        for dataset in folders_in(root) if root.is_dir() else []:
            if dataset == BENCHMARK_TRIALS:
                yield from self._trials()
                continue
            for movie in folders_in(root, (dataset,)):
                for parts in _workflows(root, (dataset, movie)):
                    yield Candidate(parts, dataset, movie, "/".join(parts[2:]))
        if self._remote is not None:
            yield from self._remote.candidates()

    def _trials(self) -> Iterator[Candidate]:
        root, top = self.layout.scratch_root, BENCHMARK_TRIALS
        for run in folders_in(root, (top,)):
            for stage in folders_in(root, (top, run)):
                for name in folders_in(root, (top, run, stage)):
                    jobs = _TRIAL.match(name)
                    yield Candidate(
                        (top, run, stage, name),
                        None,
                        None,
                        BENCHMARK_WORKFLOW,
                        jobs=int(jobs[1]) if jobs else None,
                        run=run,
                    )

    def _judged(
        self, candidate: Candidate, under_lock: bool = False
    ) -> Candidate | None:
        """The candidate with sizes and verdict; None if there is nothing in it."""
        if candidate.uri:
            return self._remote.judged(candidate) if self._remote else None
        files, size = usage_of(self.layout.scratch_root, candidate.parts)
        values = candidate.__dict__ | {"files": files, "size_bytes": size}
        if candidate.dataset is None:
            why = self._vouching.why_unverified(candidate.workflow, candidate.run or "")
            return Candidate(**values | {"refused": why})
        folder = self.layout.scratch_root.joinpath(*candidate.parts)
        contents = read_contents(folder)
        if contents.is_empty:
            return None
        run, why = self._verdict(candidate, contents)
        if not why and not under_lock:
            why = self._vouching.why_in_use(folder, candidate.workflow)
        return Candidate(**values | {"run": run, "refused": why})

    def _verdict(
        self, candidate: Candidate, contents: Contents
    ) -> tuple[str | None, str]:
        """The run that accounts for a folder, and why it may not go."""
        by_hand = contents.by_hand()
        if by_hand and not self.edits:
            shown = ", ".join(repr(name) for name in by_hand[:3])
            more = f" and {len(by_hand) - 3} more" if len(by_hand) > 3 else ""
            return None, f"edited or added by hand: {shown}{more}"
        why = "no run made what is in it"
        if not contents.sidecars:
            return None, "" if self.edits and by_hand else why
        output_root = self.layout.output_root
        for run in reversed(run_ids(output_root, candidate.workflow)):
            folder = run_folder(output_root, candidate.workflow, run)
            if not contents.is_accounted_for(read_manifest(folder) or {}):
                continue
            why = self._vouching.why_unverified(candidate.workflow, run)
            if not why:
                return run, ""
        owners = ", ".join(sorted({s.run_id for s in contents.sidecars.values()}))
        if why.startswith("no run"):
            why = f"no complete run accounts for it (made by {owners})"
        return max(contents.runs, default=None), why

    def _is_due(self, candidate: Candidate, wanted: Wanted, now: datetime) -> bool:
        if wanted.run is not None and candidate.run != wanted.run:
            return False
        if wanted.older_than is None:
            return True
        if candidate.run is None:
            return False
        folder = run_folder(self.layout.output_root, candidate.workflow, candidate.run)
        ended = read_metadata(folder).get("completed_at")
        return bool(ended) and now - _time(str(ended)) >= wanted.older_than


def _workflows(root: Path, parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Folders of workflows in a movie's folder; a workflow's name may hold a slash."""
    for name in folders_in(root, parts):
        inner = (*parts, name)
        nested = folders_in(root, inner)
        deeper = [
            (*inner, other)
            for other in nested
            if root.joinpath(*inner, other, LOCK).is_file()
        ]
        if deeper and not root.joinpath(*inner, LOCK).is_file():
            yield from deeper
        else:
            yield inner


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
