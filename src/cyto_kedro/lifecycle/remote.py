"""Scratch in object storage and databases: what runs list, below configured roots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError, CytoError, StorageError, first_line
from cyto_kedro.core.locks import locked
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW, run_folder
from cyto_kedro.core.uri import Opener, Place
from cyto_kedro.lifecycle.candidates import Candidate
from cyto_kedro.lifecycle.scratch import LOCK, folders_in
from cyto_kedro.lifecycle.vouching import Vouching
from cyto_kedro.provenance.manifest import describes, read_manifest
from cyto_kedro.provenance.run_ids import run_ids
from cyto_kedro.provenance.runs import read_metadata
from cyto_kedro.provenance.sidecar import Sidecar, is_untouched, read_sidecar

Claims = dict[str, list[tuple[str, dict[str, Any]]]]


@dataclass
class RemoteScratch:
    """Outputs elsewhere that manifests list and that lie below a scratch root.

    What no manifest lists is never touched: its owner is unknown.

    Args:
        vouching: Knows which runs are verified and which are at work.
        opener: Opens an output.
        edits: Also delete what somebody edited.
    """

    vouching: Vouching
    opener: Opener
    edits: bool = False
    _known: dict[str, Claims] = field(default_factory=dict)

    def candidates(self) -> Iterator[Candidate]:
        """Every output once, whether it is still there or not."""
        for workflow in self._workflows():
            for uri, claims in self._claims(workflow).items():
                run, item = claims[0]
                found = Candidate(
                    parts=(),
                    dataset=None,
                    movie=item["movie"],
                    workflow=workflow,
                    uri=uri,
                    data_type=item["data_type"],
                    also=tuple(sorted(item["also"])),
                )
                yield replace(found, dataset=self._dataset(found, run))

    def judged(
        self, candidate: Candidate, under_lock: bool = False
    ) -> Candidate | None:
        """The candidate with size and verdict; None if nothing is there any more."""
        try:
            places = self._places(candidate)
            extents = [place.extent() for place in places]
            files, size = (sum(values) for values in zip(*extents, strict=True))
            if not files and not places[0].exists():
                return None
            run, why = self._verdict(candidate, places[0])
        except CytoError as exc:
            return replace(candidate, refused=f"cannot be read: {first_line(exc)}")
        if not why and not under_lock:
            why = self._why_in_use(candidate)
        sizes = {"files": files, "size_bytes": size}
        return replace(candidate, run=run, refused=why, **sizes)

    def delete(self, candidate: Candidate) -> None:
        """Delete one output, after another look under its locks.

        Raises:
            StorageError: A run is using it, or it lies below no scratch root.
            ConfigError: It may no longer be purged.
        """
        for uri in (candidate.uri, *candidate.also):
            if not self._is_scratch(uri):
                raise StorageError(
                    "Nothing was deleted: this is not below a scratch root",
                    where=uri,
                    fix="name its root in remote.scratch of globals.yml",
                )
        if why := self._why_in_use(candidate):
            raise StorageError(f"Nothing was deleted: {why}", where=candidate.uri)
        with ExitStack() as held:
            for folder in self._folders(candidate):
                held.enter_context(locked(folder / LOCK))
            again = self.judged(candidate, under_lock=True)
            if again is None:
                return
            if again.refused:
                raise ConfigError(
                    f"This output may no longer be purged: {again.refused}",
                    where=candidate.uri,
                )
            for place in self._places(candidate):
                place.remove()

    def _verdict(self, candidate: Candidate, place: Place) -> tuple[str | None, str]:
        """The run that accounts for an output, and why it may not go."""
        sidecar = read_sidecar(place)
        if sidecar is None or sidecar.uri != candidate.uri:
            return None, "it has no sidecar: no run made what is there"
        # Of a deletion that was stopped the sidecar is what remains to the last.
        whole = place.exists()
        if whole and not self.edits and not is_untouched(place, sidecar):
            return sidecar.run_id, "edited by hand"
        return sidecar.run_id, self._why_unverified(candidate, sidecar)

    def _why_unverified(self, candidate: Candidate, sidecar: Sidecar) -> str:
        why = f"no complete run accounts for it (made by {sidecar.run_id})"
        for run, item in self._claims(candidate.workflow).get(candidate.uri, []):
            if describes(item, sidecar):
                why = self.vouching.why_unverified(candidate.workflow, run)
                if not why:
                    return ""
        return why

    def _why_in_use(self, candidate: Candidate) -> str:
        for folder in self._folders(candidate):
            if why := self.vouching.why_in_use(folder, candidate.workflow):
                return why
        return self.vouching.why_driven(candidate.workflow)

    def _folders(self, candidate: Candidate) -> list[Path]:
        """Scratch folders on the disk whose locks protect an output."""
        root = self.vouching.layout.scratch_root
        found = []
        for dataset in folders_in(root) if root.is_dir() else []:
            for movie in folders_in(root, (dataset,)):
                folder = root.joinpath(dataset, movie, candidate.workflow)
                if candidate.movie in (None, movie) and folder.is_dir():
                    found.append(folder)
        return found

    def _places(self, candidate: Candidate) -> list[Place]:
        """The output first, then what lies beside it."""
        first = self.opener(candidate.uri, candidate.data_type)
        return [first, *(self.opener(uri, "Arbitrary") for uri in candidate.also)]

    def _claims(self, workflow: str) -> Claims:
        """Runs, newest first, that list an output of scratch, and what they say."""
        if workflow in self._known:
            return self._known[workflow]
        found: Claims = {}
        root = self.vouching.layout.output_root
        for run in reversed(run_ids(root, workflow)):
            manifest = read_manifest(run_folder(root, workflow, run)) or {}
            for item in manifest.get("outputs", []):
                if self._is_scratch(item["uri"]):
                    found.setdefault(item["uri"], []).append((run, item))
        self._known[workflow] = found
        return found

    def _is_scratch(self, uri: str) -> bool:
        """Whether an address lies below a scratch root of today's configuration."""
        try:
            return self.vouching.layout.remote.class_of(uri) == "scratch"
        except ConfigError:  # a manifest that somebody has written by hand
            return False

    def _workflows(self) -> list[str]:
        root = self.vouching.layout.output_root
        return [*(folders_in(root) if root.is_dir() else []), BENCHMARK_WORKFLOW]

    def _dataset(self, candidate: Candidate, run: str) -> str | None:
        """Dataset of a movie: where its scratch is, else that of the whole run."""
        root = self.vouching.layout.scratch_root
        folders = self._folders(candidate) if candidate.movie else []
        names = {folder.relative_to(root).parts[0] for folder in folders}
        if len(names) == 1:
            return names.pop()
        output_root = self.vouching.layout.output_root
        said = read_metadata(run_folder(output_root, candidate.workflow, run))
        return said.get("dataset")
