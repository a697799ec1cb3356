"""Real Podman and Apptainer for tests, each with an image made here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import engines


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that every user can enter, with a root file system in it."""
    folder = Path(tempfile.mkdtemp(prefix="cyto-engines-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "bin").mkdir()
    engines.make_rootfs(folder / "rootfs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


def missing(what: str, why: str) -> None:
    """Skip loudly: in the summary of the run, and as a warning."""
    text = f"{what} does not run here: {why.strip()}. As root: apt-get install "
    warnings.warn(text + engines.APT, stacklevel=2)
    pytest.skip(text + engines.APT)


@pytest.fixture(scope="session")
def podman(place: Path) -> Iterator[Path]:
    program = shutil.which("podman")
    if program is None:
        missing("Podman", "it is not installed")
        return
    env = engines.configure_podman(place)
    why = engines.import_image(place / "rootfs", env) if env else "no storage driver"
    if why:
        missing("Podman", why)
    (place / "bin/docker").symlink_to(program)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in env.items():
            patch.setenv(key, value)
        yield Path(program)
        subprocess.run(["podman", "rm", "--all", "--force"], capture_output=True)
        subprocess.run(["podman", "system", "reset", "--force"], capture_output=True)


@pytest.fixture(scope="session")
def sif(place: Path) -> Path:
    """A real SIF image, built by the real Apptainer."""
    program = shutil.which("apptainer")
    if program is None:
        why = engines.install_apptainer(place / "apptainer")
        if why:
            missing("Apptainer", why)
        program = str(place / "apptainer/usr/bin/apptainer")
        (place / "bin/apptainer").symlink_to(program)
    if shutil.which("singularity") is None:
        (place / "bin/singularity").symlink_to(program)
    image = place / "test image.sif"
    build = ["apptainer", "build", "--userns", str(image), str(place / "rootfs")]
    done = subprocess.run(build, capture_output=True, text=True, timeout=100)
    if done.returncode == 0:
        probe = ["apptainer", "exec", "--userns", str(image), "true"]
        done = subprocess.run(probe, capture_output=True, text=True, timeout=60)
    if done.returncode:
        missing("Apptainer", done.stderr[-500:])
    return image


def record_calls(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Path:
    """A file in which each start of a worker by an engine leaves a line."""
    folder.mkdir()
    calls = folder / "calls"
    for name in names:
        script = f"""#!/bin/sh
case "$*" in *cyto_kedro.runners.worker*)
    echo {name} cyto_kedro.runners.worker >>{calls};;
esac
exec {shutil.which(name)} "$@"
"""
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return calls
