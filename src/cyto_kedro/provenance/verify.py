"""Are the files of a run still what its manifest says? Everything is hashed again.

Outputs that lie elsewhere are read whole and hashed as they were when they were saved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cyto_kedro.core.errors import CytoError, InputError, first_line
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.core.uri import Opener, Place
from cyto_kedro.provenance.hashing import sha256_of
from cyto_kedro.provenance.manifest import MANIFEST, path_of, read_manifest
from cyto_kedro.provenance.seal import read_seal
from cyto_kedro.provenance.sidecar import read_sidecar

State = Literal["same", "changed", "missing", "added", "purged", "superseded", "unseen"]
Part = Literal["inputs", "configuration", "containers", "outputs", "scratch", "seal"]
PARTS: tuple[Part, ...] = (
    "inputs",
    "configuration",
    "containers",
    "outputs",
    "scratch",
    "seal",
)
SAME, CHANGED, CANNOT_TELL = 0, 1, 2
_CHANGES = ("changed", "missing", "added")
_MEANING = {
    "changed": "content differs",
    "missing": "is gone",
    "added": "was added after sealing",
    "purged": "scratch, no longer there",
    "superseded": "scratch, a later run wrote it anew",
    "unseen": "cannot be read from here",
}


@dataclass(frozen=True)
class Finding:
    """One file of a run, and what became of it.

    ``purged`` and ``superseded`` happen to scratch in the normal course of things;
    ``unseen`` means that nothing can be said: an input that is not mounted here, or a
    service that does not answer; ``why`` says more.
    """

    part: Part
    path: str
    state: State
    why: str = ""


@dataclass(frozen=True)
class Verification:
    """What re-hashing a run found.

    Attributes:
        run_id: The run.
        findings: One per file; empty if there is no manifest.
        manifest: Whether there is a manifest to compare with.
    """

    run_id: str
    findings: tuple[Finding, ...]
    manifest: bool = True

    @property
    def code(self) -> int:
        """Exit code: 0 nothing changed, 1 something did, 2 cannot tell."""
        states = {finding.state for finding in self.findings}
        if states.intersection(_CHANGES):
            return CHANGED
        return CANNOT_TELL if not self.manifest or "unseen" in states else SAME

    def of(self, part: Part) -> list[Finding]:
        """Findings about one part of the run."""
        return [finding for finding in self.findings if finding.part == part]

    def as_dict(self) -> dict[str, Any]:
        """For scripts: what is not as it was, and counts of all."""
        return {
            "run_id": self.run_id,
            "verdict": ("same", "changed", "cannot tell")[self.code],
            "manifest": self.manifest,
            "counts": {part: self._counts(part) for part in PARTS if self.of(part)},
            "findings": [asdict(f) for f in self.findings if f.state != "same"],
        }

    def as_text(self) -> str:
        """For people."""
        if not self.manifest:
            return (
                f"run {self.run_id}: cannot tell, {MANIFEST} is missing or unreadable"
            )
        lines = [f"run {self.run_id}: {self.as_dict()['verdict']}"]
        for part in PARTS:
            if counts := self._counts(part):
                told = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
                lines.append(f"  {part}: {told}")
        lines += [
            f"  {finding.path}: {_MEANING[finding.state]}"
            + (f": {finding.why}" if finding.why else "")
            for finding in self.findings
            if finding.state in (*_CHANGES, "unseen")
        ]
        return "\n".join(lines)

    def _counts(self, part: Part) -> dict[str, int]:
        return dict(Counter(finding.state for finding in self.of(part)))


def verify_run(
    folder: Path,
    run_id: str,
    parts: Iterable[Part] = PARTS,
    opener: Opener | None = None,
) -> Verification:
    """Hash the files of a run again and compare with its manifest and its seal.

    A copy of a run folder is compared by what lies in the copy.

    Args:
        folder: The run folder, or a copy of it.
        run_id: Its run.
        parts: What to look at; images and masks (``scratch``) take the longest.
        opener: Opens outputs that lie elsewhere; without it they are unseen.

    Raises:
        StorageError: The seal cannot be read.
    """
    manifest = read_manifest(folder)
    wanted = set(parts)
    if manifest is None:
        return Verification(run_id, (), manifest=False)
    files = [item for item in _files(manifest, folder) if item.part in wanted]
    findings = side_by_side(lambda item: item.finding(opener), files)
    if "seal" in wanted and (found := read_seal(folder)) is not None:
        different = found.differences(folder)
        findings += [
            Finding("seal", str(folder / name), different.get(name, "same"))  # type: ignore[arg-type]
            for name in sorted({*found.files, *different})
        ]
    return Verification(run_id, tuple(findings))


@dataclass(frozen=True)
class _File:
    """A file, folder or remote output that the manifest accounts for."""

    part: Part
    uri: str
    path: Path | None
    sha256: str
    run_id: str | None = None
    data_type: str = "Arbitrary"

    def finding(self, opener: Opener | None) -> Finding:
        """What became of it."""
        try:
            return self._told(self._state(opener))
        except OSError as exc:
            return self._told("unseen", exc.strerror or str(exc))
        except CytoError as exc:
            return self._told("unseen", first_line(exc))

    def _told(self, state: State, why: str = "") -> Finding:
        return Finding(self.part, str(self.path or self.uri), state, why)

    def _state(self, opener: Opener | None) -> State:
        if self.path is not None:
            output: Path | Place = self.path
        elif opener is None:
            return "unseen"
        else:
            output = opener(self.uri, self.data_type)
        if not output.exists():
            return self._absent()
        try:
            digest = (
                sha256_of(output) if isinstance(output, Path) else output.content()[0]
            )
        except InputError:  # rows or objects of it are gone
            digest = None
        except FileNotFoundError:  # since it was looked for
            return self._absent()
        if digest == self.sha256:
            return "same"
        return "superseded" if self._is_of_another_run(output) else "changed"

    def _absent(self) -> State:
        if self.part == "scratch":
            return "purged"
        return "unseen" if self.part in ("inputs", "containers") else "missing"

    def _is_of_another_run(self, output: Path | Place) -> bool:
        if self.part != "scratch":
            return False
        sidecar = read_sidecar(output)
        return sidecar is not None and sidecar.run_id != self.run_id


def _files(manifest: dict[str, Any], folder: Path) -> Iterator[_File]:
    """All files of a manifest, those of the run folder where the folder is now."""
    home = path_of(manifest.get("folder", ""))

    def located(uri: str) -> Path | None:
        path = path_of(uri)
        if path is None or home is None or not path.is_relative_to(home):
            return path
        return folder / path.relative_to(home)

    parts: tuple[Part, ...] = ("inputs", "configuration", "containers")
    for part in parts:
        for item in manifest.get(part, []):
            if "uri" in item:
                uri = item["uri"]
                yield _File(part, uri, located(uri), item["sha256"])
    for item in manifest.get("outputs", []):
        kind: Part = "scratch" if item["class"] == "scratch" else "outputs"
        run, data_type = item["run_id"], item["data_type"]
        yield _File(
            kind, item["uri"], located(item["uri"]), item["sha256"], run, data_type
        )
        for uri, digest in item["also"].items():
            yield _File(kind, uri, located(uri), digest, run)
