"""Parameters of the preprocessing pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.methods.preprocessing.ants_registration import AntsRegistration
from cyto_kedro.methods.preprocessing.block_correlation import BlockCorrelation
from cyto_kedro.methods.preprocessing.drift import NoRegistration, PhaseCorrelation
from cyto_kedro.methods.preprocessing.steps import Step
from cyto_kedro.methods.preprocessing.transforms import Interpolation


class RegistrationParams(Params):
    """How stage drift is measured; the tables `drift` and `deformation`."""

    method: Annotated[
        NoRegistration | PhaseCorrelation | BlockCorrelation | AntsRegistration,
        Field(discriminator="name"),
    ] = Field(
        default_factory=PhaseCorrelation, description="how the drift is estimated"
    )
    channel: str | None = Field(
        default=None,
        description="channel that the drift is measured on; null = the first channel "
        "of the first target role (else of the first role)",
    )


class ChannelParams(Params):
    """What happens to one channel: moved by the drift, then the steps in order."""

    interpolation: Interpolation = Field(
        default="linear",
        description="how pixels are read between pixels when a frame is moved; nearest "
        "leaves grey values untouched and moves by whole pixels",
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="steps after registration, in this order"
    )
    output_dtype: Literal["auto", "float32"] = Field(
        default="auto",
        description="auto: integer images stay integers unless normalisation or gamma "
        "is applied; float32: no rounding anywhere",
    )


class MergeParams(Params):
    """How several channels of a role become one image."""

    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="relative weight by channel; channels not named weigh 1",
    )
