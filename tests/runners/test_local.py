"""Workers of this machine that begin together."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.local import LocalBackend
from cyto_kedro.runners.stages import Placement, Stage
from cyto_kedro.runners.units import Base, Unit

# Speaks the protocol of a serving worker: slow to warm up, and slower each time.
_STUB = """
import json, os, pathlib, sys, time
results = pathlib.Path(json.loads(open(sys.argv[3]).read())["base"]["results"])
notes = results.parent / "notes"
number = len(list(notes.glob("started_*")))
while True:
    try:
        (notes / f"started_{number}").touch(exist_ok=False)
        break
    except FileExistsError:
        number += 1
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "warm_up" in asked:
        time.sleep(0.4 * number)
        if (notes / "die").exists() and number == 1:
            os._exit(3)
        (notes / f"warm_{number}").write_text(str(time.time()))
        print("warm_up", flush=True)
        continue
    unit = f"{asked['stage']}.{asked['movie']}"
    result = {"unit": unit, "status": "done", "started": time.time()}
    result["job"] = str(number)
    time.sleep(0.1)
    (results / f"{unit}.json").write_text(json.dumps(result))
    print(unit, flush=True)
"""
STAGE = Stage("s", ("n",), Placement(key="", gpu=False), joint=False)
UNITS = [Unit("s", ("n",), f"m{number}") for number in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stub.py").write_text(_STUB)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "{tmp_path}/stub.py" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "notes").mkdir()
    return tmp_path


def backend(folder: Path, n_jobs: int, warm_up: bool) -> LocalBackend:
    journal = Journal(folder)
    journal.open()
    base = Base("", "", None, {}, [], "w", "r", str(journal.results), warm_up=warm_up)
    return LocalBackend(base, journal, n_jobs, 1, python=str(folder / "python"))


def results(one: LocalBackend, count: int) -> list[dict[str, object]]:
    found = []
    end = time.monotonic() + 60
    while len(found) < count and time.monotonic() < end:
        found += one.poll()
    one.cancel()
    return [vars(result) for result in found]


def test_no_unit_begins_before_all_workers_are_warm(folder: Path) -> None:
    one = backend(folder, 3, warm_up=True)
    one.submit(STAGE, UNITS)
    done = results(one, len(UNITS))
    warm = [float(path.read_text()) for path in (folder / "notes").glob("warm_*")]
    assert len(warm) == 3
    assert min(result["started"] for result in done) >= max(warm)
    assert {result["job"] for result in done} == {"0", "1", "2"}


def test_no_more_are_started_than_there_is_work_for(folder: Path) -> None:
    one = backend(folder, 3, warm_up=True)
    one.submit(STAGE, UNITS[:2])
    assert len(results(one, 2)) == 2
    assert len(list((folder / "notes").glob("started_*"))) == 2


def test_a_worker_that_dies_in_its_warm_up_stops_nobody(folder: Path) -> None:
    (folder / "notes" / "die").touch()
    one = backend(folder, 2, warm_up=True)
    one.submit(STAGE, UNITS)
    assert {result["status"] for result in results(one, len(UNITS))} == {"done"}


def test_without_a_warm_up_work_begins_at_once(folder: Path) -> None:
    one = backend(folder, 2, warm_up=False)
    one.submit(STAGE, UNITS)
    assert len(results(one, len(UNITS))) == len(UNITS)
    assert not list((folder / "notes").glob("warm_*"))
