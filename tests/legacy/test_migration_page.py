"""The migration page promises only commands, options, files and names that exist."""

from __future__ import annotations

import re

import pytest

from cyto_kedro import api
from cyto_kedro.cli.main import cyto
from cyto_kedro.legacy.modules import FUNCTIONS, MODULES
from project import REPOSITORY

PAGE = (REPOSITORY / "docs" / "migration.md").read_text("utf-8")
COMMANDS = sorted(set(re.findall(r"kedro cyto ([a-z-]+[^`\n|:;)]*)", PAGE)))


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_options_exist(line: str) -> None:
    name, *words = line.split()
    command = cyto.commands[name]
    known = {option for param in command.params for option in param.opts}
    asked = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert asked <= known


def test_every_module_is_in_the_table() -> None:
    for name in (*MODULES, "calculate_cdi", "cal_viability", "cal_msd"):
        assert name in PAGE
    assert {"calculate_cdi", "cal_viability", "cal_msd"} <= set(FUNCTIONS)


def test_named_files_and_functions_exist() -> None:
    for path in re.findall(r"containers/[\w/.-]+", PAGE):
        assert (REPOSITORY / path).exists(), path
    for name in re.findall(r"cyto_kedro\.api\.(\w+)", PAGE):
        assert hasattr(api, name)
    block = re.search(r"from cyto_kedro.api import (.*)", PAGE)
    assert block is not None
    assert all(hasattr(api, name) for name in block[1].split(", "))


def test_every_command_of_pycytos_pages_has_a_row() -> None:
    table = PAGE.split("## Commands")[1].split("## Modules")[0]
    for words in (
        *("python main.py -p", "pixi run cyto", "run_benchmark.py --dry-run"),
        *("collect_results.py --run-id ID --validate", "collect_results.py --validate"),
        *("write_run_metadata", "load_notebook_config", "load_db_config", "sinfo"),
        *("squeue --me", "tail -f", "du -sh", "rm -rf", "ls -dt", "docker build"),
        *("docker run", "apptainer build", "apptainer exec", "apptainer shell"),
        *("containers/apptainer/build.sh", "cyto.runners.container_worker"),
    ):
        assert words in table, words
