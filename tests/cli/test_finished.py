"""Which run commands take that look at finished runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cyto_kedro.cli import finished
from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.errors import ConfigError
from made_runs import MadeRun, layout_in


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Opens runs below a folder whose sheet holds the movie A1 alone."""
    layout = layout_in(tmp_path)
    experiment = SimpleNamespace(ids=("A1",), sheet=layout.sheet)
    loader = SimpleNamespace(layout=layout, experiment=experiment)
    monkeypatch.setattr(finished, "open_context", lambda *_: (None, loader))
    MadeRun(layout, "20260101T000001Z").make()
    MadeRun(layout, "20260101T000002Z", status="failed").make()
    other = MadeRun(layout, "20260101T000003Z", movies=("B1",)).make()
    other.set_metadata(env="plate7")
    return lambda run_id, env=None: FinishedRun.open(None, run_id, env).run.id


def test_the_last_run_is_the_newest_complete_one_of_the_environment(opened):
    assert opened("last") == opened("latest") == "20260101T000001Z"
    assert opened("20260101T000002Z") == "20260101T000002Z"


def test_a_run_of_another_environment_is_refused_with_its_name(opened):
    with pytest.raises(ConfigError, match=r"(?s)not in the sheet: B1.*--env plate7"):
        opened("20260101T000003Z")
