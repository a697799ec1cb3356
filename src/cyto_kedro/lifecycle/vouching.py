"""Which runs vouch for scratch, and who is using it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cyto_kedro.core.errors import CytoError, first_line
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import is_locked
from cyto_kedro.core.scope import run_folder
from cyto_kedro.core.uri import Opener
from cyto_kedro.lifecycle.promote import check_complete, check_unchanged
from cyto_kedro.lifecycle.scratch import LOCK
from cyto_kedro.provenance.run_ids import run_ids
from cyto_kedro.provenance.runs import DRIVER_LOCK
from cyto_kedro.provenance.verify import verify_run


@dataclass
class Vouching:
    """Verifies runs, each once, and looks at locks.

    Args:
        layout: The roots.
        opener: Opens results that lie elsewhere.
    """

    layout: Layout
    opener: Opener | None = None
    _verified: dict[tuple[str, str], str] = field(default_factory=dict)

    def why_unverified(self, workflow: str, run: str) -> str:
        """Why a run cannot vouch for scratch; empty if it can."""
        if (workflow, run) not in self._verified:
            folder = run_folder(self.layout.output_root, workflow, run)
            parts = ("outputs", "seal")
            try:
                check_complete(folder, run)
                verified = verify_run(folder, run, parts, self.opener)  # type: ignore[arg-type]
                check_unchanged(verified, folder)
            except CytoError as exc:
                reason = first_line(exc).rstrip(":")
                self._verified[workflow, run] = f"{reason} ({run})"
            else:
                self._verified[workflow, run] = ""
        return self._verified[workflow, run]

    def why_in_use(self, folder: Path, workflow: str) -> str:
        """Why a scratch folder of a workflow must be left alone; empty if free."""
        if (folder / LOCK).is_symlink():
            return "its lock file is a link"  # locking would open what it points to
        if is_locked(folder / LOCK):
            return "a run is using it"
        return self.why_driven(workflow)

    def why_driven(self, workflow: str) -> str:
        """The run of a workflow whose driver is alive, in words; empty if none is."""
        root = self.layout.output_root
        for run in run_ids(root, workflow):
            if is_locked(run_folder(root, workflow, run) / DRIVER_LOCK):
                return f"run {run} is at work"
        return ""
