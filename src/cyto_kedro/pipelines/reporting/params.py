"""Parameters of the reporting pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params


class ReportingParams(Params):
    """What the report shows."""

    title: str = Field(default="Cytotoxicity report", description="heading of the page")
    strip_frames: int = Field(
        default=6, ge=1, le=12, description="frames in the movie strip"
    )
    tail_frames: int = Field(
        default=10, ge=0, description="length of the track tails (frames)"
    )
    scale_bar_um: float = Field(default=50, gt=0, description="scale bar (um)")
