"""The memory that a run reports is its own."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from cyto_kedro.core.process import peak_memory_mib, reset_peak_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def _resident_mib() -> float:
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def test_the_peak_holds_what_was_freed_until_it_is_reset() -> None:
    reset_peak_memory()
    before = _resident_mib()
    block = np.ones(80 * 2**17)  # 80 MiB, touched
    del block
    assert peak_memory_mib() == pytest.approx(before + 80, abs=8)
    reset_peak_memory()
    assert peak_memory_mib() < before + 40


def test_a_process_does_not_begin_with_the_peak_of_its_parent() -> None:
    block = np.ones(200 * 2**17)
    code = "from cyto_kedro.core.process import peak_memory_mib as p; print(p())"
    # A command that is forked, as Python does where it starts a session of its own.
    told = subprocess.run(
        [sys.executable, "-c", code],
        start_new_session=True,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert float(told) < 150 < block.nbytes / 2**20


def test_the_start_of_the_process_is_known_to_hundredths() -> None:
    code = (
        "import time; from cyto_kedro.core.process import process_start as p; "
        "print(p(), time.time())"
    )
    before = time.time()
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    begun, ended = map(float, told.stdout.split())
    assert before - 0.02 <= begun <= ended
    assert begun - before < 0.5 * (ended - before)  # not when Python was ready
