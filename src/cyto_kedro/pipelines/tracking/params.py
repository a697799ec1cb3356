"""Parameters of tracking per role (`params:tracking.<role>`), and of its audit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.tracking import RelinkingOptions, TrackerOptions


class TrackingParams(Params):
    """How the cells of one role are followed over time."""

    method: Annotated[TrackerOptions, Field(discriminator="name")] = Field(
        description="tracker and its options (name: lap, laptrack, trackpy or overlap)"
    )
    relinking: RelinkingOptions | None = Field(
        default=None,
        description="join tracks across long gaps after tracking; null = do not",
    )


class TrackingAuditParams(Params):
    """Which events in the tracks of any role are listed for a person to look at."""

    edge_margin_um: float = Field(
        default=15.0,
        ge=0,
        description="cells may appear or vanish within this distance of the edge (um)",
    )
    jump_factor: float = Field(
        default=6.0,
        gt=1,
        description="a step this many times longer than the median step is a jump",
    )
    swap_ratio: float = Field(
        default=1.5,
        ge=1,
        description="two steps may be swapped if exchanging their ends makes their "
        "summed squared length less than this many times larger",
    )
