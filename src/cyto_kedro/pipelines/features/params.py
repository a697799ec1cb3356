"""Parameters of the features pipeline."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, model_validator

from cyto_kedro.core import schemas
from cyto_kedro.core.params import Params
from cyto_kedro.core.table import TableSpec
from cyto_kedro.methods.features.capacity import CapacityOptions
from cyto_kedro.methods.features.gradients import Gradient
from cyto_kedro.methods.features.operations import Operation
from cyto_kedro.methods.features.selection import FillGaps, Step

#: Tables of one role that filters may name.
FILTERED: dict[str, TableSpec] = {
    "tracks": schemas.TRACKS,
    "kinematics": schemas.KINEMATICS,
    "track_summary": schemas.TRACK_SUMMARY,
    "viability": schemas.VIABILITY,
    "deaths": schemas.DEATHS,
}
#: Tables of one role that operations may name.
COMBINED: dict[str, TableSpec] = FILTERED | {"frame_counts": schemas.FRAME_COUNTS}


class FeaturesParams(Params):
    """Which tracks are selected, what is combined, how killing is binned."""

    filters: tuple[Step, ...] = Field(
        default=(), description="steps that select tracks, in order"
    )
    operations: tuple[Operation, ...] = Field(
        default=(), description="features made of two columns"
    )
    gradients: tuple[Gradient, ...] = Field(
        default=(), description="rates of change along tracks"
    )
    capacity: CapacityOptions = Field(
        default_factory=CapacityOptions,
        description="killing capacity over time, and viability after contact",
    )

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        """What is misspelt is found before a run, not after hours of segmentation."""
        for step in self.filters:
            if not isinstance(step, FillGaps):
                _check(step.table, step.column, FILTERED)
        sides = [s for made in self.operations for s in (made.left, made.right)]
        for operand in [*sides, *(gradient.source for gradient in self.gradients)]:
            role, dot, table = operand.table.partition(".")
            if not (role and dot):
                raise ValueError(
                    f"table '{operand.table}': write <role>.<table>, such as "
                    "tcell.tracks"
                )
            _check(table, operand.column, COMBINED)
        return self

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        names = [operation.feature for operation in self.operations]
        names += [gradient.feature for gradient in self.gradients]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two features are called {', '.join(twice)}")
        return self


def _check(table: str, column: str, known: dict[str, TableSpec]) -> None:
    if table not in known:
        raise ValueError(f"there is no table '{table}', only {', '.join(known)}")
    spec = known[table]
    if column in spec.columns or any(re.match(p, column) for p in spec.patterns or {}):
        return
    raise ValueError(
        f"table '{table}' has no column '{column}'; it has {', '.join(spec.columns)}"
    )
