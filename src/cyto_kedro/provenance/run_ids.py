"""Which runs there are, and which one somebody means."""

from __future__ import annotations

from pathlib import Path

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.nearest import did_you_mean
from cyto_kedro.core.scope import RUN_ID

#: What stands for the newest run in place of its id.
LATEST = ("last", "latest")


def run_ids(output_root: Path, workflow: str) -> list[str]:
    """Ids of all runs of a workflow, oldest first."""
    folders = (Path(output_root) / workflow).glob("run_*")
    ids = (folder.name.removeprefix("run_") for folder in folders if folder.is_dir())
    return sorted(found for found in ids if RUN_ID.match(found))


def find_run(output_root: Path, workflow: str, wanted: str) -> str:
    """The id of an earlier run of a workflow: ``last``, or the id itself.

    Raises:
        ConfigError: There is no such run; names the nearest and the newest ones.
    """
    where = Path(output_root) / workflow
    return chosen_run(wanted, run_ids(output_root, workflow), where)


def chosen_run(wanted: str, runs: list[str], where: Path) -> str:
    """One of some runs (oldest first): ``last`` or ``latest``, or the id itself.

    Raises:
        ConfigError: It is not among them.
    """
    if not runs:
        raise ConfigError("There is no run yet", where=str(where), fix="kedro run")
    if wanted in LATEST:
        return runs[-1]
    wanted = wanted.removeprefix("run_")
    if wanted not in runs:
        near = did_you_mean(wanted, reversed(runs))
        raise ConfigError(
            f"There is no run '{wanted}'",
            where=str(where),
            fix=f"{near} the newest runs: {', '.join(runs[-5:])}".strip(),
        )
    return wanted
