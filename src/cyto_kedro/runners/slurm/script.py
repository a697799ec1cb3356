"""The text of a batch script: what the dry run shows is what is submitted."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.images import Images
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import Resources, mem_text, time_text
from cyto_kedro.runners.slurm.batches import Batch

_PLAIN = re.compile(r"^[\w%./:=,@+-]*$")


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
    is the same. No ``--signal``: units are done or not, nothing is to be saved in a
    last minute, and SLURM's own SIGTERM reaches the worker that ``exec`` put in place
    of the shell.

    Args:
        resources: What to ask for.
        log: Where output goes; ``%A`` and ``%a`` are SLURM's.
        command: What to run.
        env: Variables to set.
        workdir: Working directory.

    Raises:
        ConfigError: A path or value that an ``#SBATCH`` line cannot hold.
    """
    extra = dict(resources.extra)
    without = (*resources.exclude, *extra.pop("exclude", "").split(","))
    # In names of logs, '%' begins what SLURM fills in; folders mean themselves.
    logs = f"{str(log.parent).replace('%', '%%')}/{log.name}"
    options = {
        "partition": resources.partition,
        "cpus-per-task": str(resources.cpus_per_task),
        "mem": mem_text(resources.mem_mib),
        "time": time_text(resources.time_s),
        "gres": resources.gres,
        "exclude": ",".join(dict.fromkeys(filter(None, without))) or None,
        "output": logs,
        "chdir": str(workdir),
        "open-mode": "append",
        "kill-on-invalid-dep": "yes",
        "requeue": "",
        **extra,
    }
    lines = ["#!/bin/bash"]
    for key, value in options.items():
        if value is not None:
            lines.append(f"#SBATCH --{key}" + (f"={_quoted(value)}" if value else ""))
    lines += ["", "set -euo pipefail"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in env.items()]
    lines.append(f"exec {shlex.join(command)}")
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    """A value as sbatch reads it from an ``#SBATCH`` line."""
    if re.search(r'[\n\r"\\]', value):
        raise ConfigError(
            "SLURM cannot take a line break, a quotation mark or a backslash here",
            where=value,
            fix="rename the folder, or change the value in slurm.yml (extra)",
        )
    return value if _PLAIN.match(value) else f'"{value}"'


class Renderer:
    """Writes the script of a batch: the worker, in its container if it has one."""

    def __init__(self, context: RunContext, journal: Journal, images: Images) -> None:
        self._context, self._journal, self._images = context, journal, images

    def __call__(self, batch: Batch) -> str:
        spec = str(batch.spec(self._journal))
        worker = ["-m", "cyto_kedro.runners.worker", spec]
        worker += ["--threads", str(batch.resources.cpus_per_task)]
        wrap = self._images.wrap_of_stage(batch.stage)
        command = [sys.executable, *worker]
        if wrap is not None:
            command = wrap(["python", *worker], batch.name)
        return render(
            resources=batch.resources,
            log=batch.log_pattern(self._journal),
            command=command,
            env=_THREAD_POOLS,
            workdir=self._context.project,
        )


# Frames run side by side in threads of their own: no pools of threads below them.
_THREAD_POOLS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
