"""Containers that nodes run in: their command line, how they end, whether they can.

The parts live in ``container_params``, ``container_command`` and ``processes``; what is
here refuses, before work is sent there, a container that cannot do it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.container_command import PASSED, command
from cyto_kedro.runners.container_params import Bind, Container, Resources
from cyto_kedro.runners.processes import (
    DETACHED,
    ExitStatus,
    end,
    exit_status,
    run,
    stop,
)
from cyto_kedro.runners.versions import versions

__all__ = [
    "PASSED",
    "Bind",
    "Container",
    "ExitStatus",
    "Resources",
    "check",
    "check_files",
    "command",
    "end",
    "exit_status",
    "image_id",
    "refuse_under_slurm",
    "run",
    "stop",
]

logger = logging.getLogger(__name__)

_WHERE = "execution.yml"
_TIMEOUT = 180.0  # a cold image on a shared file system (s)
_TAIL = 15
_ASK = ("python", "-m", "cyto_kedro.runners.versions")


def refuse_under_slurm(container: Container) -> None:
    """Containers of a daemon escape what SLURM watches.

    Args:
        container: How a node is to be executed in a SLURM job.

    Raises:
        ConfigError: The engine is Docker or Podman.
    """
    if container.engine in DETACHED and not container.bare:
        raise ConfigError(
            f"{container.engine} is not used under SLURM: its containers are no "
            "children of the job, so memory limits and scancel do not reach them",
            where=f"image '{container.image}' in {_WHERE}",
            fix="name a .sif file with engine: apptainer "
            "(containers/apptainer/build.sh makes it), or image: '' for bare metal",
        )


def check(container: Container, *, project: Path) -> None:
    """Start the container once and compare what is inside with this process.

    Args:
        container: How nodes are to be executed; bare metal passes.
        project: The project's folder.

    Raises:
        ConfigError: The engine or the image is missing, the image cannot run a worker,
            or holds another state of the project, another Kedro or Python.
    """
    if container.bare:
        return
    check_files(container, project)
    argv = list(_ASK)
    name = f"cyto-check-{os.getpid()}-{os.urandom(3).hex()}"
    line = command(
        container, argv, workdir=project, binds=[], env={}, name=name, gpu=False
    )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            status = run(
                line,
                engine=container.engine,
                name=name,
                stdout=out,
                stderr=err,
                timeout=_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise _refused(container, f"no answer within {_TIMEOUT:g} s") from None
        said, complaint = _text(out), _text(err)
    found = _read(said)
    if not status.ok or found is None:
        raise _refused(container, _reason(status, complaint or said), complaint)
    _compare(container, found, versions())


def image_id(container: Container) -> str | None:
    """The engine's id of a container's image, a content hash; None if it has none."""
    if container.engine not in DETACHED:
        return None
    command = [container.engine, "image", "inspect", "--format", "{{.Id}}"]
    try:
        done = subprocess.run(
            [*command, container.image],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def check_files(container: Container, project: Path) -> None:
    """Whether engine, image file and binds are there; nothing is started.

    Raises:
        ConfigError: Names what is missing.
    """
    if container.engine != "kubernetes" and not shutil.which(container.engine):
        raise ConfigError(
            f"{container.engine} is not installed on this machine, or not in PATH",
            where=f"image '{container.image}' in {_WHERE}",
            fix="run with --runner-params=profile=local, or install it ('module load "
            f"{container.engine}' on some clusters)",
        )
    image = container.image_path(project)
    if image is not None and not image.exists():
        raise ConfigError(
            f"The image {image} does not exist",
            where=_WHERE,
            fix=f"build it: {_how_to_build(container)}; or run with "
            "--runner-params=profile=local",
        )
    for bind in container.binds:
        if not bind.source.exists():
            raise ConfigError(
                f"The folder {bind.source} does not exist on this machine",
                where=f"binds of image '{container.image}' in {_WHERE}",
                fix="create it, or correct the path",
            )


def _compare(
    container: Container, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    # Patch releases of Python do not change results.
    for report in (inside, outside):
        report["python"] = ".".join(str(report.get("python")).split(".")[:2])
    differ = [
        f"{key} {inside.get(key)} inside, {outside[key]} outside"
        for key in ("cyto_kedro", "kedro", "python")
        if inside.get(key) != outside[key]
    ]
    if not differ and inside.get("code") != outside["code"]:
        differ = ["cyto_kedro's sources inside are not those outside"]
    if differ:
        raise ConfigError(
            f"The image '{container.image}' holds another state: {'; '.join(differ)}",
            where=_WHERE,
            fix=f"build it again: {_how_to_build(container)}; or run with "
            "--runner-params=profile=local",
        )
    libraries = inside.get("libraries", {})
    other = [
        f"{name} {libraries.get(name)} ({version} outside)"
        for name, version in outside["libraries"].items()
        if libraries.get(name) != version
    ]
    if other:
        logger.warning(
            "The image '%s' holds other libraries: %s. Results may differ in the last "
            "digits and are not taken for up to date outside it.",
            container.image,
            ", ".join(other),
        )


def _reason(status: ExitStatus, text: str) -> str:
    if status.ok:
        return "it did not answer with versions"
    last = "\n".join(text.strip().splitlines()[-_TAIL:])
    return f"'{' '.join(_ASK)}' in it: {status.describe()}\n{last}"


def _refused(container: Container, reason: str, complaint: str = "") -> ConfigError:
    if "cannot connect to the docker daemon" in complaint.lower():
        return ConfigError(
            f"Docker's daemon does not answer: {complaint.strip().splitlines()[0]}",
            where=f"image '{container.image}' in {_WHERE}",
            fix="start it, or join the group 'docker'; or run with "
            "--runner-params=profile=local",
        )
    # Every engine has its own words for an image that is not there.
    words = ("not known", "no such image", "unable to find image")
    missing = any(word in complaint.lower() for word in words)
    kind = "is not there" if missing else "cannot run a worker"
    return ConfigError(
        f"The image '{container.image}' ({container.engine}) {kind}: {reason}",
        where=_WHERE,
        fix=f"build it: {_how_to_build(container)}; or run with "
        "--runner-params=profile=local",
    )


def _how_to_build(container: Container) -> str:
    if container.engine in DETACHED:
        return (
            f"{container.engine} build -f containers/docker/cellpose/Dockerfile "
            f"-t {container.image} ."
        )
    return f"bash containers/apptainer/build.sh (makes {container.image})"


def _read(said: str) -> dict[str, Any] | None:
    """The last line that is a JSON object."""
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return found if isinstance(found, dict) else None
    return None


def _text(stream: Any) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", errors="replace")
