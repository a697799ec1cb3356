"""Parameters of the killing pipeline."""

from __future__ import annotations

from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.pipelines.killing.attribution_params import AttributionParams
from cyto_kedro.pipelines.killing.death_params import (
    ControlThresholdParams,
    DeathParams,
    death_of_effectors,
)
from cyto_kedro.pipelines.killing.survival_params import SurvivalParams


class KillingParams(Params):
    """Content of ``parameters_killing.yml``."""

    death: DeathParams = Field(
        default_factory=DeathParams, description="death of a target"
    )
    effector_death: DeathParams = Field(
        default_factory=death_of_effectors, description="death of an effector"
    )
    control_threshold: ControlThresholdParams = Field(
        default_factory=ControlThresholdParams,
        description="what the control movies say about the threshold",
    )
    attribution: AttributionParams = Field(
        default_factory=AttributionParams, description="who killed it"
    )
    survival: SurvivalParams = Field(
        default_factory=SurvivalParams, description="comparison of movies"
    )
