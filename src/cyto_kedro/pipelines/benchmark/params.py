"""Parameters of the benchmark."""

from __future__ import annotations

from pydantic import Field, field_validator

from cyto_kedro.core.params import Params


class BenchmarkParams(Params):
    """What is run, how often, and what is demanded."""

    job_counts: tuple[int, ...] = Field(
        default=(1, 2, 4, 8),
        min_length=1,
        description="numbers of jobs N that share the work",
    )
    total_frames: int = Field(
        default=80,
        ge=1,
        description="as many whole movies as reach this number are used (frames)",
    )
    replicates: int = Field(
        default=2, ge=1, description="repetitions; the noise is known from 2 on"
    )
    replicates_unmeasurable: int = Field(
        default=1,
        ge=0,
        description="repetitions where fewer cores than N are granted: the results "
        "are compared, the speedup is not measurable; 0 = N is not run",
    )
    warm_up: bool = Field(
        default=True,
        description="each job first loads what its first unit needs (libraries, model, "
        "compiled code) by doing it, a window's first frame only; counts as start-up",
    )
    keep_scratch: bool = Field(
        default=False, description="keep what each N and repetition computed"
    )
    cpu_tolerance: float = Field(
        default=0.2, gt=0, description="allowed difference from the reference, CPU"
    )
    gpu_tolerance: float = Field(
        default=0.3, gt=0, description="allowed difference from the reference, GPU"
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="of the noise band and of the fit"
    )

    @field_validator("job_counts")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1 or list(value) != sorted(set(value)):
            raise ValueError("job counts are whole numbers from 1 that rise")
        return value
