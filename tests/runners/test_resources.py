"""What slurm.yml says, checked and looked up."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.resources import (
    Advice,
    NodePlan,
    PartitionLimit,
    Resources,
    SlurmConfig,
    check_plan,
    escalate,
    limits_of,
    mem_text,
    parse_mem,
    parse_time,
    resolve,
    time_text,
    totals,
)
from project import REPOSITORY

HOUR = 3600
SITE = SlurmConfig.read(
    {
        "partitions": {
            "short": {"max_time": "1-06:00:00", "long_sibling": "long"},
            "long": {"max_time": "10-00:00:00"},
            "gpu_short": {
                "max_time": "04:00:00",
                "kind": "gpu",
                "gres_models": ["a100-pcie-40gb"],
            },
        },
        "defaults": {"partition": "short", "mem": "8G", "extra": {"account": "lab"}},
        "classes": {"big": {"mem": "64G", "cpus_per_task": 8}},
        "nodes": {
            "cancer.segment": {"time": "02:00:00"},
            "*.segment": {"use": "big", "fan_out": {"frames": 20}},
            "tag:gpu": {"partition": "gpu_short", "gres": "gpu:a100-pcie-40gb:1"},
            "namespace:experiment": {"where": "driver", "extra": {"qos": "high"}},
        },
    }
)
LIMITS = limits_of(SITE, None)


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("8G", 8192),
        ("8Gi", 8192),
        ("8192M", 8192),
        (512, 512),
        ("1T", 2**20),
        ("2048K", 2),
    ],
)
def test_memory_as_sbatch_reads_it(text, mib):
    assert parse_mem(text) == mib


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30 * 60),
        ("00:01", 1),  # minutes and seconds, as sbatch has it
        ("04:00:00", 4 * HOUR),
        ("2-12", 60 * HOUR),
        ("2-12:30", 60 * HOUR + 1800),
        ("10-00:00:00", 240 * HOUR),
    ],
)
def test_times_as_sbatch_reads_them(text, seconds):
    assert parse_time(text) == seconds


@given(st.integers(1, 40 * 24 * 60))
def test_a_time_survives_its_text(minutes):
    assert parse_time(time_text(minutes * 60)) == minutes * 60


@given(st.integers(1, 2**22))
def test_an_amount_of_memory_survives_its_text(mib):
    assert parse_mem(mem_text(mib)) == mib


@pytest.mark.parametrize("text", ["8 apples", "-4G", "", "1:2:3:4"])
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match="is not"):
        parse_mem(text) if ":" not in text else parse_time(text)


def test_the_most_exact_rule_wins_and_adds_to_its_class():
    exact = resolve(SITE, "cancer.segment", {"frame_wise"}, "cancer")
    assert exact.rule == "cancer.segment"
    assert (exact.resources.time_s, exact.resources.mem_mib) == (2 * HOUR, 8192)
    glob = resolve(SITE, "tcell.segment", {"gpu"}, "tcell")
    assert (glob.resources.mem_mib, glob.resources.cpus_per_task) == (65536, 8)
    assert glob.fan_out.frames == 20
    tag = resolve(SITE, "x.y", {"gpu"}, "x")
    assert tag.resources.gpus == 1 and tag.resources.partition == "gpu_short"
    driver = resolve(SITE, "experiment.survival", set(), "experiment")
    assert driver.where == "driver"
    assert dict(driver.resources.extra) == {"account": "lab", "qos": "high"}
    assert resolve(SITE, "other", set(), None).rule == "defaults"


def test_a_tie_is_an_error_that_names_both():
    config = SlurmConfig.read({"nodes": {"a.*": {"mem": "1G"}, "*.b": {"mem": "2G"}}})
    with pytest.raises(ConfigError, match=r"'a\.\*' and '\*\.b'"):
        resolve(config, "a.b", set(), "a")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"max_job": 3}, "max_job: there is no such key; did you mean 'max_jobs'"),
        ({"nodes": {"x": {"tme": "1"}}}, "did you mean 'time'"),
        ({"defaults": {"mem": "lots"}}, "'lots' is not an amount of memory"),
        ({"on_failure": "explode"}, "'drain' or 'cancel'"),
    ],
)
def test_wrong_keys_are_told_with_the_nearest_right_one(values, told):
    with pytest.raises(ConfigError, match=told):
        SlurmConfig.read(values)


def plan(**changes) -> NodePlan:
    asked = Resources(partition="short", time_s=HOUR, mem_mib=4096)
    return NodePlan("a.b", replace(asked, **changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"partition": "shrot"}, "did you mean 'short'"),
        ({"gres": "gpu:1"}, "'short' has no GPUs"),
        ({"time_s": 40 * HOUR}, "wait for ever"),
        ({"time_s": 40 * HOUR}, "use 'long'"),
        ({"partition": "gpu_short", "gres": "gpu:v100:1"}, "no GPU 'v100'"),
        ({"partition": None}, "No partition"),
    ],
)
def test_what_would_pend_for_ever_is_refused(changes, told):
    with pytest.raises(ConfigError, match=told):
        check_plan(SITE, plan(**changes), LIMITS)


def test_the_cluster_knows_better_than_the_file():
    seen = {"short": PartitionLimit(max_time_s=1800, max_mem_mib=2048, max_cpus=4)}
    limits = limits_of(SITE, seen)
    with pytest.raises(ConfigError, match="wait for ever"):
        check_plan(SITE, plan(), limits)
    with pytest.raises(ConfigError, match="largest node"):
        check_plan(SITE, plan(time_s=60), limits)
    with pytest.raises(ConfigError, match="8 cores"):
        check_plan(SITE, plan(time_s=60, mem_mib=100, cpus_per_task=8), limits)


def ended(state, node=None):
    return SimpleNamespace(state=state, node=node)


def retry(state, attempt=1, **changes):
    asked = plan(**changes).resources
    return escalate(SITE, asked, state, attempt, LIMITS)


def test_out_of_memory_gets_more_up_to_the_most_there_is():
    assert retry(ended("OUT_OF_MEMORY")).mem_mib == 6144
    assert retry(ended("OUT_OF_MEMORY"), mem_mib=200 * 1024).mem_mib == 256 * 1024
    told = retry(ended("OUT_OF_MEMORY"), mem_mib=256 * 1024)
    assert isinstance(told, Advice) and "fewer frames" in told.text


def test_a_time_limit_gets_twice_then_the_long_sibling_then_advice():
    assert retry(ended("TIMEOUT")).time_s == 2 * HOUR
    longer = retry(ended("TIMEOUT"), time_s=20 * HOUR)
    assert (longer.partition, longer.time_s) == ("long", 40 * HOUR)
    alone = retry(ended("TIMEOUT"), partition="gpu_short", time_s=3 * HOUR)
    assert (alone.partition, alone.time_s) == ("gpu_short", 4 * HOUR)
    told = retry(ended("TIMEOUT"), partition="gpu_short", time_s=4 * HOUR)
    assert isinstance(told, Advice) and "long_sibling" in told.text


def test_a_bad_node_is_left_out():
    assert retry(ended("NODE_FAIL", "cpu7")).exclude == ("cpu7",)


def test_errors_and_too_many_tries_are_final():
    assert isinstance(retry(ended("FAILED")), Advice)
    assert isinstance(retry(ended("CANCELLED")), Advice)
    assert isinstance(retry(ended("TIMEOUT"), attempt=2), Advice)
    assert retry(ended("UNKNOWN")) == plan().resources, "lost once: tried once more"


def test_totals_are_upper_bounds():
    gpu = plan(partition="gpu_short", gres="gpu:a100-pcie-40gb:2", cpus_per_task=4)
    total = totals([(plan(cpus_per_task=2), 10), (gpu, 3)])
    assert (total.jobs, total.tasks) == (2, 13)
    assert (total.cpu_hours, total.gpu_hours) == (2 * 10 + 4 * 3, 6)


def test_the_shipped_site_has_its_four_partitions():
    values = [
        yaml.safe_load((REPOSITORY / "conf" / env / "slurm.yml").read_text("utf-8"))
        for env in ("base", "bmrc")
    ]
    config = SlurmConfig.read(values[0] | values[1])
    assert set(config.partitions) >= {"short", "long", "gpu_short", "gpu_long"}
    a100 = resolve(config, "cancer.segment", {"gpu"}, "cancer")
    assert a100.resources.partition == "gpu_short"
    assert a100.resources.gres == "gpu:a100-pcie-40gb:1"
    check_plan(config, a100, limits_of(config, None))
    assert config.defaults.partition == "short"
