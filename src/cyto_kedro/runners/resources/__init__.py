"""What `slurm.yml` declares: partitions, classes, and which node asks for what."""

from cyto_kedro.runners.resources.escalation import Advice, escalate
from cyto_kedro.runners.resources.plan import (
    NodePlan,
    PartitionLimit,
    Resources,
    Totals,
    check_plan,
    limits_of,
    resolve,
    totals,
)
from cyto_kedro.runners.resources.quantities import (
    mem_text,
    parse_mem,
    parse_time,
    time_text,
)
from cyto_kedro.runners.resources.site import FanOut, SlurmConfig

__all__ = [
    "Advice",
    "FanOut",
    "NodePlan",
    "PartitionLimit",
    "Resources",
    "SlurmConfig",
    "Totals",
    "check_plan",
    "escalate",
    "limits_of",
    "mem_text",
    "parse_mem",
    "parse_time",
    "resolve",
    "time_text",
    "totals",
]
