"""What `kedro cyto doctor` asks of the machine: Python, GPU, SLURM, containers."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from cyto_kedro.cli.findings import Finding, State
from cyto_kedro.core.errors import ConfigError, CytoError
from cyto_kedro.methods.segmentation.weights import (
    MODELS,
    models_folder,
    require_weights,
    weights_path,
)
from cyto_kedro.provenance.environment import gpus
from cyto_kedro.runners.container_params import Container
from cyto_kedro.runners.containers import check_files
from cyto_kedro.runners.resources import NodePlan, SlurmConfig, check_plan, limits_of

DISTRIBUTION = "cyto-kedro"
ENGINES = ("podman", "docker", "apptainer", "singularity")
# Seconds that a program of this machine may take to say what it is.
_TIMEOUT = 5.0
# Extras for those who work on the project itself.
_FOR_DEVELOPERS = ("dev", "docs")


def about_python(project: Path) -> Finding:
    """Whether this Python is one that the project takes."""
    wanted, have = _declared(project)["requires-python"], platform.python_version()
    if SpecifierSet(wanted).contains(have, prereleases=True):
        return Finding("Python", "ok", have)
    return Finding(
        "Python",
        "error",
        f"{have}, but the project needs {wanted}",
        "make a new environment: python3.11 -m venv .venv",
    )


def about_packages(project: Path) -> Finding:
    """Whether everything that the project requires is installed as required."""
    required = _declared(project)["dependencies"]
    faults = list(_faults(required))
    if faults:
        return Finding(
            "packages", "error", "; ".join(faults), "pip install -e . in the project"
        )
    return Finding("packages", "ok", f"all {len(required)} required ones")


def about_extras(project: Path) -> Finding:
    """Which optional parts are installed."""
    extras = {
        name: not list(_faults(lines))
        for name, lines in _declared(project)["optional-dependencies"].items()
        if name not in _FOR_DEVELOPERS
    }
    here = ", ".join(name for name, there in extras.items() if there) or "none"
    missing = ", ".join(name for name, there in extras.items() if not there)
    if not missing:
        return Finding("extras", "ok", here)
    return Finding(
        "extras",
        "ok" if any(extras.values()) else "not used",
        f"{here}; not installed: {missing}",
        "only if you want them: pip install -e '.[NAME]'",
    )


def _declared(project: Path) -> dict[str, Any]:
    """``[project]`` of the checkout, which an old installation may not know yet."""
    with (project / "pyproject.toml").open("rb") as stream:
        declared = dict(tomllib.load(stream).get("project", {}))
    if declared.get("name") == DISTRIBUTION:
        return declared
    return _installed()


def _installed() -> dict[str, Any]:
    """The same of the installed distribution, for projects that only use it."""
    about = metadata.metadata(DISTRIBUTION)
    lines = metadata.requires(DISTRIBUTION) or []
    extras = about.get_all("Provides-Extra") or []
    return {
        "requires-python": about["Requires-Python"],
        "dependencies": [line for line in lines if "extra ==" not in line],
        "optional-dependencies": {
            name: [
                line.partition(";")[0]
                for line in lines
                if re.search(rf"extra == ['\"]{re.escape(name)}['\"]", line)
            ]
            for name in extras
        },
    }


def _faults(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            have = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield f"{wanted.name} is missing"
            continue
        if not wanted.specifier.contains(have, prereleases=True):
            yield f"{wanted.name} {have} is not {wanted.specifier}"


def about_gpu(wanted_by: Sequence[str]) -> Finding:
    """GPUs, and whether the installed torch can use them.

    Torch is not imported: that takes seconds.

    Args:
        wanted_by: Nodes whose chosen method wants a GPU.
    """
    found = ", ".join(f"{gpu['name']} (driver {gpu['driver']})" for gpu in gpus())
    nodes = ", ".join(wanted_by)
    if not found:
        if not wanted_by:
            return Finding("GPU", "not used", "none here, and no chosen method wants")
        return Finding(
            "GPU",
            "warning",
            f"none here; {nodes} will compute on the CPU, which is slow",
            "use a machine with a GPU, or SLURM: docs/slurm.md",
        )
    built = _torch()
    if built is None:
        state: State = "warning" if wanted_by else "ok"
        fix = "pip install -e '.[cellpose]'" if wanted_by else ""
        return Finding("GPU", state, f"{found}; torch is not installed", fix)
    version, cuda = built
    if cuda is None:
        return Finding(
            "GPU",
            "warning",
            f"{found}; torch {version} was built without CUDA and cannot use it",
            "install torch for CUDA: https://pytorch.org/get-started/locally/",
        )
    return Finding("GPU", "ok", f"{found}; torch {version} with CUDA {cuda}")


def _torch() -> tuple[str, str | None] | None:
    """Version of torch, and of the CUDA or ROCm that it was built with."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    text = (Path(spec.origin).parent / "version.py").read_text("utf-8")
    values = dict(re.findall(r"^(\w+)(?::[^=]+)? = '([^']*)'", text, re.MULTILINE))
    return values.get("__version__", "?"), values.get("cuda") or values.get("hip")


def about_weights() -> Finding:
    """Weights of Cellpose's built-in models."""
    faults: list[CytoError] = []
    there: list[str] = []
    for model in MODELS:
        try:
            size = require_weights(model).stat().st_size
            there.append(f"{model} ({size / 1e9:.2f} GB)")
        except ConfigError as exc:
            if weights_path(model).exists():
                faults.append(exc)
    if faults:
        told = "; ".join(f"{exc.what} ({exc.where})" for exc in faults)
        return Finding("weights", "warning", told, faults[0].fix)
    found = f"{', '.join(there) or 'no model of Cellpose'} in {models_folder()}"
    return Finding("weights", "ok" if there else "not used", found)


def about_slurm(config: SlurmConfig | None, plans: Iterable[NodePlan]) -> Finding:
    """Whether SLURM answers, and admits what ``slurm.yml`` asks for.

    Args:
        config: Content of ``slurm.yml``; None if that is wrong.
        plans: What the nodes of a run ask for.
    """
    from cyto_kedro.runners.slurm.cluster import Cluster

    if shutil.which("sbatch") is None:
        return Finding("SLURM", "not used", "no sbatch on PATH")
    cluster = Cluster(timeout=_TIMEOUT)
    if not cluster.available():
        return Finding(
            "SLURM",
            "warning",
            "sbatch is here, but no controller answers",
            "log in to a node of the cluster, or ask its operators; runs on this "
            "machine do not need it",
        )
    seen = cluster.partitions()
    found = f"partitions {', '.join(sorted(seen)) or 'none'}"
    if config is None:
        return Finding("SLURM", "ok", found)
    faults: dict[str, CytoError] = {}
    for plan in plans:
        try:
            check_plan(config, plan, limits_of(config, seen))
        except ConfigError as exc:
            faults.setdefault(exc.what, exc)
    if faults:
        first = next(iter(faults.values()))
        told = f"{found}; slurm.yml does not fit: {'; '.join(faults)} ({first.where})"
        return Finding("SLURM", "warning", told, first.fix)
    return Finding("SLURM", "ok", f"{found}; slurm.yml fits")


def about_containers(profile: str, used: Iterable[Container], project: Path) -> Finding:
    """Engines on PATH with their versions, and the images of the default profile.

    Args:
        profile: Name of the default profile of ``execution.yml``.
        used: Its containers.
        project: The project's folder.
    """
    there = [f"{name} {told}" for name in ENGINES if (told := _version(name))]
    found = ", ".join(there) or f"no {', '.join(ENGINES)} on PATH"
    wanted = [container for container in used if not container.bare]
    for container in wanted:
        try:
            check_files(container, project)
        except ConfigError as exc:
            told = f"profile '{profile}': {exc.what}; here: {found}"
            return Finding("containers", "error", told, exc.fix)
    if not wanted:
        return Finding("containers", "ok" if there else "not used", found)
    return Finding("containers", "ok", f"{found}; profile '{profile}' can be used")


def _version(engine: str) -> str | None:
    """What a container engine says of itself; None if it is not on PATH."""
    if shutil.which(engine) is None:
        return None
    try:
        done = subprocess.run(
            [engine, "--version"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "(does not answer)"
    number = re.search(r"\d+(\.\d+)+\S*", done.stdout)
    return number[0].rstrip(",") if number else "(version unknown)"
