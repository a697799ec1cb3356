"""One JSON sidecar beside every persisted output: ``<output>.sidecar.json``."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.uri import Place
from cyto_kedro.provenance.hashing import sha256_of, size_of

logger = logging.getLogger(__name__)

SUFFIX = ".sidecar.json"


@dataclass(frozen=True)
class Sidecar:
    """What one output is, who made it, and from what.

    ``fingerprint`` identifies inputs, parameters and code; ``sha256`` the content (for
    a Zarr store a tree hash). A content that no longer matches was edited by hand. Of
    what lies remotely ``state`` tells that without reading it. In a manifest ``edited``
    says that a run used it so: ``sha256`` is then what the run read.
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
    state: str | None = None
    edited: bool = False


def sidecar_path(output: Path) -> Path:
    """Where the sidecar of an output on a disk lies."""
    return output.with_name(output.name + SUFFIX)


def write_sidecar(output: Path | Place, sidecar: Sidecar) -> None:
    """Write the sidecar atomically."""
    text = json.dumps(asdict(sidecar), indent=2) + "\n"
    if isinstance(output, Path):
        write_text(sidecar_path(output), text)
    else:
        output.write_note(text)


def read_sidecar(output: Path | Place) -> Sidecar | None:
    """The sidecar of an output; None if absent, unreadable or of another version.

    Raises:
        StorageError: The place of a remote output cannot be reached.
    """
    try:
        if isinstance(output, Path):
            text: str | None = sidecar_path(output).read_text("utf-8")
        else:
            text = output.read_note()
        return None if text is None else Sidecar(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


def drop_sidecar(output: Path | Place) -> None:
    """Forget an output before it is overwritten.

    A run killed between data and sidecar then leaves data of unknown origin, which is
    made again, and never new data under an old sidecar.
    """
    if isinstance(output, Path):
        sidecar_path(output).unlink(missing_ok=True)
    else:
        output.drop_note()


def is_untouched(output: Path | Place, sidecar: Sidecar) -> bool:
    """Whether an output still is what its sidecar says."""
    if isinstance(output, Path):
        return sha256_of(output) == sidecar.sha256
    return output.state() == sidecar.state


def touched_since(output: Path) -> bool:
    """Whether anything of an output on a disk is newer than its sidecar.

    What a copy with its old times is put in place by counts as new: its inode changed.
    """
    written = sidecar_path(output).stat().st_mtime_ns
    found = [output]
    for root, folders, names in os.walk(output):
        found += [Path(root, name) for name in (*folders, *names)]
    facts = (path.lstat() for path in found)
    return any(max(one.st_mtime_ns, one.st_ctime_ns) > written for one in facts)


def as_used(output: Path | Place, sidecar: Sidecar) -> Sidecar:
    """The sidecar of an output that a run takes as it lies there, perhaps edited."""
    if isinstance(output, Path) and not touched_since(output):
        return sidecar
    if is_untouched(output, sidecar):
        return sidecar
    digest, size = content_of(output)
    return replace(sidecar, sha256=digest, size_bytes=size, edited=True)


def set_aside_if_edited(output: Path | Place) -> str | None:
    """Keep an output whose content is no longer what its sidecar says.

    Returns:
        Where the edited copy lies now; None if the output was not edited.
    """
    sidecar = read_sidecar(output)
    if sidecar is None or not output.exists() or is_untouched(output, sidecar):
        return None
    label = f"edited_{sidecar.run_id}"
    if isinstance(output, Path):
        kept = _moved_aside(output, label)
    else:
        kept = output.set_aside(label)
    logger.warning(
        "%s was changed by hand and is about to be made anew; your copy is kept as %s",
        output,
        kept,
    )
    return kept


def content_of(output: Path | Place) -> tuple[str, int]:
    """Hash and size of an output as it lies there."""
    if isinstance(output, Path):
        return sha256_of(output), size_of(output)
    return output.content()


def state_of(output: Path | Place) -> str | None:
    """What :func:`is_untouched` compares of a remote output."""
    return None if isinstance(output, Path) else output.state()


def _moved_aside(output: Path, label: str) -> str:
    kept = output.with_name(f"{output.stem}.{label}{output.suffix}")
    number = 1
    while kept.exists():
        number += 1
        kept = output.with_name(f"{output.stem}.edited_{number}{output.suffix}")
    output.rename(kept)
    return kept.name
