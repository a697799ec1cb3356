"""`provenance_manifest.json`: every input, output and configuration file of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.parallel import workers
from cyto_kedro.provenance.environment import git_state, host_facts, package_versions
from cyto_kedro.provenance.hashing import sha256_of, size_of
from cyto_kedro.provenance.runs import METADATA, RunRecord, now
from cyto_kedro.provenance.sidecar import Sidecar

MANIFEST = "provenance_manifest.json"


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
        "written_at": now(),
        "git_sha": sha,
        "git_dirty": dirty,
        "host": host_facts(),
        "packages": package_versions(),
        "metadata": METADATA,
        "inputs": _described(inputs, "input"),
        "configuration": _described(configuration, "configuration"),
        "outputs": [
            {"role": "output", "reused": item.run_id != record.run_id} | asdict(item)
            for item in outputs
        ],
    }
    path = record.folder / MANIFEST
    write_text(path, json.dumps(manifest, indent=2, default=str) + "\n")
    return path


def _described(paths: Iterable[Path], role: str) -> list[dict[str, Any]]:
    todo = sorted({Path(path) for path in paths if Path(path).exists()})
    with ThreadPoolExecutor(workers()) as pool:
        hashes = list(pool.map(sha256_of, todo))
    return [
        {
            "role": role,
            "uri": path.resolve().as_uri(),
            "sha256": digest,
            "size_bytes": size_of(path),
        }
        for path, digest in zip(todo, hashes, strict=True)
    ]
