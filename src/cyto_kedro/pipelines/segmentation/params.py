"""Parameters of the segmentation pipeline, one group per role."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from cyto_kedro.core.params import Params
from cyto_kedro.methods.segmentation.cellpose import CellposeOptions
from cyto_kedro.methods.segmentation.classical import ClassicalOptions
from cyto_kedro.methods.segmentation.otsu_watershed import OtsuWatershedOptions
from cyto_kedro.methods.segmentation.stardist import StarDistOptions
from cyto_kedro.methods.segmentation.tiling import TilesOptions


class SegmentationParams(Params):
    """How the cells of one role are found in its image."""

    method: Annotated[
        CellposeOptions | ClassicalOptions | OtsuWatershedOptions | StarDistOptions,
        Field(discriminator="name"),
    ] = Field(default=ClassicalOptions(), description="the method and its options")
    min_area_um2: float = Field(
        default=10.0, ge=0, description="smaller objects are dropped (um2)"
    )
    max_area_um2: float | None = Field(
        default=None, gt=0, description="larger objects are dropped (um2); null = none"
    )
    exclude_border: bool = Field(
        default=False, description="drop cells that the border of the field cuts"
    )
    fill_holes: bool = Field(
        default=True, description="fill background that one cell encloses"
    )

    tiles: TilesOptions = Field(
        default=TilesOptions(), description="how large frames are cut, to save memory"
    )

    @model_validator(mode="after")
    def _areas_leave_room(self) -> Self:
        if self.max_area_um2 is not None and self.max_area_um2 <= self.min_area_um2:
            raise ValueError("max_area_um2 must be larger than min_area_um2")
        return self
