"""Strict base class of every typed parameter group."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


class Params(BaseModel):
    """Immutable parameters: unknown keys are errors, every field is described.

    Subclasses state bounds and units with ``Field(ge=..., description="... (um)")``.
    NaN and infinity are refused.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_nearest_key(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        """An unknown key of this group is told with the key that was likely meant."""
        try:
            return handler(values)
        except ValidationError as exc:
            if not any(_is_unknown_key(error) for error in exc.errors()):
                raise
            details = [cls._told(error) for error in exc.errors()]
            raise ValidationError.from_exception_data(exc.title, details) from None

    @classmethod
    def _told(cls, error: Any) -> InitErrorDetails:
        message = error["msg"]
        if _is_unknown_key(error):
            near = get_close_matches(str(error["loc"][0]), cls.model_fields, n=1)
            message += f"; did you mean '{near[0]}'?" if near else ""
        kind = PydanticCustomError(error["type"], message)
        return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])

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


def _is_unknown_key(error: Any) -> bool:
    """Whether it is a key of this group; those of inner groups are told already."""
    return error["type"] == "extra_forbidden" and len(error["loc"]) == 1
