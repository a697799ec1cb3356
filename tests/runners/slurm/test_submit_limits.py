"""SIMULATED: a cluster that admits few tasks at a time, or forgets them one by one.

A real SLURM's refusals are in test_accounting.py, a queue that is full in
test_backend.py.
"""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise

import pytest

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import FanOut, NodePlan, Resources, SlurmConfig
from cyto_kedro.runners.slurm.backend import SlurmBackend
from cyto_kedro.runners.slurm.cluster import (
    Cluster,
    StatusUnavailable,
    SubmitLimit,
    SubmitTimeout,
)
from cyto_kedro.runners.stages import Placement, Stage
from cyto_kedro.runners.units import Base, Unit


class Narrow:
    """Admits ``most`` tasks at a time, each of which takes ``seconds``."""

    def __init__(self, folder, most, silent=0, seconds=2, **config):
        self.now, self.most, self.silent, self.seconds = 0.0, most, silent, seconds
        self.alive: dict[str, float] = {}
        self.sizes: list[int] = []
        self.tries: list[float] = []
        self.journal = Journal(folder)
        self.journal.open()
        self.backend = SlurmBackend(
            base=Base("p", "c", None, {}, [], "w", "r", str(self.journal.results)),
            journal=self.journal,
            config=SlurmConfig.read({"max_jobs": 1000, **config}),
            cluster=self,
            limits={},
            render=lambda batch: "",
            plans={},
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds):
        self.now += seconds
        assert self.now < 3600, "it does not come to an end"
        for unit, start in list(self.alive.items()):
            if self.now - start >= self.seconds:
                del self.alive[unit]
                text = json.dumps({"unit": unit, "status": "done"})
                (self.journal.results / f"{unit}.json").write_text(text)

    def max_array_size(self):
        return 1000

    def submit(self, script, *, array, name):
        self.tries.append(self.now)
        if self.silent:
            self.silent -= 1
            raise SubmitTimeout("silence")
        tasks = json.loads((self.journal.specs / f"{name}.json").read_text())["tasks"]
        if len(self.alive) + len(tasks) > self.most:
            raise SubmitLimit("AssocMaxSubmitJobLimit")
        units = [f"{unit['stage']}.{unit['movie']}" for task in tasks for unit in task]
        assert not self.alive.keys() & set(units), "submitted twice"
        self.alive |= dict.fromkeys(units, self.now)
        self.sizes.append(len(tasks))
        return str(len(self.sizes))

    def find(self, name):
        return []

    def states(self, ids):
        raise StatusUnavailable("results alone tell here")

    def run(self, count):
        plan = NodePlan("work", Resources(), FanOut())
        units = [Unit("work", ("work",), f"m{i:03d}") for i in range(count)]
        stage = Stage("work", ("work",), Placement(0, detail=plan), False)
        self.backend.submit(stage, units)
        found = []
        while len(found) < count:
            found += self.backend.poll()
        return found


def test_an_array_that_would_never_be_admitted_is_cut(tmp_path):
    cluster = Narrow(tmp_path, most=30)
    found = cluster.run(100)
    assert sorted(result.unit for result in found) == [
        f"work.m{i:03d}" for i in range(100)
    ]
    assert sum(cluster.sizes) == 100 and max(cluster.sizes) <= 30
    assert len(cluster.sizes) <= 100 / 15 + 1, "not cut smaller than it needs"


def test_one_task_too_much_is_waited_for_not_cut_for_ever(tmp_path):
    cluster = Narrow(tmp_path, most=0)
    with pytest.raises(AssertionError, match="does not come to an end"):
        cluster.run(2)
    names = {path.stem for path in cluster.journal.specs.glob("*.json")}
    assert len(names) == 3


def test_a_full_queue_is_tried_ever_more_rarely(tmp_path):
    cluster = Narrow(tmp_path, most=0, poll={"first": 10, "max": 100})
    with pytest.raises(AssertionError, match="does not come to an end"):
        cluster.run(1)
    waits = [b - a for a, b in pairwise(cluster.tries)]
    assert waits[:4] == [10, 20, 40, 80]
    assert set(waits[4:]) == {100}


def test_room_is_noticed_when_tasks_end(tmp_path):
    cluster = Narrow(tmp_path, 40, seconds=100, poll={"first": 10, "max": 1000})
    cluster.backend._max_array = 40
    cluster.run(80)
    # Refused at 1, 11, 31 and 71 s; the next try by itself would be at 151 s.
    assert cluster.tries[-2] < 80 and 100 <= cluster.tries[-1] <= 103
    assert cluster.sizes == [40, 40]


def test_silence_is_no_reason_to_cut(tmp_path):
    cluster = Narrow(tmp_path, most=100, silent=3)
    cluster.run(40)
    assert cluster.sizes == [40]


def test_max_jobs_is_the_size_of_an_array_too(tmp_path):
    cluster = Narrow(tmp_path, most=10_000, max_jobs=30)
    cluster.run(100)
    assert max(cluster.sizes) == 30 and sum(cluster.sizes) == 100


SQUEUE = "7_5|RUNNING|None|c1|2026-11-21T07:00:00|2026-11-21T07:00:01\n"
SACCT = """\
7_1|FAILED|0:9|c1|2026-11-21T07:00:00|2026-11-21T07:00:01|2026-11-21T07:00:02|None
7_2|RUNNING|0:0|c1|2026-11-21T07:00:00|2026-11-21T07:00:01|Unknown|None
7_5|RUNNING|0:0|c1|2026-11-21T07:00:00|2026-11-21T07:00:01|Unknown|None
"""


class Recorded(Cluster):
    """Answers as a SLURM with accounting whose queue keeps ended tasks briefly."""

    asked: tuple[str, ...] = ()

    def _run(self, *command):
        self.asked += command[:1]
        text = {
            "squeue": SQUEUE,
            "sacct": SACCT,
            "scontrol": "AccountingStorageType = accounting_storage/slurmdbd\n",
        }[command[0]]
        return subprocess.CompletedProcess(command, 0, text, "")


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *args, **kwargs: "/bin/there")
    return Recorded()


def test_a_task_that_left_the_queue_before_its_array_is_in_the_books(recorded):
    """Seen on 22.05: ended tasks go after MinJobAge, while others still run."""
    found = recorded.states(["7_1", "7_5"])
    assert found["7_1"].state == "OUT_OF_MEMORY" and found["7_5"].state == "RUNNING"


def test_what_only_the_books_believe_to_run_is_not_known_to_run(recorded):
    assert "7_2" not in recorded.states(["7_2", "7_5"])


def test_the_books_are_left_alone_while_the_queue_knows_all(recorded):
    recorded.states(["7_5"])
    assert "sacct" not in recorded.asked
