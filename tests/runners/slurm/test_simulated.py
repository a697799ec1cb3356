"""What does not fit on one machine, SIMULATED: a clock and a cluster that are not real.

Arrays of 10,000 tasks, and a file system that shows files late. Everything else about
the backend is tested on a real SLURM.
"""

from __future__ import annotations

import json

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.resources import FanOut, NodePlan, Resources, SlurmConfig
from cyto_kedro.runners.slurm.backend import SlurmBackend
from cyto_kedro.runners.slurm.cluster import TaskState
from cyto_kedro.runners.stages import Placement, Stage
from cyto_kedro.runners.units import Base, Unit


class Simulation:
    """A cluster that starts ``rate`` tasks a second, each taking ``seconds``."""

    def __init__(self, folder, rate=100.0, seconds=60.0, delay=0.0, **config):
        self.now, self.rate, self.seconds, self.delay = 0.0, rate, seconds, delay
        self.questions, self.tasks, self.cancelled = [], {}, []
        self.journal = Journal(folder)
        self.journal.open()
        self.backend = SlurmBackend(
            base=Base("p", "c", None, {}, [], "w", "r", str(self.journal.results)),
            journal=self.journal,
            config=SlurmConfig.read({"max_jobs": 20000, **config}),
            cluster=self,
            limits={},
            render=lambda batch: "",
            plans={},
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds):
        self.now += seconds
        for number, unit in enumerate(list(self.tasks.values())):
            if self.ends(number) + self.delay <= self.now:
                path = self.journal.results / f"{unit}.json"
                if not path.exists():
                    path.write_text(json.dumps({"unit": unit, "status": "done"}))

    def ends(self, number):
        return number / self.rate + self.seconds

    def max_array_size(self):
        return 10000

    def submit(self, script, *, array, name):
        spec = json.loads((self.journal.specs / f"{name}.json").read_text())
        for index, units in enumerate(spec["tasks"]):
            for unit in units:
                self.tasks[f"1_{index}"] = f"{unit['stage']}.{unit['movie']}"
        return "1"

    def states(self, jobs):
        self.questions.append(self.now)
        return {
            task: TaskState("COMPLETED" if self.ends(n) <= self.now else "RUNNING")
            for n, task in enumerate(self.tasks)
        }

    def cancel(self, jobs):
        self.cancelled += jobs


def run(simulation, count):
    plan = NodePlan("work", Resources(), FanOut(max_parallel=500))
    units = [Unit("work", ("work",), f"m{i}") for i in range(count)]
    stage = Stage("work", ("work",), Placement(0, detail=plan), False)
    simulation.backend.submit(stage, units)
    found = []
    while len(found) < count:
        found += simulation.backend.poll()
    return found


def test_ten_thousand_tasks_cost_the_controller_few_questions(tmp_path):
    simulation = Simulation(tmp_path, rate=100, seconds=60)
    results = run(simulation, 10_000)
    assert all(result.ok for result in results)
    assert len({result.unit for result in results}) == 10_000
    # 160 s: files tell what ended, so the first interval of 10 s is the rule.
    assert len(simulation.questions) <= simulation.now / 10
    gaps = [
        b - a
        for a, b in zip(simulation.questions, simulation.questions[1:], strict=False)
    ]
    assert all(gap >= 9 for gap in gaps)


def test_a_long_quiet_job_is_asked_about_ever_more_rarely(tmp_path):
    simulation = Simulation(tmp_path, seconds=3600)
    run(simulation, 1)
    # 10 s, growing by half up to 120 s: not the 360 questions of a fixed 10 s.
    assert len(simulation.questions) < 45


def test_files_that_appear_late_are_waited_for(tmp_path):
    simulation = Simulation(tmp_path, seconds=30, delay=45, latency_wait=60)
    results = run(simulation, 20)
    assert all(result.ok for result in results)


def test_files_that_never_appear_are_an_error(tmp_path):
    simulation = Simulation(tmp_path, seconds=30, delay=1e9, latency_wait=60)
    (result,) = run(simulation, 1)
    assert not result.ok
    assert "COMPLETED" in result.error
    assert 90 <= simulation.now < 400
