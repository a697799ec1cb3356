"""The text of a batch script: what the dry run shows is what is submitted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.resources import Resources, mem_text, time_text


def render(
    *,
    resources: Resources,
    log: Path,
    command: list[str],
    env: Mapping[str, str],
    workdir: Path,
) -> str:
    """A ``bash`` script with its ``#SBATCH`` lines.

    The environment of the driver goes along (modules that the user loaded), without the
    variables of a surrounding job. ``--requeue``: a unit may be done twice, its result
    is the same.

    Args:
        resources: What to ask for.
        log: Where output goes; ``%A`` and ``%a`` are SLURM's.
        command: What to run.
        env: Variables to set.
        workdir: Working directory.

    Raises:
        ConfigError: A path that SLURM's files cannot hold.
    """
    for path in (log, workdir):
        if "\n" in str(path) or '"' in str(path):
            raise ConfigError(
                "SLURM cannot take a path with a line break or a quotation mark",
                where=str(path),
                fix="rename the folder",
            )
    options = {
        "partition": resources.partition,
        "cpus-per-task": str(resources.cpus_per_task),
        "mem": mem_text(resources.mem_mib),
        "time": time_text(resources.time_s),
        "gres": resources.gres,
        "exclude": ",".join(resources.exclude) or None,
        "output": f'"{log}"',
        "chdir": f'"{workdir}"',
        "open-mode": "append",
        "kill-on-invalid-dep": "yes",
        "requeue": "",
        **dict(resources.extra),
    }
    lines = ["#!/bin/bash"]
    for key, value in options.items():
        if value is not None:
            lines.append(f"#SBATCH --{key}" + (f"={value}" if value else ""))
    lines += ["", "set -euo pipefail"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in env.items()]
    lines.append(f"exec {shlex.join(command)}")
    return "\n".join(lines) + "\n"
