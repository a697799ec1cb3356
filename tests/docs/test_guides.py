"""What the guides tell people to type."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import tifffile
import yaml

from cyto_kedro.cli.main import cli
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams
from project import REPOSITORY
from small_experiment import small_project

GUIDES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
    *(REPOSITORY / "docs").glob("*.md"),
    *(REPOSITORY / "docs" / "howto").glob("*.md"),
    *(REPOSITORY / "docs" / "methods").glob("*.md"),
]


def commands() -> Iterator[tuple[str, str]]:
    """(page, line) of each `kedro cyto ...` in a block or between backticks."""
    for page in GUIDES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        blocks = re.findall(r"```\w*\n(.*?)```", text, re.S)
        inline = re.findall(
            r"`(kedro cyto [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S)
        )
        lines = [line for block in blocks for line in block.splitlines()]
        for line in [*lines, *inline]:
            if found := re.match(
                r"(?:nohup )?(kedro cyto (?!.*->)[^#|]+)", line.strip()
            ):
                yield page.name, " ".join(found.group(1).split())


def test_every_documented_command_and_option_exists():
    seen = list(commands())
    assert len(seen) > 60
    group = cli.commands["cyto"]
    for page, line in seen:
        command: click.Command = group
        words = re.sub(r"[\[\]&]|\.\.\.|…", " ", line).split()[2:]
        while (
            words and isinstance(command, click.Group) and words[0] in command.commands
        ):
            command = command.commands[words.pop(0)]
        told = f"{page}: {line}"
        assert not isinstance(command, click.Group) or words[:1] in ([], ["--help"]), (
            told
        )
        known = {"--help", "-h"} | {o for p in command.params for o in p.opts}
        known |= {o for p in command.params for o in p.secondary_opts}
        options = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert options <= known, told


# -- the tutorial, followed ------------------------------------------------------------


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, content) of the code blocks of a page of the docs, in order."""
    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    return re.findall(r"```(\w+)\n(.*?)```", text, re.S)


def _draw_less(path: Path) -> None:
    """What takes time in tiny movies is repeated draws: a few show as much."""
    killing = yaml.safe_load(path.read_text("utf-8"))
    inside = killing["killing"]
    chance = {"n_shifts": 20, "n_moves": 20, "n_refits": 19}
    inside["attribution"] |= {
        "chance": inside["attribution"].get("chance", {}) | chance,
        "sensitivity": {"n_shifts": 20},
        "density": {"n_repeats": 2},
    }
    fewer = {"n_bootstrap": 20, "n_permutations": 99}
    inside["survival"] = inside.get("survival", {}) | fewer
    path.write_text(yaml.safe_dump(killing), "utf-8")


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A shell in a project of tiny movies; the microscope's plate lies beside it."""
    folder = tmp_path_factory.mktemp("tutorial")
    project = small_project(folder / "project", 2)
    _draw_less(project.folder / "conf" / "base" / "parameters_killing.yml")
    options = SimulationParams(
        n_frames=4, height_px=128, width_px=128, n_effectors=5, n_targets=4
    )
    movie = simulate(options)
    planes = [movie.stack(kind).compute() for kind in ("tcell", "cancer", "death")]
    facts = {
        "axes": "TCYX",
        "Channel": {"Name": ["CD8", "Raji", "SYTOX"]},
        "PhysicalSizeX": 0.65,
        "PhysicalSizeY": 0.65,
        "TimeIncrement": 2.0,
        "TimeIncrementUnit": "min",
    }
    (folder / "plate7").mkdir()
    path = folder / "plate7" / "A1.ome.tif"
    tifffile.imwrite(path, np.stack(planes, axis=1), ome=True, metadata=facts)
    tools = str(Path(sys.executable).parent)
    env = project.environment() | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def run(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=project.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (
            f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout + done.stderr

    run.project, run.plate = project, folder / "plate7"
    return run


@pytest.mark.slow
def test_the_tutorial_can_be_followed(shell):
    found = blocks("tutorial.md")
    kinds = [kind for kind, _ in found]
    assert kinds == ["bash", "bash", "python", "yaml", "bash", "bash", "bash"]
    (first, session, code, setting, again, init, look) = [text for _, text in found]

    assert "report.html" in shell(first)
    assert session == "kedro ipython\n"
    seen = shell(f"kedro ipython -c {shlex.quote(code)}")
    assert "Error" not in seen

    shell.project.configure("parameters_killing.yml", setting)
    assert "nodes are up to date" in shell(again)
    assert len(shell.project.runs()) == 2

    plate = shlex.quote(str(shell.plate))
    shell(init.replace("/path/to/plate7/*.czi", f"{plate}/*.ome.tif"))
    preview, whole = look.splitlines()
    drawn = shell(preview.replace("0,30,59", "0,3"))
    assert drawn.count(".png") == 2
    assert whole == "kedro run --env plate7"  # tests/cli/test_init.py runs one
