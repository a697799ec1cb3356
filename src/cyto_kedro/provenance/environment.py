"""Where a run happened: code, packages, host."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"pass(word|wd)?|secret|token|credential|api_?key", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^/@:]+):([^/@]+)(?=@)")
HIDDEN = "***"


@cache
def git_state(project: Path) -> tuple[str | None, bool | None]:
    """(commit, uncommitted changes) of the project; (None, None) outside git."""

    try:
        head = _git(project, "rev-parse", "HEAD").decode().strip()
        return head, bool(_git(project, "status", "--porcelain").strip())
    except (OSError, subprocess.SubprocessError):
        return None, None


@cache
def git_diff_hash(project: Path) -> str | None:
    """SHA-256 of what differs from the commit; None if nothing does, or outside git.

    It covers ``git diff HEAD`` and the names and contents of untracked files that git
    does not ignore, so that two runs from the same dirty tree can be told from two runs
    from different ones.
    """
    _, dirty = git_state(project)
    if not dirty:
        return None
    try:
        # With --relative as with ls-files: of a larger repository, this project only.
        diff = _git(project, "diff", "HEAD", "--binary", "--no-ext-diff", "--relative")
        listed = _git(project, "ls-files", "-z", "--others", "--exclude-standard")
    except (OSError, subprocess.SubprocessError):
        return None
    digest = hashlib.sha256(diff)
    for name in sorted(filter(None, listed.split(b"\0"))):
        path = project / os.fsdecode(name)
        digest.update(b"\0" + name + b"\0")
        if path.is_file():
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _git(project: Path, *words: str) -> bytes:
    done = subprocess.run(
        ["git", "-C", str(project), *words],
        capture_output=True,
        timeout=20,
        check=True,
    )
    return done.stdout


@cache
def package_versions() -> dict[str, str]:
    """Installed versions of this package and of its direct dependencies."""
    versions = {"python": platform.python_version()}
    try:
        required = metadata.requires("cyto-kedro") or []
        versions["cyto-kedro"] = metadata.version("cyto-kedro")
    except metadata.PackageNotFoundError:
        return versions
    for line in required:
        name = re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0]
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed
    return versions


def host_facts() -> dict[str, Any]:
    """Name, platform, CPUs and memory of this machine."""
    import psutil

    return {
        "name": socket.gethostname(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpus(),
    }


@cache
def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs of this machine: name, driver, memory; empty where there is none.

    Asked of ``nvidia-smi``, so that the driver of a run needs no CUDA libraries.
    """
    fields = "name,driver_version,memory.total"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in done.stdout.splitlines() if (gpu := _gpu(line))]


def _gpu(line: str) -> dict[str, Any] | None:
    name, *rest = [part.strip() for part in line.split(",")]
    if len(rest) != 2:
        return None
    memory = int(rest[1]) if rest[1].isdigit() else None  # "[N/A]" on some machines
    return {"name": name, "driver": rest[0], "memory_mib": memory}


def slurm_job() -> str | None:
    """Id of the SLURM job (with array task) that this process runs in."""
    job = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID")
    task = os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{job}_{task}" if job and task else job or None


def compute_device(gpu: bool) -> str | None:
    """What torch computes on in this process; None if torch was not used at all.

    Args:
        gpu: Whether the work may use a GPU.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if gpu and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    if gpu and torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """Installed versions; what is not installed is left out."""
    found = {}
    for name in distributions:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def command_line() -> list[str]:
    """The command as typed, without secrets."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return [_hide_in_text(word) for word in words]


def without_secrets(value: Any) -> Any:
    """A nested value with secrets replaced by ``***``.

    Keys that sound like a secret lose their value, URLs lose their password.
    """
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _SECRET.search(str(key)) else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return (
        _URL_PASSWORD.sub(rf"\1:{HIDDEN}", value) if isinstance(value, str) else value
    )


def _hide_in_text(word: str) -> str:
    parts = word.split(",")
    hidden = [
        f"{p.partition('=')[0]}={HIDDEN}" if _SECRET.search(p.partition("=")[0]) else p
        for p in parts
    ]
    return _URL_PASSWORD.sub(rf"\1:{HIDDEN}", ",".join(hidden))


def _processor() -> str:
    with suppress(OSError):  # not Linux: the platform module knows less
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
