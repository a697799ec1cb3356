"""One JSON sidecar beside every persisted output: ``<output>.sidecar.json``."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.provenance.hashing import sha256_of, size_of

logger = logging.getLogger(__name__)

SUFFIX = ".sidecar.json"


@dataclass(frozen=True)
class Sidecar:
    """What one output is, who made it, and from what.

    ``fingerprint`` identifies inputs, parameters and code; ``sha256`` the content (for
    a Zarr store a tree hash). A content that no longer matches was edited by hand.
    """

    uri: str
    data_type: str
    dataset: str
    movie: str | None
    run_id: str
    produced_by: str
    params: dict[str, Any]
    inputs: dict[str, str]
    git_sha: str | None
    completed_at: str
    sha256: str
    size_bytes: int
    fingerprint: str
    also: dict[str, str] = field(default_factory=dict)


def sidecar_path(output: Path) -> Path:
    """Where the sidecar of an output lies."""
    return output.with_name(output.name + SUFFIX)


def write_sidecar(output: Path, sidecar: Sidecar) -> None:
    """Write the sidecar atomically."""
    write_text(sidecar_path(output), json.dumps(asdict(sidecar), indent=2) + "\n")


def read_sidecar(output: Path) -> Sidecar | None:
    """The sidecar of an output; None if absent, unreadable or of another version."""
    try:
        return Sidecar(**json.loads(sidecar_path(output).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def drop_sidecar(output: Path) -> None:
    """Forget an output before it is overwritten.

    A run killed between data and sidecar then leaves data of unknown origin, which is
    made again, and never new data under an old sidecar.
    """
    sidecar_path(output).unlink(missing_ok=True)


def set_aside_if_edited(output: Path) -> Path | None:
    """Rename an output whose content is no longer what its sidecar says.

    Returns:
        Where the edited copy lies now; None if the output was not edited.
    """
    sidecar = read_sidecar(output)
    if sidecar is None or not output.exists() or sha256_of(output) == sidecar.sha256:
        return None
    name = f"{output.stem}.edited_{sidecar.run_id}{output.suffix}"
    kept = output.with_name(name)
    number = 1
    while kept.exists():
        number += 1
        kept = output.with_name(f"{output.stem}.edited_{number}{output.suffix}")
    output.rename(kept)
    logger.warning(
        "%s was changed by hand and is about to be made anew; your copy is kept as %s",
        output,
        kept.name,
    )
    return kept


def content_of(output: Path) -> tuple[str, int]:
    """Hash and size of an output as it lies on disk."""
    return sha256_of(output), size_of(output)
