"""One movie's graph, run for every movie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kedro.framework.hooks import _create_hook_manager, hook_impl
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner

from cyto_kedro.core.errors import ConfigError, InputError, MoviesFailed
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.locks import locked
from cyto_kedro.core.tags import EXPERIMENT, movie_of
from cyto_kedro.runners import MovieRunner


class Told:
    """Keeps what the runner tells the run's record."""

    def __init__(self, folder):
        self.folder, self.events = Path(folder), []

    def scratch_lock(self, movie):
        return self.folder / movie.id / ".lock"

    def begin_movie(self, movie):
        self.events.append(("begin", movie))

    def end_movie(self, movie, error):
        self.events.append(("end", movie, None if error is None else str(error)))
        return "" if error is None else str(error).splitlines()[0]

    def skipped(self, movie, nodes):
        self.events.append(("skipped", movie, sorted(nodes)))


class Seen:
    """A hook that notes which movie each node was run for."""

    def __init__(self):
        self.nodes = []

    @hook_impl
    def before_node_run(self, node):
        self.nodes.append((node.name, movie_of(node.tags)))


def size_of(raw):
    if raw < 0:
        raise InputError("The movie is damaged", where="frame 3", fix="copy it again")
    return raw * 10


def half(size):
    return size // 2


def collect(results):
    return sorted(results.items())


PIPELINE = Pipeline(
    [
        Node(size_of, "raw", "size", name="measure"),
        Node(half, "size", "result@movie", name="halve"),
        Node(collect, "result@all", "table", name="collect", tags=EXPERIMENT),
    ]
)


class Experiment:
    """Movies in memory, with a catalog for each and one for the experiment."""

    def __init__(self, folder, raws, runner=None, stale=None):
        self.told, self.seen = Told(folder), Seen()
        self.catalogs = {
            name: DataCatalog({"raw": MemoryDataset(raw)}) for name, raw in raws.items()
        }
        for catalog in self.catalogs.values():
            catalog["size"] = MemoryDataset()
            catalog["result@movie"] = MemoryDataset()
        self.joint = DataCatalog({"table": MemoryDataset()})
        movies = tuple(Movie(name, "mine", {}) for name in raws)
        self.runner = MovieRunner(
            runner or SequentialRunner(),
            movies=lambda: movies,
            catalog_for=self.catalog_for,
            stale=stale or (lambda pipeline, catalog: set()),
            record=self.told,
        )

    def catalog_for(self, movie):
        if movie is not None:
            return self.catalogs[movie.id]
        done = {
            name: catalog["result@movie"].load()
            for name, catalog in self.catalogs.items()
            if catalog["result@movie"].exists()
        }
        self.joint["result@all"] = MemoryDataset(done)
        return self.joint

    def run(self, pipeline=PIPELINE, **options):
        hooks = _create_hook_manager()
        hooks.register(self.seen)
        return self.runner.run(
            pipeline, self.joint, hook_manager=hooks, run_id="r", **options
        )

    @property
    def table(self):
        return self.joint["table"].load()


@pytest.mark.parametrize("inner", [SequentialRunner, ThreadRunner])
def test_nodes_run_for_each_movie_and_joint_ones_once_after_all(tmp_path, inner):
    done = Experiment(tmp_path, {"A1": 2, "B1": 4}, inner())
    done.run()
    assert done.table == [("A1", 10), ("B1", 20)]
    assert done.seen.nodes == [
        ("measure", "A1"),
        ("halve", "A1"),
        ("measure", "B1"),
        ("halve", "B1"),
        ("collect", None),
    ]
    assert done.told.events == [
        ("begin", "A1"),
        ("end", "A1", None),
        ("begin", "B1"),
        ("end", "B1", None),
    ]


def test_a_failing_movie_is_named_and_does_not_stop_the_others(tmp_path):
    done = Experiment(tmp_path, {"A1": 2, "bad": -1, "C1": 6})
    with pytest.raises(MoviesFailed) as caught:
        done.run()
    said = str(caught.value)
    assert "1 of 3 movies failed" in said
    assert "bad: The movie is damaged" in said
    assert "A1" not in said and "C1" not in said
    assert "what to do:" in said
    assert done.table == [("A1", 10), ("C1", 30)], "the rest is reported"
    assert done.seen.nodes[-1] == ("collect", None)
    assert ("halve", "bad") not in done.seen.nodes
    ends = [event for event in done.told.events if event[0] == "end"]
    assert [event[1] for event in ends] == ["A1", "bad", "C1"]
    assert "frame 3" in ends[1][2]


def test_nothing_is_collected_when_every_movie_failed(tmp_path):
    done = Experiment(tmp_path, {"A1": -2, "B1": -4})
    with pytest.raises(MoviesFailed, match="2 of 2 movies failed"):
        done.run()
    assert "collect" not in [name for name, _ in done.seen.nodes]
    assert not done.joint["table"].exists()


def test_ctrl_c_stops_the_whole_run(tmp_path):
    """An interrupt is no failure of one movie."""

    def interrupted(raw):
        raise KeyboardInterrupt

    pipeline = Pipeline([Node(interrupted, "raw", "size", name="measure")])
    done = Experiment(tmp_path, {"A1": 2, "B1": 4})
    with pytest.raises(KeyboardInterrupt):
        done.run(pipeline)
    assert [movie for _, movie in done.seen.nodes] == ["A1"]
    with locked(tmp_path / "A1" / ".lock"):
        pass  # it was given back


def test_only_what_is_stale_runs_again(tmp_path):
    done = Experiment(tmp_path, {"A1": 2, "B1": 4}, stale=lambda p, c: {"halve"})
    for catalog, size in zip(done.catalogs.values(), (100, 200), strict=True):
        catalog.save("size", size)
    done.run(only_missing_outputs=True)
    assert done.table == [("A1", 50), ("B1", 100)]
    assert ("measure", "A1") not in done.seen.nodes
    assert ("skipped", "A1", ["measure"]) in done.told.events


def test_a_pipeline_of_joint_nodes_alone_begins_no_movie(tmp_path):
    done = Experiment(tmp_path, {"A1": 2})
    done.catalogs["A1"].save("result@movie", 7)
    done.run(PIPELINE.only_nodes("collect"))
    assert done.table == [("A1", 7)]
    assert done.seen.nodes == [("collect", None)]


def test_parallel_runner_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ParallelRunner") as caught:
        Experiment(tmp_path, {"A1": 2}, ParallelRunner())
    assert "--runner" in str(caught.value)


HOLDER = """
import sys, time
from pathlib import Path
from cyto_kedro.core.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path):
    """A live process that works on movie A1, with something half-done."""
    lock = tmp_path / "A1" / ".lock"
    half_done = lock.parent / "cancer" / ".labels.zarr.0123456789ab.partial"
    half_done.mkdir(parents=True)
    running = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "held\n"
    yield running, half_done
    running.kill()
    running.wait()


def test_a_movie_that_another_process_works_on_is_left_alone(tmp_path, other_run):
    _, half_done = other_run
    done = Experiment(tmp_path, {"A1": 2, "B1": 4})
    with pytest.raises(MoviesFailed, match="A1: Another run is using this folder"):
        done.run()
    assert done.table == [("B1", 20)]
    assert half_done.exists(), "it belongs to the other run"


def test_a_killed_run_is_cleaned_up_by_the_next(tmp_path, other_run):
    running, half_done = other_run
    running.kill()
    running.wait()
    done = Experiment(tmp_path, {"A1": 2})
    done.run()
    assert done.table == [("A1", 10)]
    assert not half_done.exists()
