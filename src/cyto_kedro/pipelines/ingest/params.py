"""Parameters of the ingest pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.ingest.image_range import ImageRange


class IngestParams(Params):
    """What is read, and what the files do not say."""

    image_range: ImageRange = Field(
        default=ImageRange(), description="part of the movie that is analysed"
    )
    pixel_size_um: float | None = Field(
        default=None, gt=0, description="pixel size where no file says (um)"
    )
    frame_interval_min: float | None = Field(
        default=None, gt=0, description="time between frames where no file says (min)"
    )
    allow_blank: tuple[str, ...] = Field(
        default=(), description="channels that may hold one single value throughout"
    )
