"""One run at a time in a scratch folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.locks import locked


def test_a_held_lock_refuses_and_is_released(tmp_path):
    lock = tmp_path / "movie" / ".lock"
    with (
        locked(lock),
        pytest.raises(StorageError, match="Another run"),
        locked(lock),
    ):
        pass
    with locked(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert os.listdir(lock.parent) == []


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    lock = tmp_path / ".lock"
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    lock.write_text(json.dumps({"pid": dead.pid, "host": socket.gethostname()}))
    with locked(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_the_lock_of_another_host_is_respected(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_text(json.dumps({"pid": 1, "host": "node-17"}))
    with pytest.raises(StorageError, match="node-17"), locked(lock):
        pass
