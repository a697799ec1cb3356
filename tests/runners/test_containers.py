"""Containers: command lines, exit codes, refusals, without an engine at hand."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.containers import (
    Bind,
    Container,
    ExitStatus,
    check,
    command,
    exit_status,
    refuse_under_slurm,
    run,
)
from cyto_kedro.runners.kubernetes import kubernetes_job, main
from project import REPOSITORY, Project

ENGINES = ("docker", "podman", "apptainer", "singularity")


def a_container(engine: str, **values: Any) -> Container:
    image = "x.sif" if engine in ("apptainer", "singularity") else "x:1"
    return Container.model_validate({"engine": engine, "image": image} | values)


def line_of(container: Container, **values: Any) -> list[str]:
    given: dict[str, Any] = {
        "workdir": Path("/project"),
        "binds": [],
        "env": {},
        "name": "cyto-run-unit",
        "gpu": False,
    }
    return command(container, ["python", "-m", "worker"], **(given | values))


def after(line: list[str], flag: str) -> list[str]:
    return [line[i + 1] for i, word in enumerate(line[:-1]) if word == flag]


def test_bare_metal_is_the_command_itself() -> None:
    assert line_of(Container()) == ["python", "-m", "worker"]
    assert line_of(Container(engine="docker", image="")) == ["python", "-m", "worker"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_worker_is_the_last_of_the_line(engine: str) -> None:
    line = line_of(a_container(engine))
    image = "x:1" if engine in ("docker", "podman") else "/project/x.sif"
    assert line[-4:] == [image, "python", "-m", "worker"]
    assert engine in line
    assert "-t" not in line and "-i" not in line


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_detached_engines_neither_pull_nor_leave_anything(engine: str) -> None:
    line = line_of(a_container(engine), name="cyto+a b/ü")
    assert {"--rm", "--init", "--pull=never"} <= set(line)
    assert after(line, "--user") == [f"{os.getuid()}:{os.getgid()}"]
    assert after(line, "--name") == ["cyto-a-b--"]


@pytest.mark.parametrize(
    ("gpu", "wanted", "docker", "podman", "apptainer"),
    [
        ("auto", False, [], [], 0),
        ("auto", True, ["all"], ["nvidia.com/gpu=all"], 1),
        (2, True, ["2"], ["nvidia.com/gpu=0", "nvidia.com/gpu=1"], 1),
        (1, False, ["1"], ["nvidia.com/gpu=0"], 1),
        (0, True, [], [], 0),
    ],
)
def test_gpu_flags(
    gpu: Any, wanted: bool, docker: list[str], podman: list[str], apptainer: int
) -> None:
    lines = {e: line_of(a_container(e, gpu=gpu), gpu=wanted) for e in ENGINES}
    assert after(lines["docker"], "--gpus") == docker
    assert after(lines["podman"], "--device") == podman
    assert lines["apptainer"].count("--nv") == apptainer
    assert lines["singularity"].count("--nv") == apptainer
    if gpu == 0:
        for line in lines.values():
            assert "CUDA_VISIBLE_DEVICES=" in after(line, "--env")


def test_limits_reach_the_engines_that_keep_them() -> None:
    asked = {"cpus": 2.5, "mem": "8Gi"}
    line = line_of(a_container("docker", resources=asked))
    assert "--cpus=2.5" in line and "--memory=8g" in line


def test_conf_wins_over_the_run_and_one_target_is_mounted_once() -> None:
    container = a_container("docker", env={"A": "conf"}, binds=["/data:/data:ro"])
    line = line_of(container, env={"A": "run"}, binds=[Path("/data"), Path("/data")])
    assert [e for e in after(line, "--env") if e.startswith("A=")] == ["A=conf"]
    mounts = [m for m in after(line, "--mount") if "target=/data" in m]
    assert mounts == ["type=bind,source=/data,target=/data,readonly"]


@pytest.mark.parametrize("path", ["/a:b", "/a,b", "/a b", '/a"b', "/a:b,c d"])
@pytest.mark.parametrize("engine", ENGINES)
def test_odd_paths_survive(engine: str, path: str) -> None:
    """Read the flags back as the engines do: --mount is CSV, --bind splits at : , ."""
    line = line_of(a_container(engine), binds=[Path(path)])
    seen = [
        dict(f.split("=", 1) for f in fields if "=" in f)
        for fields in csv.reader(after(line, "--mount"))
    ]
    found = [(m["source"], m.get("target", m.get("destination"))) for m in seen]
    found += [tuple(b.split(":")) for b in after(line, "--bind")]
    assert (path, path) in found


def test_a_value_that_apptainer_would_change_is_refused() -> None:
    with pytest.raises(ConfigError, match="quotation mark"):
        line_of(a_container("apptainer"), env={"A": 'b"'})


def test_a_bind_expands_home_and_takes_colons_as_mapping() -> None:
    assert Bind.model_validate("~/x").source == Path.home() / "x"
    bind = Bind.model_validate({"source": "/a:b", "target": "/c"})
    assert (bind.source, bind.inside) == (Path("/a:b"), Path("/c"))


@pytest.mark.parametrize(
    ("code", "engine", "expected"),
    [
        (0, "docker", ExitStatus(code=0)),
        (1, "apptainer", ExitStatus(code=1)),
        (137, "podman", ExitStatus(signal=9)),
        (-9, "apptainer", ExitStatus(signal=9)),
        (143, "docker", ExitStatus(signal=15)),
        (-15, "bare", ExitStatus(signal=15)),
        (125, "docker", ExitStatus(code=125, launcher=True)),
        (126, "podman", ExitStatus(code=126, launcher=True)),
        (127, "docker", ExitStatus(code=127, launcher=True)),
        (255, "apptainer", ExitStatus(code=255, launcher=True)),
        (255, "bare", ExitStatus(code=255)),
        (127, "bare", ExitStatus(code=127)),
        (128, "bare", ExitStatus(code=128)),
    ],
)
def test_exit_codes_mean_the_same_everywhere(
    code: int, engine: str, expected: ExitStatus
) -> None:
    assert exit_status(code, engine) == expected


def test_a_killed_task_says_what_probably_happened() -> None:
    assert "memory" in exit_status(137, "docker").describe()
    assert "did not start" in exit_status(125, "docker").describe()
    assert exit_status(3, "docker").describe() == "exit code 3"


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_daemons_are_refused_under_slurm(engine: str) -> None:
    with pytest.raises(ConfigError, match="scancel"):
        refuse_under_slurm(a_container(engine))
    refuse_under_slurm(Container(engine="docker", image=""))
    refuse_under_slurm(a_container("apptainer"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_engine_names_the_way_without(
    engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=f"{engine} is not installed") as caught:
        check(a_container(engine), project=tmp_path)
    assert "--runner-params=profile=local" in str(caught.value)


def fake_engine(folder: Path, name: str, script: str) -> None:
    """A program that takes the place of an engine."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_missing_image_names_its_path_and_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_engine(tmp_path, "apptainer", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ConfigError) as caught:
        check(a_container("apptainer"), project=tmp_path)
    assert str(tmp_path / "x.sif") in str(caught.value)
    assert "containers/apptainer/build.sh" in str(caught.value)


def test_a_missing_bind_is_told_before_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_engine(tmp_path, "docker", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ConfigError, match="/no/such/folder"):
        check(a_container("docker", binds=["/no/such/folder"]), project=tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cyto_kedro": "0.0.1"}, "cyto_kedro 0.0.1 inside"),
        ({"kedro": "1.6.0"}, "kedro 1.6.0 inside"),
        ({"python": "3.12.1"}, "python 3.12 inside, 3.11 outside"),
        ({"code": "0"}, "sources"),
    ],
)
def test_another_state_inside_is_refused(
    change: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import json

    from cyto_kedro.runners.versions import versions

    told = json.dumps(versions() | change)
    fake_engine(tmp_path, "docker", f"echo a greeting; echo '{told}'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ConfigError) as caught:
        check(a_container("docker"), project=tmp_path)
    assert said in str(caught.value)
    assert "containers/docker/cellpose/Dockerfile" in str(caught.value)


def test_other_libraries_inside_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: Any
) -> None:
    import json

    from cyto_kedro.runners.versions import versions

    found = versions()
    found["libraries"]["numpy"] = "1.0"
    found["python"] = "3.11.99"
    fake_engine(tmp_path, "docker", f"echo '{json.dumps(found)}'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    check(a_container("docker"), project=tmp_path)
    assert "numpy 1.0" in caplog.text


def test_a_docker_without_daemon_is_not_told_to_build_an_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "docker: Cannot connect to the Docker daemon at unix:///x. Is it running?"
    fake_engine(tmp_path, "docker", f"echo '{said}' >&2; exit 125")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ConfigError, match="daemon does not answer") as caught:
        check(a_container("docker"), project=tmp_path)
    assert "docker build" not in str(caught.value)
    assert "profile=local" in str(caught.value)


_DRIVER = """
import sys
from cyto_kedro.runners.processes import run
print("started", flush=True)
run([sys.executable, "-c", sys.argv[1]], grace=0.5)
print("went on", flush=True)
"""
_CHILD = (
    "import pathlib, signal, sys, time; "
    "signal.signal(signal.SIGTERM, {handler}); "
    "pathlib.Path({mark!r}).write_text('x'); time.sleep(60)"
)


@pytest.mark.parametrize("handler", ["signal.SIG_DFL", "signal.SIG_IGN"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_child_and_then_the_driver(
    number: signal.Signals, handler: str, tmp_path: Path
) -> None:
    """Also a child that ignores it, after the time that it is given."""
    mark = tmp_path / "child_is_up"
    child = _CHILD.format(handler=handler, mark=str(mark))
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, child],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    wait_for(mark.exists)
    driver.send_signal(number)
    said, _ = driver.communicate(timeout=20)
    assert driver.returncode == -number
    assert "went on" not in said
    assert not any_process_with(str(mark))


def test_a_command_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sleep", "31.4159"], timeout=0.3)
    assert not any_process_with("31.4159")


def test_run_gives_the_commands_own_exit_code() -> None:
    assert run(["sh", "-c", "exit 7"]) == ExitStatus(code=7)
    assert run(["sh", "-c", "kill -9 $$"]) == ExitStatus(signal=9)


def wait_for(true: Any, seconds: float = 20) -> None:
    import time

    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def any_process_with(text: str) -> bool:
    import psutil

    found = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
    return any(text in word for words in found for word in words)


def test_kubernetes_job_of_the_shipped_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node selector of the seeds' cloud profile ends up where Kubernetes reads."""
    monkeypatch.chdir(Project.create(tmp_path / "p").folder)
    arguments = ["--gpu", "--node", "cancer.segment", "--name", "My run+1", "--"]
    assert main([*arguments, "kedro", "run", "--pipeline=benchmark"]) == 0
    job = yaml.safe_load(Path("kubernetes_job.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["metadata"]["name"] == "my-run-1"
    assert job["spec"]["backoffLimit"] == 1
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["nodeSelector"] == {"accelerator": "nvidia-tesla-v100"}
    (worker,) = pod["containers"]
    assert worker["command"] == ["kedro", "run", "--pipeline=benchmark"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert worker["resources"]["limits"]["memory"] == "16Gi"
    (mount,), (volume,) = worker["volumeMounts"], pod["volumes"]
    assert mount["name"] == volume["name"]
    assert volume["persistentVolumeClaim"]["claimName"] == "cyto-kedro-workspace"


def test_kubernetes_job_without_gpu_asks_for_none() -> None:
    container = a_container("kubernetes", gpu=0)
    given: dict[str, Any] = {"name": "n", "workdir": "/w", "env": {"A": "b: 'c'"}}
    job = yaml.safe_load(kubernetes_job(container, ["x"], gpu=True, **given))
    (worker,) = job["spec"]["template"]["spec"]["containers"]
    assert worker["resources"] == {"requests": {}, "limits": {}}
    assert {"name": "A", "value": "b: 'c'"} in worker["env"]


def test_what_a_pod_cannot_have_is_refused() -> None:
    given: dict[str, Any] = {"name": "n", "workdir": "/w", "env": {}, "gpu": False}
    with pytest.raises(ConfigError, match="claims"):
        kubernetes_job(a_container("kubernetes", binds=["/data"]), ["x"], **given)
    with pytest.raises(ConfigError, match="not submitted"):
        line_of(a_container("kubernetes"))


@pytest.mark.parametrize("script", ["apptainer/build.sh", "constraints.sh"])
def test_scripts_are_valid_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n", REPOSITORY / "containers" / script])
    assert done.returncode == 0


def test_build_script_explains_itself(tmp_path: Path) -> None:
    script = REPOSITORY / "containers/apptainer/build.sh"
    told = subprocess.run(
        ["bash", script, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "cyto-gpu.sif" in told and "--force" in told
    for words, said in (
        (["nonsense"], "unknown argument"),
        (["cpu"], "neither apptainer nor singularity"),
    ):
        done = subprocess.run(
            ["/bin/bash", script, *words],
            capture_output=True,
            text=True,
            env={"PATH": path_without_engines(tmp_path)},
        )
        assert done.returncode == 1
        assert said in done.stderr


def path_without_engines(folder: Path) -> str:
    bin_ = folder / "bin"
    if not bin_.exists():
        bin_.mkdir()
        for name in ("dirname", "cat"):
            (bin_ / name).symlink_to(f"/usr/bin/{name}")
    return str(bin_)


def test_recipes_pin_one_base_and_hold_no_secrets() -> None:
    recipes = [
        *(REPOSITORY / "containers").rglob("Dockerfile"),
        *(REPOSITORY / "containers").rglob("*.def"),
    ]
    bases = set()
    for recipe in recipes:
        text = recipe.read_text()
        bases |= {w for w in text.replace("BASE=", " ").split() if "@sha256:" in w}
        assert not any(w in text.lower() for w in ("token", "password", "secret"))
    assert len(recipes) == 3
    assert len(bases) == 1
