"""What SLURM's commands print. The texts were recorded on 22.05."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyto_kedro.runners.slurm.parsing import (
    config_value,
    partition_limits,
    sacct_states,
    scontrol_states,
    squeue_states,
    task_ids,
)

SQUEUE = """\
7_0|RUNNING|None|cpu1|2026-11-21T06:03:02|2026-11-21T06:03:03
7_[2-4%2]|PENDING|JobArrayTaskLimit||2026-11-21T06:03:02|N/A
9|COMPLETING|None|gpu1|2026-11-21T06:03:02|2026-11-21T06:03:03
"""
SACCT = """\
7_0|COMPLETED|0:0|cpu1|2026-11-21T06:03:02|2026-11-21T06:03:03|2026-11-21T06:04:03|None
7_1|CANCELLED by 0|0:15|cpu2|2026-11-21T06:03:02|Unknown|Unknown|None
7_2|FAILED|0:9|cpu2|2026-11-21T06:03:02|Unknown|Unknown|None
7_3|OUT_OF_MEMORY|0:125|cpu2|2026-11-21T06:03:02|Unknown|Unknown|None
"""
SINFO = """\
short*|up|1-06:00:00|2|(null)|16000|8
gpu_short|up|4:00:00|2|gpu:a100-pcie-40gb:4(S:0)|512000+|48+
gpu_short|up|4:00:00|1|gpu:v100:4|256000|32
long|inact|infinite|3|(null)|16000|8
"""
SCONTROL = (
    "JobId=12 ArrayJobId=11 ArrayTaskId=3 JobName=x UserId=root(0) JobState=FAILED "
    "Reason=NonZeroExitCode ExitCode=0:9 SubmitTime=2026-11-21T06:03:02 "
    "StartTime=2026-11-21T06:03:03 EndTime=2026-11-21T06:03:09 NodeList=cpu1 "
    "BatchHost=cpu1\n"
)


def test_the_queue():
    found = squeue_states(SQUEUE)
    assert {task: state.state for task, state in found.items()} == {
        "7_0": "RUNNING",
        "7_2": "PENDING",
        "7_3": "PENDING",
        "7_4": "PENDING",
        "9": "COMPLETING",
    }
    assert found["7_0"].node == "cpu1" and found["7_0"].reason is None
    assert found["7_2"].reason == "JobArrayTaskLimit" and found["7_2"].started is None
    assert found["7_0"].started - found["7_0"].submitted == 1


def test_the_accounting():
    found = sacct_states(SACCT)
    assert {task: state.state for task, state in found.items()} == {
        "7_0": "COMPLETED",
        "7_1": "CANCELLED",
        "7_2": "OUT_OF_MEMORY",  # killed by signal 9, where there are no cgroups
        "7_3": "OUT_OF_MEMORY",
    }
    assert found["7_0"].ended - found["7_0"].started == 60


def test_a_job_in_full():
    (state,) = scontrol_states(SCONTROL).values()
    assert (state.state, state.node, state.signal) == ("OUT_OF_MEMORY", "cpu1", 9)
    assert list(scontrol_states(SCONTROL)) == ["11_3"]


def test_partitions_with_nodes_of_several_kinds():
    found = partition_limits(SINFO)
    assert found["short"].kind == "cpu" and found["short"].max_time_s == 30 * 3600
    gpu = found["gpu_short"]
    assert gpu.kind == "gpu" and gpu.gres_models == {"a100-pcie-40gb", "v100"}
    assert (gpu.max_mem_mib, gpu.max_cpus, gpu.nodes_up) == (512000, 48, 3)
    assert found["long"].max_time_s is None and found["long"].nodes_up == 0


def test_settings():
    text = "MaxArraySize            = 10001\nAccountingStorageType = (null)\n"
    assert config_value(text, "MaxArraySize") == "10001"
    assert config_value(text, "Missing") is None


@given(st.sets(st.integers(0, 9999), min_size=1, max_size=30), st.booleans())
def test_ranges_of_an_array_are_expanded(indices, limited):
    """Written as SLURM writes them: runs joined, a limit at the end."""
    ordered, parts = sorted(indices), []
    begin = previous = ordered[0]
    for index in [*ordered[1:], None]:
        if index is None or index != previous + 1:
            parts.append(f"{begin}-{previous}" if begin != previous else f"{begin}")
            begin = index
        previous = index
    text = f"123_[{','.join(parts)}{'%4' if limited else ''}]"
    assert list(task_ids(text)) == [f"123_{index}" for index in ordered]


# Recorded on 22.05: an array with a limit of 2, cancelled half-way.
SACCT_ARRAY = """\
10_1|FAILED|0:9|cpu1|2026-11-21T07:17:45|2026-11-21T07:17:45|2026-11-21T07:17:46|None
10_2|FAILED|3:0|cpu1|2026-11-21T07:17:45|2026-11-21T07:17:46|2026-11-21T07:17:46|JobArrayTaskLimit
10_[11-13%2]|CANCELLED by 0|0:0|None assigned|2026-11-21T07:17:45|None|2026-11-21T07:18:00|JobArrayTaskLimit
"""  # noqa: E501


def test_why_a_task_waited_is_not_why_it_failed():
    found = sacct_states(SACCT_ARRAY)
    assert found["10_1"].state == "OUT_OF_MEMORY"
    assert (found["10_2"].state, found["10_2"].exit_code) == ("FAILED", 3)
    assert found["10_2"].reason is None
    assert {found[f"10_{i}"].state for i in (11, 12, 13)} == {"CANCELLED"}
    assert found["10_11"].node is None


@pytest.mark.parametrize(
    ("state", "alive"),
    [
        # All that the manual of squeue lists under JOB STATE CODES (22.05 to 24.05).
        ("BOOT_FAIL", False),
        ("CANCELLED", False),
        ("COMPLETED", False),
        ("CONFIGURING", True),
        ("COMPLETING", True),
        ("DEADLINE", False),
        ("FAILED", False),
        ("NODE_FAIL", False),
        ("OUT_OF_MEMORY", False),
        ("PENDING", True),
        ("PREEMPTED", True),
        ("RUNNING", True),
        ("RESV_DEL_HOLD", True),
        ("REQUEUE_FED", True),
        ("REQUEUE_HOLD", True),
        ("REQUEUED", True),
        ("RESIZING", True),
        ("REVOKED", False),
        ("SIGNALING", True),
        ("SPECIAL_EXIT", True),
        ("STAGE_OUT", True),
        ("STOPPED", True),
        ("SUSPENDED", True),
        ("TIMEOUT", False),
    ],
)
def test_which_states_are_an_end(state, alive):
    told = squeue_states(f"7_1|{state}|None||2026-11-21T06:03:02|N/A\n")
    assert told["7_1"].alive is alive


def test_a_task_that_never_started_on_its_node_counts_as_the_node_failing():
    told = squeue_states("7_1|BOOT_FAIL|None|c1|N/A|N/A\n7_2|LAUNCH_FAILED||c1||\n")
    assert {state.state for state in told.values()} == {"NODE_FAIL"}


@pytest.mark.parametrize("limit", ["infinite", "n/a", "UNLIMITED"])
def test_a_partition_without_time_limit(limit):
    found = partition_limits(f"all|up|{limit}|1|(null)|1000|4\n")
    assert found["all"].max_time_s is None and found["all"].max_mem_mib == 1000


@pytest.mark.parametrize(
    "told",
    [
        "gpu:4",
        "gpu:a100:4(S:0-1)",
        "gpu:a100:2,gpu:v100:2",
        "gpu:a100:4(IDX:0-3),mps:400",
        "craynetwork:4,gpu:a100:1",
    ],
)
def test_gpus_in_the_ways_sinfo_tells_them(told):
    found = partition_limits(f"g|up|1:00|1|{told}|1000|4\n")["g"]
    assert found.kind == "gpu" and found.max_time_s == 60
    assert ("a100" in found.gres_models) == ("a100" in told)


def test_noise_is_no_job():
    assert squeue_states("slurm_load_jobs error: Invalid job id specified\n") == {}
    assert sacct_states("\n|||\n") == {}
