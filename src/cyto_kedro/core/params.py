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

    @property
    def uses_gpu(self) -> bool:
        """Whether work with these parameters wants a GPU; runners place it there."""
        return any(value.uses_gpu for _, value in self if isinstance(value, Params))
