"""The SLURM backend against a real SLURM, with scripts that do next to nothing."""

from __future__ import annotations

import json
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import (
    FanOut,
    NodePlan,
    Resources,
    SlurmConfig,
    limits_of,
)
from cyto_kedro.runners.slurm.backend import SlurmBackend
from cyto_kedro.runners.slurm.cluster import Cluster, StatusUnavailable, SubmitRefused
from cyto_kedro.runners.slurm.script import render
from cyto_kedro.runners.stages import Placement, Stage
from cyto_kedro.runners.units import Base, Unit, UnitResult

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# Writes the results of the units of its task as a worker would, in plain shell.
WORKER = r"""
python3 - "$1" "$2" <<'PYTHON'
import json, os, sys, time
from pathlib import Path
spec, what = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]
base = Path(spec["base"]["results"])
task = int(os.environ["SLURM_ARRAY_TASK_ID"])
attempt = int(os.environ.get("SLURM_RESTART_COUNT", 0))
with open(base.parent / "ran.txt", "a") as out:
    for unit in spec["tasks"][task]:
        print(unit["stage"], unit["movie"], file=out)
exec(what)
for unit in spec["tasks"][task]:
    name = unit["stage"] + "." + unit["movie"]
    text = json.dumps({"unit": name, "status": "done"})
    (base / (name + ".part")).write_text(text)
    (base / (name + ".part")).rename(base / (name + ".json"))
PYTHON
"""


class Bench:
    """A backend on the test cluster whose tasks run a line of Python."""

    def __init__(self, folder: Path, what: str = "pass", **config):
        self.journal = Journal(folder / "log with space")
        self.journal.open()
        self.what, self.run_id = what, uuid.uuid4().hex[:8]
        values = {
            "poll": {"first": 0.5, "max": 2},
            "submit_interval": 0,
            "latency_wait": 3,
            "partitions": {"short": {"long_sibling": "long"}},
            **config,
        }
        self.config = SlurmConfig.read(values)
        self.cluster = Cluster(timeout=5)
        self.backend = self.make()

    def make(self) -> SlurmBackend:
        return SlurmBackend(
            base=Base(
                "p", "c", None, {}, [], "w", self.run_id, str(self.journal.results)
            ),
            journal=self.journal,
            config=self.config,
            cluster=self.cluster,
            limits=limits_of(self.config, self.cluster.partitions()),
            render=self.render,
            plans={"work": self.plan()},
        )

    def render(self, batch) -> str:
        script = self.journal.folder / "worker.sh"
        script.write_text(WORKER)
        return render(
            resources=batch.resources,
            log=batch.log_pattern(self.journal),
            command=["bash", str(script), str(batch.spec(self.journal)), self.what],
            env={},
            workdir=self.journal.folder,
        )

    def plan(self, units_per_task=1, **resources) -> NodePlan:
        asked = Resources(partition="short", mem_mib=100, time_s=600)
        fan_out = FanOut(units_per_task=units_per_task)
        return NodePlan("work", replace(asked, **resources), fan_out)

    def submit(self, count: int, units_per_task=1, **resources) -> None:
        placement = Placement(key=0, detail=self.plan(units_per_task, **resources))
        units = [Unit("work", ("work",), f"m{i}") for i in range(count)]
        self.backend.submit(Stage("work", ("work",), placement, False), units)

    def submit_one(self, movie: str, **resources) -> None:
        placement = Placement(key=0, detail=self.plan(**resources))
        stage = Stage("work", ("work",), placement, False)
        self.backend.submit(stage, [Unit("work", ("work",), movie)])

    def finish(self, count: int, seconds: float = 180) -> list[UnitResult]:
        """Results of so many units; a loop that never ends is stopped."""

        def stop(*_):
            raise TimeoutError(f"{self.events()}")

        before = signal.signal(signal.SIGALRM, stop)
        signal.alarm(int(seconds))
        found: list[UnitResult] = []
        try:
            while len(found) < count:
                found += self.backend.poll()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return found

    def events(self) -> list[str]:
        return [event["event"] for event in self.journal.events()]

    def runs(self) -> list[str]:
        """Each start of a unit."""
        return (self.journal.folder / "ran.txt").read_text().splitlines()

    def wait_running(self, count: int = 1) -> str:
        """Id of the first job once so many of its tasks run."""
        job = self.journal.jobs()[0]
        wait(lambda: self.running(job) >= count)
        return job

    def state(self, task: str) -> str | None:
        found = self.cluster.states([task.split("_")[0]]).get(task)
        return found.state if found is not None else None

    def running(self, job: str) -> int:
        states = self.cluster.states([job]).values()
        return sum(state.state == "RUNNING" for state in states)


def wait(what: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def bench(slurm, tmp_path):
    made = []

    def make(*args, **kwargs):
        made.append(Bench(tmp_path, *args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        jobs = one.journal.jobs()
        if jobs:
            one.cluster.cancel(jobs)
            wait(lambda one=one, jobs=jobs: not one.running(jobs[-1]))


def test_units_are_packed_into_the_tasks_of_one_array(bench):
    one = bench()
    one.submit(10, units_per_task=4)
    results = one.finish(10)
    assert all(result.ok for result in results)
    assert len(one.journal.jobs()) == 1
    spec = json.loads(next(one.journal.specs.glob("*.json")).read_text())
    assert [len(task) for task in spec["tasks"]] == [4, 4, 2]


def test_a_long_list_is_split_at_the_largest_array(bench, slurm):
    one = bench()
    one.backend._max_array = 4
    one.submit(10)
    assert all(result.ok for result in one.finish(10))
    assert len(one.journal.jobs()) == 3


def test_max_jobs_holds_the_rest_back(bench):
    one = bench("time.sleep(1)", max_jobs=4)
    one.backend._max_array = 2
    one.submit(8)
    assert len(one.journal.jobs()) == 2
    assert "held back" in one.backend.summary()
    assert all(result.ok for result in one.finish(8))
    assert len(one.journal.jobs()) == 4


def test_out_of_memory_is_tried_again_with_more(bench):
    one = bench(
        "import subprocess\n"
        "mem = int(os.environ['SLURM_MEM_PER_NODE'])\n"
        "if mem < 300: data = b'x' * (280 * 2**20); time.sleep(30)"
    )
    one.config = SlurmConfig.read(
        {
            **one.config.model_dump(exclude={"escalate", "partitions"}),
            "escalate": {"OUT_OF_MEMORY": {"mem": "x4", "max": "2G"}},
        }
    )
    one.backend = one.make()
    one.submit(1)
    (result,) = one.finish(1)
    assert result.ok
    assert one.events().count("retry") == 1
    retried = (
        one.journal.specs / sorted(p.name for p in one.journal.specs.glob("*.sh"))[-1]
    )
    assert "--mem=400M" in retried.read_text()


def test_out_of_memory_for_good_says_what_to_do(bench):
    one = bench("data = b'x' * (280 * 2**20); time.sleep(30)")
    one.submit(1, retries=0)
    (result,) = one.finish(1)
    assert not result.ok
    assert "OUT_OF_MEMORY" in result.error and "It was tried 1 times" in result.error


def test_a_time_limit_moves_on_to_more_time_and_only_what_is_left_runs(bench, slurm):
    one = bench(
        "seen = base.parent / ('seen ' + spec['tasks'][task][0]['movie'])\n"
        "if 'm0' not in seen.name and not seen.exists(): seen.touch(); time.sleep(90)"
    )
    one.submit(2)
    one.submit_one("past", time_s=25 * 3600)
    job, past = one.journal.jobs()
    wait(lambda: one.state(f"{job}_1") == one.state(f"{past}_0") == "RUNNING")
    wait(lambda: (one.journal.results / "work.m0.json").exists())
    # SLURM looks at time limits every 30 s.
    for task in (f"{job}_1", f"{past}_0"):
        slurm.run("scontrol", "update", f"JobId={task}", "EndTime=now+2seconds")
    assert all(result.ok for result in one.finish(3, seconds=240))
    assert sorted(one.runs()) == ["work m0", "work m1", "work m1", *["work past"] * 2]
    *_, third, fourth = (p.read_text() for p in sorted(one.journal.specs.glob("*.sh")))
    again, longer = sorted((third, fourth), key=lambda text: "=long" in text)
    assert "--time=00:20:00" in again and "--partition=short" in again
    # 25 h twice is more than 'short' admits.
    assert "--time=2-02:00:00" in longer and "--partition=long" in longer


def test_an_error_of_the_script_is_not_tried_again_and_shows_its_log(bench):
    one = bench("raise SystemExit('the image cannot be started')")
    one.submit(1)
    (result,) = one.finish(1)
    assert not result.ok
    assert "FAILED" in result.error and "the image cannot be started" in result.error
    assert "retry" not in one.events()


def test_a_task_that_leaves_nothing_is_waited_for_then_failed(bench):
    one = bench("raise SystemExit(0)")
    one.submit(1)
    begin = time.monotonic()
    (result,) = one.finish(1)
    assert "COMPLETED" in result.error
    assert time.monotonic() - begin >= one.config.latency_wait


def test_a_dead_node_is_left_out_next_time(bench, slurm):
    one = bench("time.sleep(60 if os.environ['SLURMD_NODENAME'] == 'cpu1' else 0)")
    slurm.run("scontrol", "update", "NodeName=cpu2", "State=DRAIN", "Reason=test")
    try:
        one.submit(1)
        one.wait_running()
        # SLURM itself would start the job again: what is asked for is our reaction.
        slurm.run("scontrol", "update", f"JobId={one.journal.jobs()[0]}", "Requeue=0")
        slurm.kill_node("cpu1")
        slurm.run("scontrol", "update", "NodeName=cpu2", "State=RESUME")
        (result,) = one.finish(1, seconds=240)
        assert result.ok
        last = sorted(one.journal.specs.glob("*.sh"))[-1].read_text()
        assert "--exclude=cpu1" in last
    finally:
        slurm.start_node("cpu1")
        slurm._wait(slurm._all_up, "the nodes")


def test_a_requeued_task_is_waited_for(bench, slurm):
    one = bench("time.sleep(0 if attempt else 60)")
    one.submit(1)
    job = one.wait_running()
    slurm.run("scontrol", "requeue", f"{job}_0")
    (result,) = one.finish(1, seconds=240)
    assert result.ok
    assert "retry" not in one.events()


def test_a_preempted_task_starts_again_under_its_id(bench, slurm):
    one = bench("time.sleep(0 if attempt else 90)")
    slurm.run("scontrol", "update", "NodeName=cpu2", "State=DRAIN", "Reason=test")
    try:
        one.submit(1, partition="preempt", cpus_per_task=8)
        one.wait_running()
        urgent = slurm.run(
            "sbatch",
            "--parsable",
            "-p",
            "short",
            "-c",
            "8",
            "--wrap",
            "sleep 1",
            "-o",
            "/dev/null",
        ).strip()
        wait(lambda: one.cluster.states([urgent])[urgent].state == "COMPLETED")
        (result,) = one.finish(1, seconds=240)
    finally:
        slurm.run("scontrol", "update", "NodeName=cpu2", "State=RESUME")
    assert result.ok
    assert one.runs() == ["work m0"] * 2 and "retry" not in one.events()


def test_a_gpu_task_gets_its_a100(bench):
    one = bench(
        "(base.parent / 'gpu').write_text(os.environ['SLURM_JOB_PARTITION'] + ' ' "
        "+ os.environ.get('SLURM_JOB_GPUS', 'none'))"
    )
    one.submit_one("m", partition="gpu_short", gres="gpu:a100-pcie-40gb:1")
    (result,) = one.finish(1)
    assert result.ok
    partition, gpus = (one.journal.folder / "gpu").read_text().split()
    assert partition == "gpu_short" and gpus in {"0", "1", "2", "3"}


def test_a_silent_controller_is_no_news_about_jobs(bench, slurm):
    one = bench("time.sleep(4)")
    one.submit(3)
    one.wait_running()
    slurm.stop_controller()
    with pytest.raises(StatusUnavailable):
        one.cluster.states(one.journal.jobs())
    one.backend._asked = float("-inf")
    one.backend._ask_when_due()
    assert one.backend.batches and not one.backend.batches[0].ended
    slurm.start_controller()
    assert all(result.ok for result in one.finish(3, seconds=240))
    assert sorted(one.runs()) == ["work m0", "work m1", "work m2"]


def test_cancel_leaves_nothing_behind(bench):
    one = bench("time.sleep(60)")
    one.submit(3)
    job = one.wait_running()
    one.backend.cancel()
    wait(lambda: not one.running(job))
    assert one.events()[-1] == "cancelled"


def test_a_new_driver_adopts_live_jobs(bench):
    one = bench("time.sleep(3)")
    one.submit(3)
    one.wait_running()
    one.backend = one.make()  # the driver before was killed
    assert one.backend.holds() == {"work.m0", "work.m1", "work.m2"}
    assert all(result.ok for result in one.finish(3))
    assert sorted(one.runs()) == ["work m0", "work m1", "work m2"]


def test_a_job_whose_submission_was_not_noted_is_found_by_its_name(bench):
    one = bench("time.sleep(3)")
    one.submit(2)
    lines = (one.journal.folder / "journal.jsonl").read_text().splitlines()
    (one.journal.folder / "journal.jsonl").write_text(lines[0] + "\n")
    one.backend = one.make()
    assert one.backend.holds() == {"work.m0", "work.m1"}
    assert all(result.ok for result in one.finish(2))


def test_a_wrong_partition_shows_command_and_message(bench):
    one = bench()
    with pytest.raises(SubmitRefused, match="invalid partition") as caught:
        one.submit(1, partition="shrot")
    assert "sbatch" in str(caught.value)


def test_a_full_queue_is_waited_for(bench, slurm):
    one = bench("time.sleep(2)")
    slurm.update(MaxJobCount="4", MinJobAge="2")
    try:
        one.cluster.timeout = 2
        one.backend._max_array = 2
        one.submit(6)
        assert all(result.ok for result in one.finish(6, seconds=240))
    finally:
        slurm.update(MaxJobCount="10000", MinJobAge="300")
    assert sorted(one.runs()) == sorted(f"work m{i}" for i in range(6))


def test_one_question_for_all_jobs(bench):
    one = bench("time.sleep(2)")
    one.backend._max_array = 2
    one.submit(8)
    assert not one.cluster.accounting  # known from now on
    one.cluster.queries = 0
    one.backend._asked = float("-inf")
    one.backend._ask_when_due()
    assert one.cluster.queries == 1
    one.backend._ask_when_due()
    assert one.cluster.queries == 1, "not before the interval is over"
    one.finish(8)
