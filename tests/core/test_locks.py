"""One run at a time in a scratch folder."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.locks import locked

HOLDER = """
import sys, time
from pathlib import Path
from cyto_kedro.core.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    path = tmp_path / "movie" / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield path, process
    process.kill()
    process.wait()


def test_a_held_lock_refuses(holder):
    path, _ = holder
    with pytest.raises(StorageError, match="Another run"), locked(path):
        pass


def test_the_lock_of_a_killed_process_is_free(holder):
    path, process = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    with locked(path):
        assert path.exists()


def test_a_released_lock_can_be_taken_again(tmp_path):
    taken = 0
    for _ in range(2):
        with locked(tmp_path / ".lock"):
            taken += 1
    assert taken == 2


def test_an_unwritable_folder_is_a_clear_error(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    with pytest.raises(StorageError, match="Cannot lock"), locked(blocker / ".lock"):
        pass
