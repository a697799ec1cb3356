"""The memory that a run reports is its own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cyto_kedro.core.memory import peak_memory_mib, reset_peak_memory

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
    code = "from cyto_kedro.core.memory import peak_memory_mib as p; print(p())"
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
