"""Strict base class of every typed parameter group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
        return any(value.uses_gpu for value in self._groups())

    @property
    def input_files(self) -> tuple[Path, ...]:
        """Files beside the datasets that results depend on, such as weights.

        Provenance treats them as inputs: by content, wherever they lie.
        """
        return tuple(file for value in self._groups() for file in value.input_files)

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions beyond the core that work with these parameters imports."""
        return tuple(name for value in self._groups() for name in value.libraries)

    def check_ready(self) -> None:
        """Refuse parameters that cannot work here, before a run reads any data.

        It must be cheap and import nothing heavy: the driver of a cluster calls it.

        Raises:
            ConfigError: A file that the parameters name is missing.
        """
        for value in self._groups():
            value.check_ready()

    def _groups(self) -> Iterator[Params]:
        return (value for _, value in self if isinstance(value, Params))
