"""A SLURM that keeps books: jobs the queue has forgotten, limits of users."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cyto_kedro.runners.slurm.cluster import Cluster, SubmitLimit, SubmitRefused
from slurm_accounting import AccountingCluster, missing

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

SCRIPT = """#!/bin/bash
#SBATCH --time=5 --mem=50M --output=/dev/null
case $SLURM_ARRAY_TASK_ID in 1) kill -9 $$;; 2) exit 3;; 3) sleep 60;; esac
"""


def wait(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture(scope="module")
def running() -> Iterator[AccountingCluster]:
    if reason := missing():
        pytest.skip(f"no SLURM with accounting can be started here: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="cyto_kedro_slurm_"))
    made = AccountingCluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def books(running, monkeypatch) -> AccountingCluster:
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, running.environment[name])
    return running


@pytest.fixture
def script(tmp_path) -> Path:
    path = tmp_path / "script.sh"
    path.write_text(SCRIPT)
    return path


def told(cluster: Cluster, *ids: str) -> dict[str, str]:
    return {task: state.state for task, state in cluster.states(ids).items()}


def test_what_the_queue_has_forgotten_is_in_the_books(books, script):
    cluster = Cluster()
    assert cluster.accounting
    job = cluster.submit(script, array="0-2", name="cyto.forgotten")
    ends = {f"{job}_0": "COMPLETED", f"{job}_1": "OUT_OF_MEMORY", f"{job}_2": "FAILED"}
    wait(lambda: told(cluster, job) == ends)
    # slurmdbd is told with a delay, which a controller without memory would forget.
    wait(
        lambda: books.run("sacct", "-X", "-n", "-j", job, "-o", "JobID").count("_") == 3
    )
    books.forget()
    fresh = Cluster()
    wait(lambda: told(fresh, job) == ends)
    found = fresh.states([job])
    assert found[f"{job}_2"].exit_code == 3 and found[f"{job}_0"].node == "cpu1"
    assert found[f"{job}_0"].ended >= found[f"{job}_0"].started
    assert fresh.find("cyto.forgotten") == [job]
    assert fresh.find("cyto.forgott") == []


def test_a_limit_on_how_much_is_queued_passes(books, script):
    cluster = Cluster()
    books.allow(MaxSubmitJobs=2)
    try:
        first = cluster.submit(script, array="3-4", name="a")
        with pytest.raises(SubmitLimit, match="AssocMaxSubmitJobLimit"):
            cluster.submit(script, array="3", name="b")
        cluster.cancel([first])
        wait(lambda: set(told(cluster, first).values()) <= {"CANCELLED", "COMPLETED"})
        second = cluster.submit(script, array="3", name="b")
        cluster.cancel([second])
    finally:
        books.allow(MaxSubmitJobs=-1)


def test_a_limit_on_what_a_job_may_be_does_not(books, script):
    """The same message, but waiting would never end."""
    books.run(
        *("sacctmgr", "-i", "modify", "qos", "normal", "set"),
        *("Flags=DenyOnLimit", "MaxWall=1"),
    )
    try:
        with pytest.raises(SubmitRefused, match="QOSMaxWallDurationPerJobLimit"):
            Cluster().submit(script, array=None, name="a")
    finally:
        books.run("sacctmgr", "-i", "modify", "qos", "normal", "set", "MaxWall=-1")


def test_an_unknown_account_is_refused(books, script):
    script.write_text(SCRIPT.replace("--time=5", "--time=5 --account=nobody"))
    with pytest.raises(SubmitRefused, match="Invalid account"):
        Cluster().submit(script, array=None, name="a")
