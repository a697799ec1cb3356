"""What a unit is said to have used is what it used."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cyto_kedro.runners.usage import Meter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_bytes_are_those_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "written"
    meter = Meter()
    path.write_bytes(bytes(3_000_000))
    written = meter.read()["written_bytes"]
    assert written == pytest.approx(3_000_000, abs=10_000)

    meter = Meter()
    path.read_bytes()
    got = meter.read()
    assert got["read_bytes"] == pytest.approx(3_000_000, abs=10_000)
    assert got["written_bytes"] < 10_000


def test_seconds_of_the_processor_are_not_those_of_the_clock() -> None:
    meter = Meter()
    time.sleep(0.2)
    slept = meter.read()
    assert slept["ended"] - slept["started"] >= 0.2
    assert slept["cpu_s"] < 0.1
    meter, end = Meter(), time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert meter.read()["cpu_s"] == pytest.approx(0.2, abs=0.1)


def test_memory_is_that_of_the_unit_and_of_the_peaks_told_on_the_way() -> None:
    big = Meter()
    block = np.ones(100 * 2**17)
    del block
    high = big.read()["peak_memory_mib"]
    low = Meter().read()["peak_memory_mib"]
    assert high - low == pytest.approx(100, abs=15)
    assert Meter().read([None, high + 7])["peak_memory_mib"] == high + 7
