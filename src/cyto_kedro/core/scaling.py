"""Contracts of the benchmark's tables."""

from __future__ import annotations

from cyto_kedro.core.table import Col, TableSpec


def _text(about: str, nullable: bool = False) -> Col:
    return Col("object", "", about, nullable)


def _count(about: str) -> Col:
    return Col("int64", "", about, ge=0)


def _number(unit: str, about: str) -> Col:
    return Col("float64", unit, about, nullable=True)


_STAGE = _text("register_denoise, cellpose, trackmate or contact")
_JOBS = Col("int64", "", "jobs N that shared the work", ge=1)
_REPLICATE = Col("int64", "", "repetition, from 1", ge=1)

#: One row per unit of work, as its worker and its queue told.
UNITS = TableSpec(
    "benchmark_units",
    {
        "stage": _STAGE,
        "n_jobs": _JOBS,
        "replicate": _REPLICATE,
        "phase": Col("int64", "", "units of a phase wait for the one before", ge=0),
        "unit": _text("nodes, movie and frames"),
        "movie": _text("movie", True),
        "frames": _count("frames worked on"),
        "status": _text("done or failed"),
        "error": _text("why it failed", True),
        "host": _text("machine", True),
        "job": _text("SLURM job", True),
        "device": _text("what learned methods computed on", True),
        "threads": _number("", "threads of the worker"),
        "submitted_s": _number("s", "submission, since the epoch"),
        "started_s": _number("s", "first line of work, since the epoch"),
        "ended_s": _number("s", "end, since the epoch"),
        "queue_s": _number("s", "submission to start of its process; first unit of it"),
        "startup_s": _number("s", "start of the process to work; first unit of it"),
        "load_s": _number("s", "reading inputs"),
        "compute_s": _number("s", "computing"),
        "save_s": _number("s", "writing outputs"),
        "cpu_s": _number("s", "processor time"),
        "peak_memory_mib": _number("MiB", "largest resident memory"),
        "read_bytes": _number("byte", "read"),
        "written_bytes": _number("byte", "written"),
    },
    unique=("stage", "n_jobs", "replicate", "phase", "unit"),
)

#: One row per stage, N and replicate.
TRIALS = TableSpec(
    "benchmark_trials",
    {
        "stage": _STAGE,
        "n_jobs": _JOBS,
        "replicate": _REPLICATE,
        "method": _text("methods in force"),
        "backend": _text("local or slurm"),
        "gpu": Col("bool", "", "the methods want a GPU"),
        "device": _text("what learned methods computed on", True),
        "movies": _count("movies"),
        "total_frames": _count("frames of these movies"),
        "widest_phase": _count("most units that could run side by side"),
        "granted": Col("Int64", "", "jobs this machine can run at a time", True),
        "outputs_expected": _count("outputs that must be there"),
        "outputs_found": _count("outputs that are"),
        "results_sha256": _text("hash over the content of all outputs", True),
    },
    unique=("stage", "n_jobs", "replicate"),
)

#: Trials with their times.
TIMED = TableSpec(
    "benchmark_timed",
    TRIALS.columns
    | {
        "failed": _count("units that failed"),
        "wall_s": _number("s", "first submission to last end"),
        "net_s": _number("s", "work of the longest job of each phase, added up"),
        "queue_s": _number("s", "longest wait in the queue of each phase, added up"),
        "startup_s": _number("s", "longest start-up of each phase, added up"),
        "load_s": _number("s", "reading, all units"),
        "compute_s": _number("s", "computing, all units"),
        "save_s": _number("s", "writing, all units"),
        "cpu_s": _number("s", "processor time, all units"),
        "peak_memory_mib": _number("MiB", "largest of a unit"),
        "read_bytes": _number("byte", "read, all units"),
        "written_bytes": _number("byte", "written, all units"),
        "at_a_time": _count("most units at work at the same moment"),
    },
    unique=("stage", "n_jobs", "replicate"),
)

#: One row per stage and N.
SCALING = TableSpec(
    "benchmark_scaling",
    {
        "stage": _STAGE,
        "n_jobs": _JOBS,
        "replicates": _count("trials that ended well"),
        "wall_s": _number("s", "median, queue and start-up included"),
        "net_s": _number("s", "median, without queue and start-up"),
        "relative_sd": _number("", "of the net time over replicates"),
        "speedup_wall": _number("", "median wall at the smallest N over this one"),
        "speedup": _number("", "median net time at the smallest N over this one"),
        "efficiency": _number("", "speedup by N, relative to the smallest N"),
        "measurable": Col("bool", "", "whether N jobs could run side by side"),
        "note": _text("why not", True),
    },
    unique=("stage", "n_jobs"),
)

#: One row per stage.
FITS = TableSpec(
    "benchmark_fits",
    {
        "stage": _STAGE,
        "points": _count("measurable trials fitted"),
        "serial_fraction": _number("", "Amdahl: share of the work that does not split"),
        "serial_ci_low": _number("", "lower confidence bound"),
        "serial_ci_high": _number("", "upper confidence bound"),
        "max_speedup": _number("", "Amdahl: limit for many jobs"),
        "scaled_serial_fraction": _number("", "Gustafson: serial share at largest N"),
        "scaled_speedup": _number("", "Gustafson: speedup of work grown with N"),
        "at_jobs": _number("", "largest measurable N, of the scaled figures"),
    },
    unique=("stage",),
)
