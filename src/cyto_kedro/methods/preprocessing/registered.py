"""A lazy stack together with its drift: frames as they lie on the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import map_frames
from cyto_kedro.methods.preprocessing.steps import Range, as_dtype, keeps_dtype, process
from cyto_kedro.methods.preprocessing.transforms import (
    Interpolation,
    Shift,
    moved,
    valid_rectangle,
)


@dataclass(frozen=True)
class RegisteredFrames:
    """Frames that are moved when they are looked at.

    Attributes:
        stack: TYX array, one chunk per frame.
        shifts: (dy, dx) per frame in px.
        interpolation: How to read between pixels.
        dtype: dtype of a moved frame: the stack's if that is an integer one and
            nothing else was asked for, else float32.
    """

    stack: da.Array
    shifts: tuple[Shift, ...]
    interpolation: Interpolation
    dtype: np.dtype

    @classmethod
    def of(
        cls,
        stack: da.Array,
        drift: pd.DataFrame,
        interpolation: Interpolation,
        floating: bool = False,
    ) -> RegisteredFrames:
        """Join a stack with its table DRIFT.

        Raises:
            InputError: The table has no row, or several, for a frame.
        """
        ordered = drift.sort_values("frame")
        if ordered["frame"].tolist() != list(range(len(stack))):
            raise InputError(
                "The drift table needs exactly one row for each of the "
                f"{len(stack)} frames",
                where="drift",
                fix="run preprocessing again from the node estimate_drift",
            )
        shifts = tuple(zip(ordered["dy_px"], ordered["dx_px"], strict=True))
        integer = stack.dtype.kind in "ui" and not floating
        dtype = stack.dtype.newbyteorder("=") if integer else np.dtype(np.float32)
        return cls(stack, shifts, interpolation, dtype)

    def valid_part(self, frame: int, plane: np.ndarray) -> np.ndarray:
        """The rectangle of a moved frame that has data, in :attr:`dtype`."""
        part = moved(plane, self.shifts[frame], self.interpolation)
        return as_dtype(part, self.dtype)

    def through(self, steps: Sequence[Any], ranges: dict[int, Range]) -> da.Array:
        """Lazy TYX image of all frames after the steps, 0 where there is no data."""
        dtype = self.dtype if keeps_dtype(steps) else np.dtype(np.float32)

        def one(plane: np.ndarray, frame: int) -> np.ndarray:
            part = process(self.valid_part(frame, plane), steps, ranges)
            if part.shape == plane.shape:
                return part
            height, width = plane.shape
            y0, y1, x0, x1 = valid_rectangle(self.shifts[frame], (height, width))
            out = np.zeros(plane.shape, dtype)
            out[y0:y1, x0:x1] = part
            return out

        return map_frames(one, self.stack, dtype=dtype, with_index=True)
