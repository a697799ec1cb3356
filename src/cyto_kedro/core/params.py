"""Strict base class of every typed parameter group."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Immutable parameters: unknown keys are errors, every field is described.

    Subclasses state bounds and units with ``Field(ge=..., description="... (um)")``.
    NaN and infinity are refused.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )
