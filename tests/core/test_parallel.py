"""How many CPUs a process is granted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cyto_kedro.core import parallel
from cyto_kedro.core.parallel import cpu_quota, granted_cpus


def group(root: Path, path: str, **files: str) -> None:
    """A control group as the kernel shows it."""
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_a_containers_quota_is_found(tmp_path: Path) -> None:
    group(tmp_path, "", cpu__max="250000 100000\n")
    assert cpu_quota("0::/\n", tmp_path) == 2.5
    # A path of the host, which is not mounted in the container.
    assert cpu_quota("0::/docker/1234\n", tmp_path) == 2.5


def test_the_least_of_a_group_and_those_above_counts(tmp_path: Path) -> None:
    group(tmp_path, "job", cpu__max="400000 100000\n")
    group(tmp_path, "job/step", cpu__max="max 100000\n")
    assert cpu_quota("0::/job/step\n", tmp_path) == 4
    group(tmp_path, "job/step", cpu__max="150000 100000\n")
    assert cpu_quota("0::/job/step\n", tmp_path) == 1.5


def test_the_older_control_groups_are_understood(tmp_path: Path) -> None:
    own = "4:memory:/x\n2:cpu,cpuacct:/x\n0::/\n"
    group(
        tmp_path,
        "cpu/x",
        cpu__cfs_quota_us="300000\n",
        cpu__cfs_period_us="100000\n",
    )
    assert cpu_quota(own, tmp_path) == 3
    group(tmp_path, "cpu/x", cpu__cfs_quota_us="-1\n")
    assert math.isinf(cpu_quota(own, tmp_path))


def test_without_a_quota_nothing_is_capped(tmp_path: Path) -> None:
    assert math.isinf(cpu_quota("0::/\n", tmp_path))
    assert math.isinf(cpu_quota("", tmp_path))


@pytest.mark.parametrize(("quota", "granted"), [(0.5, 1), (1.9, 1), (math.inf, None)])
def test_granted_is_at_least_one_and_whole(monkeypatch, quota, granted) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    everything = granted_cpus()
    monkeypatch.setattr(parallel, "_quota", lambda: quota)
    assert granted_cpus() == (granted or everything)
