"""Asked versus used: what to write into slurm.yml before the next run."""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import asdict, dataclass

from cyto_kedro.core.atomic import write_text
from cyto_kedro.runners.journal import Journal
from cyto_kedro.runners.slurm.batches import Batch
from cyto_kedro.runners.units import UnitResult

# Room above the largest use seen; below this share of what was asked for, say so.
_HEADROOM = 1.3
_WASTE = 0.5
_LEAST_MEM_MIB = 1024
_LEAST_TIME_S = 600


@dataclass
class StageUsage:
    """One line of the table: one stage."""

    stage: str
    partition: str
    tasks: int = 0
    asked_mem_mib: int = 0
    used_mem_mib: float = 0.0
    asked_time_s: int = 0
    used_time_s: float = 0.0
    asked_cpus: int = 0
    cpu_efficiency: float = math.nan
    queue_s: float = 0.0
    startup_s: float = 0.0
    _cpu_s: float = 0.0
    _cpu_wall_s: float = 0.0

    @property
    def advice(self) -> str:
        """What to change, as keys of slurm.yml; empty if nothing stands out."""
        parts = []
        mem = max(_LEAST_MEM_MIB, self.used_mem_mib * _HEADROOM)
        if self.used_mem_mib and mem < _WASTE * self.asked_mem_mib:
            parts.append(f"mem: {math.ceil(mem / 1024)}G")
        time = max(_LEAST_TIME_S, self.used_time_s * _HEADROOM)
        if self.used_time_s and time < _WASTE * self.asked_time_s:
            hours, rest = divmod(math.ceil(time / 60), 60)
            parts.append(f'time: "{hours:02d}:{rest:02d}:00"')
        if self.asked_cpus > 1 and self.cpu_efficiency < _WASTE:
            cpus = max(1, math.ceil(self.asked_cpus * self.cpu_efficiency))
            parts.append(f"cpus_per_task: {cpus}")
        return ", ".join(parts)


class UsageLog:
    """Collects what the units of each stage used, as their results come in."""

    def __init__(self) -> None:
        self.stages: dict[str, StageUsage] = {}

    def add(self, batch: Batch, result: UnitResult) -> None:
        """One unit ended."""
        asked = batch.resources
        entry = self.stages.setdefault(
            batch.stage, StageUsage(batch.stage, str(asked.partition))
        )
        entry.tasks += 1
        entry.asked_mem_mib = max(entry.asked_mem_mib, asked.mem_mib)
        entry.asked_time_s = max(entry.asked_time_s, asked.time_s)
        entry.asked_cpus = max(entry.asked_cpus, asked.cpus_per_task)
        entry.used_mem_mib = max(entry.used_mem_mib, result.peak_memory_mib or 0.0)
        if result.started is None or result.ended is None:
            return
        wall = result.ended - result.started
        startup = result.startup_s or 0.0
        entry.used_time_s = max(entry.used_time_s, wall + startup)
        entry.startup_s = max(entry.startup_s, startup)
        if batch.submitted is not None and result.startup_s is not None:
            queue = result.started - startup - batch.submitted
            entry.queue_s = max(entry.queue_s, queue)
        entry._cpu_s += result.cpu_s or 0.0
        entry._cpu_wall_s += wall * asked.cpus_per_task
        if entry._cpu_wall_s > 0:
            entry.cpu_efficiency = entry._cpu_s / entry._cpu_wall_s

    def write(self, journal: Journal) -> None:
        """Write ``usage.csv`` beside the logs and tell what stands out."""
        if not self.stages:
            return
        out = io.StringIO()
        fields = [f for f in asdict(StageUsage("", "")) if not f.startswith("_")]
        table = csv.writer(out, lineterminator="\n")
        table.writerow([*fields, "advice"])
        for entry in self.stages.values():
            values = asdict(entry)
            row = [values[name] for name in fields]
            rounded = [round(v, 3) if isinstance(v, float) else v for v in row]
            table.writerow([*rounded, entry.advice])
        write_text(journal.folder / "usage.csv", out.getvalue())
        # A logger would break the lines of a table.
        sys.stderr.write(f"Asked and used, by stage:\n{self.as_text()}\n")

    def as_text(self) -> str:
        """The table for a terminal."""
        head = (
            f"{'stage':<34} {'units':>5} {'mem GiB':>12} {'minutes':>13} "
            f"{'CPU':>5} {'queue s':>8}  for slurm.yml"
        )
        lines = [head]
        for e in self.stages.values():
            mem = f"{e.used_mem_mib / 1024:.1f}/{e.asked_mem_mib / 1024:.1f}"
            time = f"{e.used_time_s / 60:.1f}/{e.asked_time_s / 60:.0f}"
            cpu = "-" if math.isnan(e.cpu_efficiency) else f"{e.cpu_efficiency:.0%}"
            lines.append(
                f"{e.stage:<34} {e.tasks:>5} {mem:>12} {time:>13} {cpu:>5} "
                f"{e.queue_s:>8.0f}  {e.advice}"
            )
        return "\n".join(lines)
