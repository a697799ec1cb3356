"""The commands as a script sees them: text, JSON, exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cyto_kedro.cli import lifecycle
from made_runs import MadeRun, layout_in

RUN = "20260101T000000Z"


@pytest.fixture
def run(tmp_path, monkeypatch):
    made = MadeRun(layout_in(tmp_path), RUN).make()
    monkeypatch.setattr(lifecycle, "layout_of", lambda metadata, env: made.layout)
    return made


def call(command, *words, **options):
    return CliRunner().invoke(command, list(words), catch_exceptions=False, **options)


def test_verify_says_by_its_exit_code_what_it_found(run):
    assert call(lifecycle.verify).exit_code == 0
    labels = run.scratch("A1") / "cancer" / "labels.zarr" / "0" / "c"
    labels.write_bytes(b"edited")
    assert call(lifecycle.verify, RUN).exit_code == 1
    assert call(lifecycle.verify, RUN, "--quick").exit_code == 0
    unknown = call(lifecycle.verify, "20200101T000000Z")
    assert unknown.exit_code == 2
    assert "There is no run" in unknown.output
    said = json.loads(call(lifecycle.verify, "--json").stdout)
    assert said["verdict"] == "changed"
