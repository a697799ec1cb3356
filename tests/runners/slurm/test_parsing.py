"""What SLURM's commands print. The texts were recorded on 22.05."""

from __future__ import annotations

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


def test_noise_is_no_job():
    assert squeue_states("slurm_load_jobs error: Invalid job id specified\n") == {}
    assert sacct_states("\n|||\n") == {}
