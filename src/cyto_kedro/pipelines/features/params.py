"""Parameters of the features pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.features.capacity import CapacityOptions
from cyto_kedro.methods.features.operations import Operation
from cyto_kedro.methods.features.selection import Step


class FeaturesParams(Params):
    """Which tracks are selected, what is combined, how killing is binned."""

    filters: tuple[Step, ...] = Field(
        default=(), description="steps that select tracks, in order"
    )
    operations: tuple[Operation, ...] = Field(
        default=(), description="features made of two columns"
    )
    capacity: CapacityOptions = Field(
        default_factory=CapacityOptions,
        description="killing capacity over time, and viability after contact",
    )
