"""What slurm.yml says of a node, and what is refused before anything is submitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.resources import (
    Advice,
    FanOut,
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

CONF = Path(__file__).resolve().parents[2] / "conf"
HOUR = 3600
SITE = {
    "partitions": {
        "short": {"max_time": "04:00:00", "max_mem": "64G", "long_sibling": "long"},
        "long": {"max_time": "2-00:00:00", "max_mem": "64G"},
        "gpu": {"max_time": "04:00:00", "kind": "gpu", "gres_models": ["a100"]},
    },
    "defaults": {"partition": "short", "mem": "8G", "time": "01:00:00", "retries": 2},
    "classes": {
        "heavy": {"mem": "32G", "cpus_per_task": 8, "extra": {"qos": "big"}},
        "a100": {"partition": "gpu", "gres": "gpu:a100:1"},
    },
    "escalate": {
        "OUT_OF_MEMORY": {"mem": "x1.5", "max": "40G"},
        "TIMEOUT": {"time": "x2"},
        "NODE_FAIL": {"exclude_node": True},
    },
}


@dataclass(frozen=True)
class Ended:
    state: str
    node: str | None = None


def site(**more) -> SlurmConfig:
    return SlurmConfig.read(SITE | more)


def yaml(text: str) -> dict:
    """As Kedro's loader reads it."""
    return OmegaConf.to_container(OmegaConf.create(text))


# -- quantities ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("8G", 8192),
        ("8Gi", 8192),
        ("8GB", 8192),
        ("8GiB", 8192),
        ("8g", 8192),
        ("8192M", 8192),
        ("1.5G", 1536),
        (4000, 4000),
        ("1T", 1048576),
        ("2048K", 2),
    ],
)
def test_memory_as_sbatch_writes_it(text, mib):
    assert parse_mem(text) == mib


@pytest.mark.parametrize("text", ["8 gigs", "", "-4G", "G", "8Q", "8iG", True, None, 0])
def test_no_memory(text):
    with pytest.raises(ValueError, match="memory"):
        parse_mem(text)


# The examples of sbatch's manual for --time.
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30 * 60),
        ("00:01", 1),  # minutes and seconds, as sbatch has it
        ("30:15", 30 * 60 + 15),
        ("04:00:00", 4 * HOUR),
        ("1-06", 30 * HOUR),
        ("10-00:00:00", 240 * HOUR),
        ("1-06:30", 30 * HOUR + 30 * 60),
        ("2-12:00:00", 60 * HOUR),
        ("0-00:00:10", 10),
    ],
)
def test_time_as_sbatch_writes_it(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "4h", "1:2:3:4", "-30", "1-", "0", "00:00:00"])
def test_no_time(text):
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


def test_an_unquoted_time_is_refused_for_yaml_makes_another_number_of_it():
    values = yaml("defaults: {time: 10:00:00}")
    assert values["defaults"]["time"] == 36000  # 25 days, if taken for minutes
    with pytest.raises(ConfigError, match=r"defaults\.time.*in quotes"):
        SlurmConfig.read(values)
    assert SlurmConfig.read(yaml("defaults: {time: '10:00:00'}")).defaults.time == 36000


@given(st.integers(1, 10**7))
def test_memory_survives_being_written(mib):
    assert parse_mem(mem_text(mib)) == mib


@given(st.integers(1, 10**7))
def test_time_is_written_rounded_up_to_minutes(seconds):
    assert 0 <= parse_time(time_text(seconds)) - seconds < 60


# -- reading ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_job": 3}, "max_job: there is no such key; did you mean 'max_jobs'?"),
        ({"partition": {}}, "did you mean 'partitions'?"),
        ({"defaults": {"memory": "8G"}}, "defaults.memory.*did you mean 'mem'"),
        ({"nodes": {"a": {"used": "x"}}}, "nodes.a.used.*did you mean 'use'"),
        (
            {"nodes": {"a": {"fan_out": {"frame": 2}}}},
            "nodes.a.fan_out.frame.*did you mean 'frames'",
        ),
        ({"poll": {"frist": 3}}, "poll.frist.*did you mean 'first'"),
        ({"on_failure": "stop"}, "on_failure.*'drain' or 'cancel'"),
        ({"defaults": {"mem": "8 gigs"}}, "defaults.mem: '8 gigs' is not an amount"),
        ({"defaults": {"use": "heavy"}}, "defaults.use: there is no such key"),
        ({"defaults": {"gres": "gpu=1"}}, "defaults.gres"),
        ({"escalate": {"OOM": {}}}, "escalate.OOM.*'OUT_OF_MEMORY'"),
        (
            {"escalate": {"TIMEOUT": {"time": "x2", "max": "9 h"}}},
            "'9 h' is not a time",
        ),
        ({"escalate": {"OUT_OF_MEMORY": {"mem": "x0.5"}}}, "x0.5 is no growth"),
        ({"escalate": {"TIMEOUT": {"time": "x2", "mem": "x2"}}}, "either mem or time"),
        ({"defaults": {"extra": {"--account": "x"}}}, "'account' without dashes"),
        (
            {"defaults": {"extra": {"gpus": 2}}},
            "'gpus' has a key of its own, 'gres'",
        ),
        ({"defaults": {"extra": {"array": "1-3"}}}, "'array' is set by the runner"),
    ],
)
def test_what_is_wrong_in_slurm_yml_is_named(values, said):
    with pytest.raises(ConfigError, match=said):
        SlurmConfig.read(values)


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        SlurmConfig.read({"max_job": 3, "defaults": {"memory": "8G"}})
    assert "max_job:" in str(caught.value) and "defaults.memory" in str(caught.value)


def test_a_class_that_does_not_exist_is_found_even_if_no_node_asks_for_it():
    with pytest.raises(ConfigError, match="no class 'havy'") as caught:
        site(nodes={"x": {"use": "havy"}})
    assert "did you mean 'heavy'?" in str(caught.value)
    assert "nodes: x" in str(caught.value)


def test_an_empty_section_says_nothing():
    assert SlurmConfig.read(yaml("nodes:\nclasses:\n")) == SlurmConfig()


def test_extra_flags_may_be_numbers_or_without_value():
    config = SlurmConfig.read(
        yaml("defaults: {extra: {nice: 100, exclusive: true, account: lab}}")
    )
    plan = resolve(config, "n", [], None)
    assert dict(plan.resources.extra) == {
        "nice": "100",
        "exclusive": "",
        "account": "lab",
    }


# -- which rule ------------------------------------------------------------------------

NODES = {
    "tcell.segment": {"time": "00:01:00"},
    "*.segment": {"time": "00:02:00"},
    "tag:gpu": {"time": "00:03:00"},
    "namespace:tcell": {"time": "00:04:00"},
}


@pytest.mark.parametrize(
    ("node", "tags", "namespace", "rule", "minutes"),
    [
        ("tcell.segment", {"gpu"}, "tcell", "tcell.segment", 1),
        ("cancer.segment", {"gpu"}, "cancer", "*.segment", 2),
        ("tcell.track", {"gpu"}, "tcell", "tag:gpu", 3),
        ("tcell.track", {"slow"}, "tcell", "namespace:tcell", 4),
        ("ingest.check", set(), None, "defaults", 60),
    ],
)
def test_the_more_exact_rule_wins(node, tags, namespace, rule, minutes):
    plan = resolve(site(nodes=NODES), node, tags, namespace)
    assert (plan.rule, plan.resources.time_s) == (rule, minutes * 60)


def test_two_rules_that_fit_equally_are_an_error_naming_both():
    config = site(nodes={"*.segment": {}, "tcell.*": {}})
    with pytest.raises(ConfigError) as caught:
        resolve(config, "tcell.segment", [], "tcell")
    assert "'*.segment'" in str(caught.value) and "'tcell.*'" in str(caught.value)
    assert resolve(config, "tcell.track", [], "tcell").rule == "tcell.*"


def test_a_rule_adds_to_its_class_and_the_class_to_the_defaults():
    rule = {
        "use": "heavy",
        "cpus_per_task": 4,
        "extra": {"account": "lab"},
        "fan_out": {"frames": 10, "max_parallel": 3},
        "where": "driver",
    }
    plan = resolve(site(nodes={"n": rule}), "n", [], None)
    assert plan == NodePlan(
        "n",
        Resources(
            partition="short",
            cpus_per_task=4,
            mem_mib=32768,
            time_s=HOUR,
            retries=2,
            extra=(("account", "lab"), ("qos", "big")),
        ),
        FanOut(frames=10, max_parallel=3),
        "driver",
        "n",
    )


def test_extra_flags_of_all_levels_are_joined():
    config = site(
        defaults=SITE["defaults"] | {"extra": {"account": "lab", "qos": "low"}},
        nodes={
            "namespace:experiment": {"where": "driver", "extra": {"qos": "high"}},
            "x": {"use": "heavy"},
        },
    )
    driver = resolve(config, "experiment.survival", set(), "experiment")
    assert driver.where == "driver"
    assert dict(driver.resources.extra) == {"account": "lab", "qos": "high"}
    heavy = resolve(config, "x", set(), None)
    assert dict(heavy.resources.extra) == {"account": "lab", "qos": "big"}


# -- what cannot be --------------------------------------------------------------------


def plan(**resources) -> NodePlan:
    asked = Resources(partition="short", mem_mib=8192, time_s=HOUR)
    return NodePlan("tcell.segment", replace(asked, **resources), rule="*.segment")


@pytest.mark.parametrize(
    ("resources", "said", "fix"),
    [
        ({"partition": "shrot"}, "no partition 'shrot'", "did you mean 'short'"),
        ({"gres": "gpu:a100:1"}, "'short' has no GPUs", "use one of: gpu"),
        (
            {"partition": "gpu", "gres": "gpu:v100:1"},
            "no GPU 'v100'",
            "it has: a100",
        ),
        (
            {"partition": "gpu", "gres": "gpu:a100:1,gpu:v100:1"},
            "no GPU 'v100'",
            "it has: a100",
        ),
        ({"time_s": 5 * HOUR}, "05:00:00 is more than", "use 'long'"),
        ({"mem_mib": 65537}, "more than the largest node", "fewer frames"),
        ({"partition": None}, "No partition", "defaults"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_with_the_fix(resources, said, fix):
    config = site()
    with pytest.raises(ConfigError) as caught:
        check_plan(config, plan(**resources), limits_of(config, None))
    assert said in caught.value.what and fix in caught.value.fix
    if resources.get("partition", True):
        assert "tcell.segment by rule '*.segment'" in caught.value.where


def test_what_fits_exactly_is_not_refused():
    config = site()
    limits = limits_of(config, None)
    check_plan(config, plan(time_s=4 * HOUR, mem_mib=65536), limits)
    check_plan(config, plan(partition="gpu", gres="gpu:a100:1"), limits)
    check_plan(config, plan(partition="gpu", gres="gpu:2"), limits)


def test_everything_wrong_with_a_plan_is_told_at_once():
    config = site()
    with pytest.raises(ConfigError) as caught:
        check_plan(
            config,
            plan(time_s=5 * HOUR, mem_mib=70000, gres="gpu:1"),
            limits_of(config, None),
        )
    for said in ("no GPUs", "05:00:00 is more", "70000M is more"):
        assert said in caught.value.what


def test_what_the_cluster_says_wins_over_the_file():
    config = site()
    seen = {
        "short": PartitionLimit(max_time_s=HOUR, max_cpus=4, nodes_up=2),
        "long": PartitionLimit(),
    }
    limits = limits_of(config, seen)
    check_plan(config, plan(mem_mib=10**6), limits)
    for wrong in ({"time_s": 2 * HOUR}, {"cpus_per_task": 5}, {"partition": "gpu"}):
        with pytest.raises(ConfigError):
            check_plan(config, plan(**wrong), limits)


def test_a_long_sibling_that_does_not_exist_is_refused_before_it_is_needed():
    config = site(partitions={"short": {"long_sibling": "lnog"}, "long": {}})
    with pytest.raises(ConfigError, match="did you mean 'long'"):
        check_plan(config, plan(), limits_of(config, None))


def test_a_sibling_of_slurm_yml_that_this_cluster_lacks_is_no_fault():
    config = site()
    seen = {"short": PartitionLimit(max_time_s=4 * HOUR)}
    check_plan(config, plan(), limits_of(config, seen))
    assert again("TIMEOUT", time_s=3 * HOUR, seen=seen).time_s == 4 * HOUR
    assert isinstance(again("TIMEOUT", time_s=4 * HOUR, seen=seen), Advice)


# -- another try -----------------------------------------------------------------------


def again(state, attempt=1, node=None, config=None, seen=None, **resources):
    config = config or site()
    asked = replace(plan().resources, **{"retries": 9} | resources)
    limits = limits_of(config, seen)
    return escalate(config, asked, Ended(state, node), attempt, limits)


def test_out_of_memory_gets_more_up_to_the_most():
    assert again("OUT_OF_MEMORY").mem_mib == 12288
    assert again("OUT_OF_MEMORY", mem_mib=30000).mem_mib == 40960
    advice = again("OUT_OF_MEMORY", mem_mib=40960)
    assert isinstance(advice, Advice) and "40G is the most" in advice.text


def test_out_of_memory_respects_the_partition():
    seen = {"short": PartitionLimit(max_mem_mib=10000)}
    assert again("OUT_OF_MEMORY", seen=seen).mem_mib == 10000
    assert isinstance(again("OUT_OF_MEMORY", mem_mib=10000, seen=seen), Advice)


@pytest.mark.parametrize(
    ("partition", "hours", "then", "hours_then"),
    [
        ("short", 1, "short", 2),
        ("short", 2, "short", 4),
        ("short", 3, "long", 6),  # past the limit of short
        ("short", 4, "long", 8),
        ("long", 20, "long", 40),
        ("long", 40, "long", 48),  # not twice, but more
        ("gpu", 3, "gpu", 4),  # no long sibling
    ],
)
def test_out_of_time_gets_more_or_moves_to_the_long_sibling(
    partition, hours, then, hours_then
):
    found = again("TIMEOUT", partition=partition, time_s=hours * HOUR)
    assert (found.partition, found.time_s) == (then, hours_then * HOUR)


@pytest.mark.parametrize(("partition", "hours"), [("long", 48), ("gpu", 4)])
def test_out_of_time_for_good_says_what_to_do(partition, hours):
    advice = again("TIMEOUT", partition=partition, time_s=hours * HOUR)
    assert isinstance(advice, Advice)
    assert "fan_out" in advice.text and partition in advice.text


def test_a_longest_time_is_never_less_than_before():
    config = site(escalate={"TIMEOUT": {"time": "x2", "max": "02:00:00"}})
    assert again("TIMEOUT", config=config).time_s == 2 * HOUR
    assert isinstance(again("TIMEOUT", config=config, time_s=2 * HOUR), Advice)
    assert isinstance(again("TIMEOUT", config=config, time_s=3 * HOUR), Advice)


def test_a_node_that_failed_is_left_out():
    seen = {"short": PartitionLimit(nodes_up=3)}
    once = again("NODE_FAIL", node="c1", seen=seen)
    assert once.exclude == ("c1",) and once.mem_mib == 8192
    twice = again("NODE_FAIL", node="c2", seen=seen, exclude=once.exclude)
    assert twice.exclude == ("c1", "c2")
    again_c1 = again("NODE_FAIL", node="c1", seen=seen, exclude=once.exclude)
    assert again_c1.exclude == ("c1",)


def test_the_last_node_is_not_left_out():
    # sbatch refuses a job that no node may run.
    seen = {"short": PartitionLimit(nodes_up=1)}
    assert again("NODE_FAIL", node="c1", seen=seen).exclude == ()


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "COMPLETED"])
def test_nothing_else_is_tried_again(state):
    assert isinstance(again(state), Advice)


def test_a_failure_may_be_tried_again_as_it_was_if_the_site_says_so():
    config = site(escalate={"FAILED": {}})
    assert again("FAILED", config=config) == replace(plan().resources, retries=9)


def test_a_lost_task_is_tried_again_as_it_was():
    assert again("UNKNOWN") == replace(plan().resources, retries=9)


@pytest.mark.parametrize("state", ["OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "UNKNOWN"])
def test_retries_are_counted(state):
    assert isinstance(again(state, attempt=2, retries=2), Resources)
    assert isinstance(again(state, attempt=3, retries=2), Advice)
    assert isinstance(again(state, attempt=1, retries=0), Advice)


@given(
    st.sampled_from(["OUT_OF_MEMORY", "TIMEOUT"]),
    st.integers(100, 200_000),
    st.integers(60, 60 * HOUR),
    st.sampled_from(["short", "long", "gpu"]),
)
def test_another_try_is_never_the_same_nor_less_and_always_admitted(
    state, mem, seconds, partition
):
    config = site()
    limits = limits_of(config, None)
    before = replace(
        plan().resources, mem_mib=mem, time_s=seconds, partition=partition, retries=9
    )
    after = escalate(config, before, Ended(state), 1, limits)
    if isinstance(after, Advice):
        return
    assert after.mem_mib >= mem and after.time_s >= seconds and after != before
    limit = limits[after.partition]
    grown = after.time_s if state == "TIMEOUT" else 0
    assert grown <= limit.max_time_s
    if state == "OUT_OF_MEMORY" and limit.max_mem_mib:
        assert after.mem_mib <= limit.max_mem_mib


# -- totals, and what is shipped -------------------------------------------------------


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        (None, 0),
        ("gpu", 1),
        ("gpu:2", 2),
        ("gpu:a100", 1),
        ("gpu:a100:4", 4),
        ("gpu:a100:2,gpu:v100:1", 3),
        ("shard:4", 0),
        ("lustre:1,gpu:2", 2),
    ],
)
def test_gpus_are_counted(gres, gpus):
    assert Resources(gres=gres).gpus == gpus


def test_totals_are_upper_bounds_by_hand():
    cpu = plan(cpus_per_task=4, time_s=2 * HOUR)
    gpu = plan(cpus_per_task=8, time_s=HOUR, gres="gpu:a100:2")
    found = totals([(cpu, 10), (gpu, 3)])
    assert (found.jobs, found.tasks) == (2, 13)
    assert found.cpu_hours == 10 * 4 * 2 + 3 * 8 * 1
    assert found.gpu_hours == 3 * 2 * 1


@pytest.mark.parametrize("environments", [("base",), ("base", "bmrc")])
def test_the_configuration_that_is_shipped_fits_its_own_partitions(environments):
    files = [OmegaConf.load(CONF / name / "slurm.yml") for name in environments]
    config = SlurmConfig.read(OmegaConf.to_container(OmegaConf.merge(*files)))
    limits = limits_of(config, None)
    assert {"short", "long", "gpu_short", "gpu_long"} <= set(limits)
    for tags in ({"gpu"}, {"frame_wise"}, set()):
        check_plan(config, resolve(config, "tcell.segment", tags, "tcell"), limits)
    on_gpu = resolve(config, "tcell.segment", {"gpu"}, "tcell").resources
    assert on_gpu.gpus == 1 and limits[on_gpu.partition].kind == "gpu"
    # Classical segmentation takes no A100.
    assert resolve(config, "tcell.segment", {"frame_wise"}, "tcell").resources.gpus == 0
