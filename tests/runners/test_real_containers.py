"""Commands inside real Podman and Apptainer containers.

`docker` is Podman's compatible command line, `singularity` is Apptainer's link.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends import engines
from container_fixtures import record_calls
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.containers import (
    Container,
    ExitStatus,
    check,
    command,
    exit_status,
)
from notebook_tool import pages
from project import REPOSITORY, Project
from small_experiment import small_project

pytestmark = pytest.mark.containers

_NOBODY = 65534


@dataclass(frozen=True)
class Engine:
    """An engine that really runs here, and its image."""

    name: str
    image: str
    options: tuple[str, ...]

    @property
    def detached(self) -> bool:
        return self.name in ("docker", "podman")

    def container(self, **values: Any) -> Container:
        given = {"engine": self.name, "image": self.image, "options": self.options}
        return Container.model_validate(given | values)

    def line(self, argv: list[str], workdir: Path, **values: Any) -> list[str]:
        container = values.pop("container", None) or self.container()
        given: dict[str, Any] = {"binds": [], "env": {}, "name": "t", "gpu": False}
        return command(container, argv, workdir=workdir, **(given | values))


@pytest.fixture(params=["podman", "docker", "apptainer", "singularity"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param in ("podman", "docker"):
        request.getfixturevalue("podman")
        return Engine(request.param, engines.IMAGE, ())
    image = request.getfixturevalue("sif")
    # What root needs where Apptainer is not installed setuid; --contain hides /tmp, so
    # that what is visible inside was bound.
    return Engine(request.param, str(image), ("--userns", "--contain"))


@pytest.fixture
def folder(place: Path) -> Path:
    """A working directory with a name that every engine could stumble over."""
    made = Path(tempfile.mkdtemp(prefix="a b:c,d-", dir=place))
    made.chmod(0o777)
    return made


def output_of(line: list[str]) -> str:
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_command_runs_in_the_image_in_the_project_folder(
    engine: Engine, folder: Path
) -> None:
    (folder / "in.txt").write_text("from outside")
    script = "pwd; cat in.txt; echo from inside > out.txt; ls /"
    said = output_of(engine.line(["sh", "-c", script], folder))
    assert said.startswith(f"{folder}\nfrom outside")
    assert (folder / "out.txt").read_text() == "from inside\n"
    assert "work" not in said.split()  # the machine's own root is not there


def test_more_folders_are_visible_and_read_only_ones_stay_as_they_are(
    engine: Engine, folder: Path
) -> None:
    for name in ("data, raw", "run:1"):
        (folder / name).mkdir()
    raw = {"source": folder / "data, raw", "target": "/in put", "read_only": True}
    script = 'touch "/in put/x" || echo refused; touch "$0/y"'
    line = engine.line(
        ["sh", "-c", script, str(folder / "run:1")],
        folder,
        binds=[folder / "run:1"],
        container=engine.container(binds=[raw]),
    )
    assert "refused" in output_of(line)
    assert list((folder / "data, raw").iterdir()) == []
    assert (folder / "run:1/y").exists()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", ExitStatus(code=0)),
        ("exit 7", ExitStatus(code=7)),
        ("kill -9 $$", ExitStatus(signal=9)),
        ("kill -15 $$", ExitStatus(signal=15)),
    ],
)
def test_exit_codes_are_the_same_for_all(
    engine: Engine, folder: Path, script: str, expected: ExitStatus
) -> None:
    done = subprocess.run(engine.line(["sh", "-c", script], folder), timeout=60)
    assert exit_status(done.returncode, engine.name) == expected


def test_a_container_that_does_not_start_is_told_apart(
    engine: Engine, folder: Path
) -> None:
    line = engine.line(["true"], folder, binds=[folder / "not there"])
    done = subprocess.run(line, capture_output=True, timeout=60)
    assert exit_status(done.returncode, engine.name).launcher


def test_environment_is_clean_and_values_arrive_whole(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaks = ("PYTHONPATH", "LD_PRELOAD_X", "VIRTUAL_ENV", "KEDRO_LEAK", "SLURM_MEM")
    for name in leaks:
        monkeypatch.setenv(name, "/leak")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    values = {
        "PLAIN": "x",
        "COMMAS": "a,b,c",
        "PAIRS": "a=1,b=2",
        "SPACED": " two  spaces ",
        "JSON": '{"a": [1, 2], "b=c": "d"}',
        "DOLLAR": "$HOME `id` \\n",
        "EMPTY": "",
    }
    names = [*values, *leaks, "SLURM_ARRAY_TASK_ID", "CUDA_VISIBLE_DEVICES"]
    names += ["SLURM_JOB_ID"]
    script = 'for n in "$@"; do printenv "$n" || echo "<none>"; done'
    line = engine.line(["sh", "-c", script, "sh", *names], folder, env=values)
    found = dict(zip(names, output_of(line).splitlines(), strict=True))
    assert {n: found[n] for n in values} == values
    assert {found[n] for n in (*leaks, "SLURM_JOB_ID")} == {"<none>"}
    assert found["SLURM_ARRAY_TASK_ID"] == "17"
    assert found["CUDA_VISIBLE_DEVICES"] == "1,3"


def test_files_belong_to_the_ordinary_user(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    who: dict[str, Any] = {}
    if engine.detached:  # the daemon's user is root; the task's is the caller
        monkeypatch.setattr(os, "getgid", lambda: _NOBODY)
        line = with_uid(monkeypatch, engine, folder)
    else:
        engine = Engine(engine.name, engine.image, ())
        line = engine.line(["sh", "-c", "id -u; touch mine"], folder)
        who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": [], "cwd": "/"}
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, **who)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(_NOBODY)
    made = (folder / "mine").stat()
    assert (made.st_uid, made.st_gid) == (_NOBODY, _NOBODY)


def with_uid(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, folder: Path
) -> list[str]:
    """The command line that another user gets from a daemon that runs as root."""
    monkeypatch.setattr(os, "getuid", lambda: _NOBODY)
    line = engine.line(["sh", "-c", "id -u; touch mine"], folder)
    return [word for word in line if word != "--userns=keep-id"]


_DRIVER = """
import json, sys
from cyto_kedro.runners.processes import run
run(json.loads(sys.argv[1]), engine=sys.argv[2], name=sys.argv[3], grace={grace})
"""


@pytest.mark.parametrize("obedient", [True, False], ids=["ends", "ignores"])
def test_sigterm_stops_the_container_and_leaves_none(
    engine: Engine, folder: Path, obedient: bool
) -> None:
    trap = "" if obedient else "trap '' TERM; "
    # Sleeps that end soon, so that a task that ignores the signal is told apart.
    script = f"{trap}touch up; while true; do sleep 0.1; done; true {folder.name}"
    name = f"cyto-test-{folder.name[-8:]}"
    line = engine.line(["sh", "-c", script], folder, name=name)
    words = [json.dumps(line), engine.name, name]
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER.format(grace=15 if obedient else 0.5), *words]
    )
    wait_for((folder / "up").exists)
    started = time.monotonic()
    driver.terminate()
    assert driver.wait(20) == -15
    assert not obedient or time.monotonic() - started < 10
    wait_for(lambda: not processes_with(folder.name))
    if engine.detached:
        listed = ["podman", "ps", "--all", "--format={{.Names}}"]
        wait_for(lambda: name not in output_of(listed).split())


def processes_with(text: str) -> list[list[str]]:
    """Command lines of this machine's processes, containers' included."""
    import psutil

    found = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
    return [words for words in found if any(text in word for word in words)]


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def with_python(engine: Engine, **values: Any) -> Container:
    """The image with this test's own Python bound in."""
    given = {"binds": engines.python_binds(), "env": engines.python_env()}
    return engine.container(**(given | values))


def test_an_image_that_runs_the_worker_passes(engine: Engine) -> None:
    check(with_python(engine), project=REPOSITORY)


def test_an_image_without_python_is_refused_with_the_reason(engine: Engine) -> None:
    with pytest.raises(ConfigError) as caught:
        check(engine.container(), project=REPOSITORY)
    said = str(caught.value)
    assert "cannot run a worker" in said
    assert "python" in said.split("what to do")[0]
    assert "--runner-params=profile=local" in said


def test_an_image_with_older_sources_is_refused(engine: Engine, place: Path) -> None:
    older = place / f"older-{engine.name}"
    shutil.copytree(REPOSITORY / "src/cyto_kedro", older / "cyto_kedro")
    (older / "cyto_kedro/__init__.py").write_text("# an older state\n")
    container = with_python(
        engine,
        binds=[*engines.python_binds(), str(older)],
        env=engines.python_env() | {"PYTHONPATH": str(older)},
    )
    with pytest.raises(ConfigError, match="sources inside are not those outside"):
        check(container, project=REPOSITORY)


def test_an_image_that_is_not_there_is_not_fetched(podman: Path) -> None:
    container = Container(engine="podman", image="docker.io/library/nothing-here:1")
    with pytest.raises(ConfigError, match="is not there"):
        check(container, project=REPOSITORY)


@pytest.mark.slow
def test_a_run_with_a_node_in_each_engine_gives_the_same_results(
    podman: Path, sif: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell type is segmented in Podman, the other in Apptainer."""
    project = small_project(place / "a project", n_movies=2, frames=4)
    run = ["run", "--to-nodes=tcell.segment,cancer.segment"]
    run += ["--params=movies=killing_A1"]
    run += ["--runner=cyto_kedro.runners.AllocationRunner"]
    alone = project.kedro(*run)
    assert alone.returncode == 0, alone.stdout[-3000:] + alone.stderr[-3000:]
    before = hashes(project)
    shutil.rmtree(project.folder / "data/02_intermediate")

    inside = {"binds": engines.python_binds(), "env": engines.python_env()}
    in_podman = {"engine": "podman", "image": engines.IMAGE} | inside
    in_apptainer = {"engine": "apptainer", "image": str(sif)} | inside
    in_apptainer["options"] = ["--userns"]
    nodes = {"cancer.segment": in_podman, "tcell.segment": in_apptainer}
    project.configure("execution.yml", json.dumps({"profiles": {"mixed": nodes}}))
    calls = record_calls(place / "recorded", monkeypatch, "podman", "apptainer")
    mixed = project.kedro(*run, "--runner-params=profile=mixed")
    assert mixed.returncode == 0, mixed.stdout[-3000:] + mixed.stderr[-3000:]
    assert hashes(project) == before
    assert {name for _, name in before} >= {"cancer.labels", "tcell.labels"}
    for engine in ("podman", "apptainer"):
        assert f"{engine} cyto_kedro.runners.worker" in calls.read_text()


def test_the_notebook_compares_a_real_container_with_bare_metal(
    podman: Path, place: Path
) -> None:
    pytest.importorskip("nbclient")
    project = small_project(place / "a notebook", n_movies=1, frames=4)
    env = engines.python_env() | {"PYTHONPATH": f"{REPOSITORY}/src"}
    inside = {"binds": engines.python_binds(), "env": env}
    node = {"*.segment": {"engine": "podman", "image": engines.IMAGE} | inside}
    project.configure("execution.yml", json.dumps({"profiles": {"hybrid": node}}))
    path = REPOSITORY / "notebooks" / "02_container_vs_bare_metal.ipynb"
    notebook = pages.execute(path, project.folder, timeout_s=200)
    said, _ = pages.page_of(notebook, path.stem)
    assert "['local', 'hybrid']" in said
    assert "podman run" in said and engines.IMAGE in said
    # One row per cell type and movie: hash on bare metal, hash inside, equal.
    rows = re.findall(r"<td>(\w{12})</td>\s*<td>(\w{12})</td>\s*<td>(\w+)</td>", said)
    assert rows and all(one == two and same == "True" for one, two, same in rows)


def hashes(project: Project) -> dict[tuple[str, str], str]:
    """Content hash of every output, by movie and dataset."""
    found = {}
    for path in (project.folder / "data").rglob("*.sidecar.json"):
        sidecar = json.loads(path.read_text("utf-8"))
        found[sidecar["movie"], sidecar["dataset"]] = sidecar["sha256"]
    return found
