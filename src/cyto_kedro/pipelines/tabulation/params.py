"""Parameters of the tabulation pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params


class TabulationParams(Params):
    """What gets a row in the detections table."""

    min_area_px: int = Field(
        default=1,
        ge=1,
        description="objects with fewer pixels get no row (px); 1 keeps every object",
    )
