"""A lazy stack together with its drift: frames as they lie on the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.frames import map_frames
from cyto_kedro.methods.preprocessing.steps import Range, as_dtype, keeps_dtype, process
from cyto_kedro.methods.preprocessing.tables import frame_transforms
from cyto_kedro.methods.preprocessing.transforms import Interpolation, Rectangle
from cyto_kedro.methods.preprocessing.warps import Transform, warped


@dataclass(frozen=True)
class RegisteredFrames:
    """Frames that are moved when they are looked at.

    Attributes:
        stack: TYX array, one chunk per frame.
        transforms: How each frame is moved.
        interpolation: How to read between pixels.
        dtype: dtype of a moved frame: the stack's if that is an integer one and
            nothing else was asked for, else float32.
    """

    stack: da.Array
    transforms: tuple[Transform, ...]
    interpolation: Interpolation
    dtype: np.dtype

    @classmethod
    def of(
        cls,
        stack: da.Array,
        drift: pd.DataFrame,
        deformation: pd.DataFrame | None,
        interpolation: Interpolation,
        floating: bool = False,
    ) -> RegisteredFrames:
        """Join a stack with its tables DRIFT and DEFORMATION.

        Raises:
            InputError: The tables do not say how each frame is moved.
        """
        transforms = frame_transforms(drift, deformation, len(stack))
        integer = stack.dtype.kind in "ui" and not floating
        dtype = stack.dtype.newbyteorder("=") if integer else np.dtype(np.float32)
        return cls(stack, transforms, interpolation, dtype)

    def placed(self, frame: int, plane: np.ndarray) -> tuple[np.ndarray, Rectangle]:
        """The part of a moved frame that has data, in :attr:`dtype`, and its place."""
        part, rectangle = warped(plane, self.transforms[frame], self.interpolation)
        return as_dtype(part, self.dtype), rectangle

    def valid_part(self, frame: int, plane: np.ndarray) -> np.ndarray:
        """The rectangle of a moved frame that has data, in :attr:`dtype`."""
        return self.placed(frame, plane)[0]

    def through(self, steps: Sequence[Any], ranges: dict[int, Range]) -> da.Array:
        """Lazy TYX image of all frames after the steps, 0 where there is no data."""
        dtype = self.dtype if keeps_dtype(steps) else np.dtype(np.float32)

        def one(plane: np.ndarray, frame: int) -> np.ndarray:
            moved, (y0, y1, x0, x1) = self.placed(frame, plane)
            part = process(moved, steps, ranges)
            if part.shape == plane.shape:
                return part
            out = np.zeros(plane.shape, dtype)
            out[y0:y1, x0:x1] = part
            return out

        return map_frames(one, self.stack, dtype=dtype, with_index=True)
