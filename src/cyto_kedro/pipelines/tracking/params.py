"""Parameters of tracking, one group per role (`params:tracking.<role>`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.tracking import TrackerOptions


class TrackingParams(Params):
    """How the cells of one role are followed over time."""

    method: Annotated[TrackerOptions, Field(discriminator="name")] = Field(
        description="tracker and its options (name: lap, laptrack or trackpy)"
    )
