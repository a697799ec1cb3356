"""What a driver refuses before it submits anything."""

from __future__ import annotations

import os

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.driver import header_of
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import SlurmConfig
from cyto_kedro.runners.slurm.cluster import Cluster

NAME = "cyto_kedro.runners.SlurmRunner"


def check_can_submit(cluster: Cluster, config: SlurmConfig) -> None:
    """Raise if jobs cannot or must not be submitted from here."""
    if not cluster.available():
        raise ConfigError(
            "There is no SLURM here: sbatch is missing or the controller is silent",
            where="--runner",
            fix="run on a login node; --runner-params=dry_run=true shows what would be "
            "submitted; cyto_kedro.runners.AllocationRunner needs no SLURM",
        )
    if "SLURM_JOB_ID" in os.environ and config.nested == "refuse":
        raise ConfigError(
            f"This is already job {os.environ['SLURM_JOB_ID']}: a job that submits "
            "jobs waits for them and wastes what it was granted",
            where="--runner",
            fix="start from a login node; inside a job use "
            "--runner=cyto_kedro.runners.AllocationRunner --runner-params=n_jobs=-1; "
            "or set nested: allow in slurm.yml",
        )


def check_same_run(journal: Journal, context: RunContext) -> None:
    """A resumed run is the same run: other parameters or environment are another."""
    before = journal.read_header()
    now = header_of(context, NAME, {})
    for key in ("pipelines", "env", "runtime_params"):
        if before and before[key] != now[key]:
            raise ConfigError(
                f"Run {context.run_id} was started with {key} = {before[key]!r}, now "
                f"it is {now[key]!r}",
                where="--runner-params=resume=...",
                fix=f"kedro cyto resume {context.run_id} repeats what it was started "
                "with; for anything else start a new run",
            )
