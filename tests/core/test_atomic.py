"""A final name is always whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from cyto_kedro.core.atomic import remove_leftovers, staged, write_text
from cyto_kedro.core.errors import StorageError


def test_error_keeps_the_previous_content(tmp_path):
    target = tmp_path / "table.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError), staged(target) as stage:
        stage.write_text("half")
        raise RuntimeError("power cut")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "labels.zarr"
    for content in ("one", "two"):
        with staged(target) as stage:
            stage.mkdir()
            (stage / content).write_text(content)
    assert os.listdir(target) == ["two"]
    assert os.listdir(tmp_path) == ["labels.zarr"]


def test_unwritable_place_is_a_clear_error(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    with pytest.raises(StorageError, match="Cannot write"):
        write_text(blocker / "below" / "x.json", "{}")


WRITER = """
import sys, itertools
from pathlib import Path
from cyto_kedro.core.atomic import staged
for n in itertools.count():
    with staged(Path(sys.argv[1]) / "store") as stage:
        stage.mkdir()
        for part in range(20):
            (stage / str(part)).write_text(str(n))
"""


def test_kills_at_random_moments_leave_whole_folders_or_nothing(tmp_path):
    for delay in (0.02, 0.05, 0.11, 0.17, 0.23):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        time.sleep(0.35 + delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        store = tmp_path / "store"
        if store.exists():
            contents = {path.read_text() for path in store.iterdir()}
            assert len(contents) == 1, "parts of two writes are mixed"
            assert len(list(store.iterdir())) == 20
    remove_leftovers(tmp_path)
    assert set(os.listdir(tmp_path)) <= {"store"}
