"""The commands of a real SLURM: what is submitted, told, refused and cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cyto_kedro.runners.resources import Resources
from cyto_kedro.runners.slurm.cluster import (
    Cluster,
    StatusUnavailable,
    SubmitRefused,
    SubmitTimeout,
)
from cyto_kedro.runners.slurm.script import render

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def wait(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


class Jobs:
    """Submits shell scripts, and cancels them in the end."""

    def __init__(self, folder: Path):
        self.folder, self.cluster, self.ids = folder, Cluster(timeout=20), []

    def submit(self, text: str, array=None, name="test", **resources) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        script = self.folder / f"{name}.sh"
        asked = Resources(**{"partition": "short", "mem_mib": 100} | resources)
        script.write_text(
            render(
                resources=asked,
                log=self.folder / "log_%A_%a.txt",
                command=["bash", "-c", text],
                env={},
                workdir=self.folder,
            )
        )
        self.ids.append(self.cluster.submit(script, array=array, name=name))
        return self.ids[-1]

    def told(self, job: str) -> dict[str, str]:
        return {t: s.state for t, s in self.cluster.states([job]).items()}

    def ended(self, job: str) -> bool:
        return not any(state.alive for state in self.cluster.states([job]).values())


@pytest.fixture
def jobs(slurm, tmp_path):
    made = Jobs(tmp_path / "jobs")
    yield made
    if made.ids:
        made.cluster.cancel(made.ids)
        wait(lambda: all(made.ended(job) for job in made.ids))


ENDS = """
case $SLURM_ARRAY_TASK_ID in
  0) exit 0;;
  1) kill -9 $$;;
  2) exit 3;;
  *) sleep 60;;
esac
"""


def test_each_task_of_an_array_has_its_state(jobs):
    job = jobs.submit(ENDS, array="0-8%3", time_s=600)
    expected = {
        f"{job}_0": "COMPLETED",
        f"{job}_1": "OUT_OF_MEMORY",  # signal 9, where there are no cgroups
        f"{job}_2": "FAILED",
        **{f"{job}_{index}": "RUNNING" for index in (3, 4, 5)},
        **{f"{job}_{index}": "PENDING" for index in (6, 7, 8)},
    }
    wait(lambda: jobs.told(job) == expected)
    found = jobs.cluster.states([job])
    assert (found[f"{job}_1"].signal, found[f"{job}_2"].exit_code) == (9, 3)
    assert found[f"{job}_3"].node in ("cpu1", "cpu2")
    assert found[f"{job}_6"].node is None
    assert found[f"{job}_6"].reason == "JobArrayTaskLimit"
    assert abs(found[f"{job}_3"].started - time.time()) < 60


def test_failed_tasks_are_asked_about_once(jobs):
    first, second = (jobs.submit("exit 3", array="0-2", name=n) for n in "ab")
    wait(lambda: jobs.ended(first) and jobs.ended(second))
    fresh = Cluster()
    assert not fresh.accounting
    before = fresh.queries
    answers = fresh.states([first, second])
    assert {state.exit_code for state in answers.values()} == {3}
    assert fresh.queries - before == 3  # the queue, and each job
    assert fresh.states([first, second]) == answers
    assert fresh.queries - before == 4


def test_an_array_is_found_by_its_name_by_the_id_that_all_tasks_share(jobs):
    job = jobs.submit("sleep 60", array="0-4%2", name="cyto.some name.20261121")
    assert jobs.cluster.find("cyto.some name.20261121") == [job]
    # Each running task gets an id of its own beside the array's.
    wait(lambda: list(jobs.told(job).values()).count("RUNNING") == 2)
    assert jobs.cluster.find("cyto.some name.20261121") == [job]
    assert jobs.cluster.find("cyto.some name.20261122") == []


def test_cancelled_is_told_and_what_is_gone_is_no_error(jobs):
    job = jobs.submit("sleep 60", array="0-3%2")
    wait(lambda: "RUNNING" in jobs.told(job).values())
    jobs.cluster.cancel([job])
    wait(lambda: jobs.ended(job))
    assert set(jobs.told(job).values()) == {"CANCELLED"}
    jobs.cluster.cancel([job, "999999"])
    assert jobs.cluster.states(["999999"]) == {}
    assert jobs.cluster.states([]) == {}


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"partition": "shrot"}, "invalid partition"),
        ({"partition": "gpu_short", "gres": "gpu:h100:1"}, "not available"),
        ({"mem_mib": 10**6}, "Memory specification"),
        ({"extra": (("dependency", "afterok:x"),)}, "dependency"),
    ],
)
def test_what_is_refused_shows_command_and_message(jobs, resources, said):
    with pytest.raises(SubmitRefused, match=said) as caught:
        jobs.submit("true", **resources)
    assert "sbatch --parsable --job-name=test" in caught.value.where


def test_a_pretend_gpu_is_granted(jobs):
    job = jobs.submit(
        "echo gpus: $SLURM_JOB_GPUS $SLURM_GPUS_ON_NODE",
        partition="gpu_short",
        gres="gpu:a100-pcie-40gb:2",
        array="0",
    )
    wait(lambda: jobs.told(job) == {f"{job}_0": "COMPLETED"})
    assert jobs.cluster.states([job])[f"{job}_0"].node == "gpu1"


def test_limits_of_the_partitions(jobs):
    found = jobs.cluster.partitions()
    assert set(found) == {"short", "long", "gpu_short", "gpu_long", "preempt"}
    short, gpu = found["short"], found["gpu_short"]
    assert (short.kind, short.max_time_s, short.nodes_up) == ("cpu", 30 * 3600, 2)
    assert (short.max_mem_mib, short.max_cpus) == (16000, 8)
    assert (gpu.kind, gpu.gres_models) == ("gpu", {"a100-pcie-40gb"})
    assert gpu.max_time_s == 4 * 3600


def test_the_largest_array_is_the_largest_that_is_taken(jobs):
    most = jobs.cluster.max_array_size()
    held = (("hold", ""),)
    jobs.submit("true", array=f"0-{most - 1}", extra=held)
    with pytest.raises(SubmitRefused, match="array"):
        jobs.submit("true", array=f"0-{most}", extra=held)


def test_a_job_around_and_options_in_the_environment_change_nothing(jobs, monkeypatch):
    for name, value in {
        "SLURM_JOB_ID": "1",
        "SLURM_MEM_PER_NODE": "999999",
        "SBATCH_PARTITION": "gpu_short",
        "SBATCH_TIMELIMIT": "1",
        "SQUEUE_FORMAT": "%j",
        "SQUEUE_STATES": "pending",
        "SINFO_PARTITION": "long",
        "SCANCEL_STATE": "PENDING",
    }.items():
        monkeypatch.setenv(name, value)
    job = jobs.submit("sleep 60", array="0")
    wait(lambda: jobs.told(job) == {f"{job}_0": "RUNNING"})
    assert "short" in jobs.cluster.partitions()
    jobs.cluster.cancel([job])
    wait(lambda: jobs.told(job) == {f"{job}_0": "CANCELLED"})


def test_a_silent_controller_is_an_error_of_its_own_never_an_answer(jobs, slurm):
    job = jobs.submit("sleep 60", array="0")
    wait(lambda: jobs.told(job) == {f"{job}_0": "RUNNING"})
    slurm.stop_controller()
    try:
        jobs.cluster.timeout = 2
        with pytest.raises(StatusUnavailable):
            jobs.cluster.states([job])
        with pytest.raises(StatusUnavailable):
            jobs.cluster.find("test")
        with pytest.raises(StatusUnavailable, match=f"scancel {job}"):
            jobs.cluster.cancel([job])
        with pytest.raises(SubmitTimeout):
            jobs.submit("true", name="other")
        assert not jobs.cluster.available()
    finally:
        slurm.start_controller()
        wait(Cluster().available)
    jobs.cluster.timeout = 20
    assert jobs.cluster.find("other") == []
    wait(lambda: jobs.told(job) == {f"{job}_0": "RUNNING"})


def test_a_script_arrives_as_it_was_written(jobs, tmp_path):
    """Folders and values with everything but what is refused."""
    folder = tmp_path / "50%j of Zoë's [cells] #2 $HOME `x`; é"
    folder.mkdir()
    command = ["bash", "-c", 'printf "%s|" "$@" "$ODD" "$PWD"', "-", "a b", "'", "$x\n"]
    script = folder / "s.sh"
    script.write_text(
        render(
            resources=Resources(
                partition="short",
                cpus_per_task=2,
                mem_mib=150,
                time_s=3700,
                exclude=("cpu1",),
                extra=(("comment", "two words # x"), ("nice", "5")),
            ),
            log=folder / "log_%A_%a.txt",
            command=command,
            env={"ODD": 'it\'s "odd"\n'},
            workdir=folder,
        ),
        encoding="utf-8",
    )
    job = jobs.cluster.submit(script, array="0", name="odd name, ü")
    jobs.ids.append(job)
    wait(lambda: jobs.ended(job))
    assert jobs.told(job) == {f"{job}_0": "COMPLETED"}
    log = folder / f"log_{job}_0.txt"
    assert log.read_text("utf-8") == f"a b|'|$x\n|it's \"odd\"\n|{folder}|"
    shown = jobs.cluster._ask("scontrol", "show", "job", "-o", job).stdout
    for fact in (
        "TimeLimit=01:02:00",
        "MinMemoryNode=150M",
        "CPUs/Task=2",
        "ExcNodeList=cpu1",
        "Comment=two words # x",
        "Requeue=1",
        "Nice=5",
        "BatchHost=cpu2",
    ):
        assert fact in shown
