"""The part of a movie that is analysed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params


def _check(value: list[int | None]) -> list[int | None]:
    start, stop, step = _filled(value)
    if start < 0 or (stop is not None and stop < 0):
        raise ValueError("start and stop must not be negative")
    if step < 1:
        raise ValueError("step must be at least 1")
    if stop is not None and stop <= start:
        raise ValueError(f"the range {start} to {stop} is empty")
    return value


Steps = Annotated[
    list[int | None], Field(min_length=2, max_length=3), AfterValidator(_check)
]


class ImageRange(Params):
    """[start, stop, step] per axis: start included, stop excluded, null = all."""

    t: Steps | None = Field(default=None, description="frames")
    y: Steps | None = Field(default=None, description="rows (px)")
    x: Steps | None = Field(default=None, description="columns (px)")

    def resolve(self, axis: str, size: int) -> tuple[int, int, int]:
        """Start, stop and step on an axis of the raw image.

        Args:
            axis: ``t``, ``y`` or ``x``.
            size: Length of the axis in the file.

        Raises:
            ConfigError: The range goes beyond the image.
        """
        start, stop, step = _filled(getattr(self, axis) or [0, None])
        last = size if stop is None else stop
        if start >= size or last > size:
            raise ConfigError(
                f"image_range.{axis} [{start}, {stop}, {step}] goes beyond the image, "
                f"which has {size}",
                where="parameters_ingest.yml",
                fix=f"stay within 0 to {size}; null means all",
            )
        return start, last, step


def _filled(value: list[int | None]) -> tuple[int, int | None, int]:
    start, stop, step = (*value, None)[:3]
    return start or 0, stop, 1 if step is None else step
