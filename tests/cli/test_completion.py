"""Shell completion, asked as a shell asks, and in a real bash."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.shell_completion import ShellComplete

from cyto_kedro.cli.main import cli
from project import Project

RUN = "20260315T111551Z"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project.create(tmp_path_factory.mktemp("a project") / "p")
    data = made.folder / "data"
    (data / "08_reporting" / "cytotoxicity" / f"run_{RUN}").mkdir(parents=True)
    sheet = data / "01_raw" / "example" / "experiment.csv"
    sheet.parent.mkdir(parents=True)
    sheet.write_text(
        "dataset,movie,well,donor,condition,control\n"
        "example,killing_A1,A1,d1,c,false\nexample,control_B1,B1,d1,c,true\n"
    )
    return made


def offered(project: Project, *words: str) -> list[str]:
    """What completes the last word."""
    obj = SimpleNamespace(project_path=project.folder)
    complete = ShellComplete(cli, {"obj": obj}, "kedro", "_KEDRO_COMPLETE")
    found = complete.get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found]


def test_names_that_exist_are_offered(project: Project) -> None:
    assert offered(project, "cyto", "status", "") == [RUN]
    assert offered(project, "cyto", "collect", "--run-id", "2026") == [RUN]
    assert offered(project, "cyto", "purge", "--run-id", "") == [RUN]
    assert "bmrc" in offered(project, "cyto", "verify", "--env", "b")
    assert offered(project, "cyto", "preview", "k") == ["killing_A1"]
    assert offered(project, "cyto", "export", "--movie", "c") == ["control_B1"]
    assert offered(project, "cyto", "weights", "fetch", "cpsam_") == ["cpsam_v2"]
    assert offered(project, "run", "--pipelines", "contacts,bench") == [
        "contacts,benchmark"
    ]
    assert offered(project, "run", "--runner", "cyto_kedro.runners.S") == [
        "cyto_kedro.runners.SlurmRunner"
    ]


def test_a_project_that_cannot_be_read_offers_nothing(tmp_path: Path) -> None:
    nothing = Project(tmp_path)
    assert offered(nothing, "cyto", "status", "") == []
    assert offered(nothing, "cyto", "status", "--env", "") == []
    assert offered(nothing, "cyto", "preview", "") == []


def _bash_is_new_enough() -> bool:
    bash = shutil.which("bash")
    if bash is None:
        return False
    told = subprocess.run([bash, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", told)
    return bool(found) and (int(found[1]), int(found[2])) >= (4, 4)


@pytest.mark.skipif(not _bash_is_new_enough(), reason="no bash of version 4.4 or newer")
def test_a_real_bash_completes_as_the_documentation_says(project: Project) -> None:
    text = (
        Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
    ).read_text()
    found = re.search(r"`(eval \"\$\(_KEDRO_COMPLETE=bash_source kedro\)\")`", text)
    assert found, "the documentation names the line for bash"
    script = f"""
{found[1]}
complete -p kedro
asked() {{
  COMP_WORDS=(kedro "$@"); COMP_CWORD=$#; COMPREPLY=()
  _kedro_completion kedro
  echo "$* -> ${{COMPREPLY[*]}}"
}}
asked cyto stat
asked cyto logs 2026
"""
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=project.folder,
        env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("complete "), done.stderr
    assert lines[1:] == ["cyto stat -> status", f"cyto logs 2026 -> {RUN}"]
