"""`provenance_manifest.json`: every input, output and configuration file of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.core.roots import StorageClass
from cyto_kedro.provenance.environment import (
    git_diff_hash,
    git_state,
    host_facts,
    package_versions,
    slurm_job,
)
from cyto_kedro.provenance.hashing import sha256_of, size_of
from cyto_kedro.provenance.runs import METADATA, RunRecord, now
from cyto_kedro.provenance.sidecar import Sidecar

MANIFEST = "provenance_manifest.json"
#: Of a benchmark run: what its judge found.
ACCEPTANCE = "acceptance_report.json"


def write_manifest(
    record: RunRecord,
    inputs: Iterable[Path],
    configuration: Iterable[Path],
    outputs: Iterable[Sidecar],
) -> Path:
    """Hash inputs and configuration and write the manifest into the run folder.

    Args:
        record: The run.
        inputs: Raw files and folders that were read.
        configuration: Configuration files that were in force.
        outputs: Sidecars of what the run wrote or reused.
    """
    sha, dirty = git_state(record.project)
    manifest = {
        "run_id": record.run_id,
        "pipeline": record.workflow,
        "status": record.status,
        "folder": record.folder.absolute().as_uri(),
        "written_at": now(),
        "git_sha": sha,
        "git_dirty": dirty,
        "git_diff_sha256": git_diff_hash(record.project),
        "host": host_facts(),
        "packages": package_versions(),
        "slurm_jobs": record.facts.get("slurm_jobs", []),
        "slurm_driver_job": slurm_job(),
        "containers": _containers(record.facts.get("containers", [])),
        "metadata": METADATA,
        "inputs": _described(inputs, "input"),
        "configuration": _described(configuration, "configuration"),
        "outputs": [_output(item, record) for item in outputs],
    }
    if (report := record.folder / ACCEPTANCE).exists():
        manifest["verdicts"] = [_verdict(report)]
    path = record.folder / MANIFEST
    write_text(path, json.dumps(manifest, indent=2, default=str) + "\n")
    return path


def add_verdict(report: Path) -> None:
    """Add a later verdict on a run to its manifest; one from the same file is replaced.

    Args:
        report: An acceptance report in the run folder.
    """
    manifest = read_manifest(report.parent)
    if manifest is None:
        return  # the run was ended before it wrote one: there is nothing to add to
    before = manifest.get("verdicts", [])
    kept = [entry for entry in before if entry["report"] != report.name]
    manifest["verdicts"] = [*kept, _verdict(report)]
    text = json.dumps(manifest, indent=2, default=str) + "\n"
    write_text(report.parent / MANIFEST, text)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run folder; None if absent or unreadable."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _verdict(report: Path) -> dict[str, Any]:
    found = json.loads(report.read_text("utf-8"))
    told = {key: found[key] for key in ("verdict", "strict", "banded", "references")}
    stages = {
        stage: {"strict": entry["strict"], "banded": entry["banded"]}
        for stage, entry in found["stages"].items()
    }
    digest = sha256_of(report)
    about = {"report": report.name, "sha256": digest, "judged_at": now()}
    return about | told | {"stages": stages}


def describes(item: dict[str, Any] | None, sidecar: Sidecar) -> bool:
    """Whether an output that a manifest lists is the one that a sidecar describes."""
    if item is None:
        return False
    if item.get("edited"):  # listed with the hash of the edited content
        return bool(item["fingerprint"] == sidecar.fingerprint)
    return bool(item["sha256"] == sidecar.sha256)


def path_of(uri: str) -> Path | None:
    """Local path of a ``file://`` URI; None for any other."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _output(item: Sidecar, record: RunRecord) -> dict[str, Any]:
    facts = {
        "role": "output",
        "class": storage_class(item.uri, record.layout),
        "reused": item.run_id != record.run_id,
    }
    return facts | asdict(item)


def storage_class(uri: str, layout: Layout) -> StorageClass:
    """`output` is kept, `scratch` may be purged; what lies below no root is kept."""
    path = path_of(uri)
    if path is None:
        return layout.remote.class_of(uri) or "output"
    # A benchmark writes beside its own run folder, below the same root.
    kept = path.is_relative_to(layout.output_root.absolute())
    return "output" if kept else "scratch"


def _containers(noted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Images that nodes ran in; those that are files with their hash."""
    found = []
    for item in noted:
        file = Path(item.get("file") or "")
        facts = _described([file], "container")[0] if file.is_file() else {}
        found.append({"role": "container", **item, **facts})
    return found


def _described(paths: Iterable[Path], role: str) -> list[dict[str, Any]]:
    todo = sorted({Path(path) for path in paths if Path(path).exists()})
    hashes = side_by_side(sha256_of, todo)
    return [
        {
            "role": role,
            "uri": path.resolve().as_uri(),
            "sha256": digest,
            "size_bytes": size_of(path),
        }
        for path, digest in zip(todo, hashes, strict=True)
    ]
