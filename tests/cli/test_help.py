"""The commands read like one tool."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cyto_kedro.cli.help import SECTIONS
from cyto_kedro.cli.main import cli, cyto


def commands(group: click.Group = cyto, words: str = "cyto"):
    """Every command below a group by its words."""
    for name, command in group.commands.items():
        yield f"{words} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{words} {name}")


def test_every_command_is_listed_once_under_a_heading_with_its_whole_line():
    listed = [name for names in SECTIONS.values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(cyto.commands)
    done = CliRunner().invoke(cli, ["cyto", "--help"], terminal_width=80)
    assert done.exit_code == 0
    for title in SECTIONS:
        assert f"{title}:" in done.output
    for name in cyto.commands:
        lines = [x for x in done.output.splitlines() if x.startswith(f"  {name} ")]
        assert len(lines) == 1, name
    assert "..." not in done.output.partition("Options:")[2]


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_help_is_a_sentence_and_options_are_explained(words, command):
    first = (command.help or "").partition("\n\n")[0]
    assert first.strip().endswith("."), words
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{words} {option.name}"


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_an_option_is_called_the_same_everywhere(words, command):
    alike = {
        "env": ["--env", "-e"],
        "output": ["--output", "-o"],
        "as_json": ["--json"],
    }
    for option in command.params:
        if option.name in alike:
            assert option.opts == alike[option.name], words
        assert "--env" not in option.opts or option.name == "env", words


def test_a_misspelt_command_is_met_with_the_nearest():
    done = CliRunner().invoke(cli, ["cyto", "prevew"])
    assert done.exit_code == 2
    assert "preview" in done.output
