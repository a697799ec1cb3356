"""Parameters of the comparison of movies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cyto_kedro.core.params import Params

Outcome = Literal[
    "survival",
    "rmst",
    "died_in_field",
    "specific_lysis",
    "kills_per_effector_hour",
    "kills_per_contact_hour",
    "killer_fraction",
    "serial_fraction",
    "gini",
]


class SurvivalParams(Params):
    """How survival is compared between movies."""

    group_by: str | None = Field(
        default="condition", description="column of the sheet that names the condition"
    )
    control_column: str | None = Field(
        default="control",
        description="column of the sheet that flags movies without effectors",
    )
    stratify_by: str | None = Field(
        default=None, description="column of the replicate, such as the donor"
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="coverage of intervals"
    )
    horizon_min: float | None = Field(
        default=None,
        gt=0,
        description="time of comparison (min); null = the last that all groups reach",
    )
    n_bootstrap: int = Field(default=1000, ge=1, description="bootstrap resamples")
    n_permutations: int = Field(
        default=9999, ge=1, description="permutations of whole movies"
    )
    seed: int = Field(default=1, ge=0, description="seed of both")
    well_column: str | None = Field(
        default="well",
        description="column of the sheet that names the well; without it each movie "
        "is one",
    )
    donor_column: str | None = Field(
        default="donor", description="column of the sheet that names the donor"
    )
    et_column: str | None = Field(
        default="effector_to_target",
        description="column of the sheet with effectors per target, a number",
    )
    reference: str | None = Field(
        default=None,
        description="condition that the others are compared with; null = all pairs",
    )
    unit: Literal["auto", "well", "donor"] = Field(
        default="auto",
        description="unit of inference: wells within donors, or donors; auto takes "
        "donors if one gave a single well to a condition",
    )
    correct_over: Literal["all", "outcome"] = Field(
        default="all",
        description="correct p-values over all comparisons, or within each outcome",
    )
    outcomes: tuple[Outcome, ...] | None = Field(
        default=None,
        description="outcomes that are compared, and corrected for; null = all",
    )
    credit: Literal["nearest", "shared", "hazard"] = Field(
        default="hazard", description="rule of credit of the kills that are compared"
    )
    competing: tuple[Literal["left_field", "divided", "lost"], ...] = Field(
        default=("left_field",),
        description="ends of a track that compete with death; others are censored",
    )
    band: Literal["equal_precision", "hall_wellner"] = Field(
        default="equal_precision", description="simultaneous band of survival curves"
    )
