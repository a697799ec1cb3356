"""The command line that starts a worker inside a container.

The same worker runs everywhere; what is here turns its command into the one that starts
it inside Docker, Podman, Apptainer or Singularity.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.container_params import Bind, Container
from cyto_kedro.runners.processes import DETACHED, container_name

#: Variables of the job or the machine that a worker reads, where they are set. They
#: are not known before the job starts, so the command takes them along by name.
PASSED = (
    "CUDA_VISIBLE_DEVICES",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_ID",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
# Apptainer shares the home folder: packages in ~/.local are not part of the image.
_ALWAYS = {"PYTHONNOUSERSITE": "1"}
# printenv fails for a variable that is not set: then nothing is passed.
_PASS_ON = (
    'for n in {names}; do if v=$(printenv "$n"); then export "{prefix}_$n=$v"; fi; '
    'done; exec "$@"'
)


def command(
    container: Container,
    argv: list[str],
    *,
    workdir: Path,
    binds: Iterable[Path | Bind],
    env: Mapping[str, str],
    name: str,
    gpu: bool,
) -> list[str]:
    """The command line that runs ``argv`` inside the container.

    Nothing of the machine's environment is visible inside but :data:`PASSED`; files
    belong to the caller; images are never fetched.

    Args:
        container: Engine and image; bare metal gives ``argv`` back.
        argv: Command inside, such as ``["python", "-m", ...]``.
        workdir: The project's folder: working directory inside, visible there.
        binds: More paths of the run, visible under the same path.
        env: Variables to set; the container's own ``env`` wins.
        name: Unique name, to stop it by.
        gpu: Whether the node's method wants a GPU.

    Raises:
        ConfigError: A path or value that the engine cannot take.
    """
    if container.bare:
        return list(argv)
    if container.engine == "kubernetes":
        raise ConfigError(
            "Kubernetes jobs are generated, not submitted from here",
            where="engine: kubernetes in execution.yml",
            fix="write the manifest with 'python -m cyto_kedro.runners.kubernetes', or "
            "run with --runner-params=profile=local",
        )
    shown = [Bind.model_validate(workdir)]
    shown += [b if isinstance(b, Bind) else Bind.model_validate(b) for b in binds]
    # The same target twice is an error for some engines; what conf says wins.
    mounts = list({b.inside: b for b in [*shown, *container.binds]}.values())
    values = _ALWAYS | dict(env) | container.env
    wanted = container.gpu if gpu or container.gpu != "auto" else 0
    if container.gpu == 0:
        values["CUDA_VISIBLE_DEVICES"] = ""  # also where a site shows GPUs by default
    build = _detached if container.engine in DETACHED else _apptainer
    start = build(container, mounts, values, wanted, workdir, name)
    return [*start, *argv]


def _detached(
    container: Container,
    mounts: list[Bind],
    env: Mapping[str, str],
    gpus: int | str,
    workdir: Path,
    name: str,
) -> list[str]:
    """Docker and Podman."""
    engine, limits = container.engine, container.resources
    line = [engine, "run", "--rm", "--init", "--pull=never"]
    line += ["--name", container_name(name), "--user", f"{os.getuid()}:{os.getgid()}"]
    if engine == "podman" and os.getuid() != 0:
        line.append("--userns=keep-id")  # rootless: the same uid inside and outside
    if gpus:
        line += _gpu_flags(engine, gpus)
    line += [f"--cpus={limits.cpus:g}"] if limits.cpus else []
    line += [f"--memory={limits.mem.replace('i', '').lower()}"] if limits.mem else []
    for bind in mounts:
        line += ["--mount", _csv(bind.fields(source="source", target="target"))]
    passed = [n for n in PASSED if n not in env]
    if gpus and gpus != "auto":
        passed.remove("CUDA_VISIBLE_DEVICES")  # it counts the GPUs outside
    for variable in passed:
        line += ["--env", variable]
    # The caller's uid has no home in the image: caches go to its private /tmp.
    for key, value in ({"HOME": "/tmp"} | dict(env)).items():
        line += ["--env", f"{key}={value}"]
    return [*line, *container.options, "--workdir", str(workdir), container.image]


def _gpu_flags(engine: str, gpus: int | str) -> list[str]:
    if engine == "docker":
        return ["--gpus", "all" if gpus == "auto" else str(gpus)]
    # Podman 4 ignores --gpus in silence; a CDI device that is missing is an error.
    names = ["all"] if gpus == "auto" else [str(i) for i in range(int(gpus))]
    return [word for n in names for word in ("--device", f"nvidia.com/gpu={n}")]


def _apptainer(
    container: Container,
    mounts: list[Bind],
    env: Mapping[str, str],
    gpus: int | str,
    workdir: Path,
    name: str,
) -> list[str]:
    """Apptainer and Singularity; a shell passes on what only the job knows."""
    engine = container.engine
    names = " ".join(n for n in PASSED if n not in env)
    script = _PASS_ON.format(names=names, prefix=f"{engine.upper()}ENV")
    line = ["/bin/sh", "-c", script, container_name(name)]
    # Without --no-eval a shell inside would run what stands in a value: $(...).
    line += [engine, "exec", "--cleanenv", "--no-eval"] + ["--nv"] * bool(gpus)
    for key, value in env.items():
        line += ["--env", _apptainer_env(key, value)]
    for bind in mounts:
        line += _apptainer_bind(bind)
    line += [*container.options, "--pwd", str(workdir)]
    return [*line, str(container.image_path(workdir))]


def _apptainer_bind(bind: Bind) -> list[str]:
    """``--bind``, which every version has, unless a path holds its separators."""
    if any(c in f"{bind.source}{bind.inside}" for c in ':,"'):
        fields = bind.fields(source="source", target="destination")
        return ["--mount", _csv(fields)]
    mode = ":ro" if bind.read_only else ""
    return ["--bind", f"{bind.source}:{bind.inside}{mode}"]


def _apptainer_env(key: str, value: str) -> str:
    """The flag is read as CSV where the value holds a ``=``, else as plain text."""
    if "=" in value:
        return _csv([f"{key}={value}"])
    if value.endswith('"'):
        raise ConfigError(
            f'Apptainer drops the " at the end of {key}={value}',
            where="env of a container in execution.yml",
            fix="give a value that does not end in a quotation mark",
        )
    return f"{key}={value}"


def _csv(fields: Iterable[str]) -> str:
    """One line of CSV, as these engines read ``--mount`` and ``--env``."""
    quoted = []
    for field in fields:
        plain = not any(c in field for c in ',"\n')
        quoted.append(field if plain else '"' + field.replace('"', '""') + '"')
    return ",".join(quoted)
