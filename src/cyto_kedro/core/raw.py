"""What a raw channel looks like to the pipelines, and how it is cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.frames import as_frames


@dataclass(frozen=True)
class RawChannel:
    """One lazily read channel of one movie, before cropping.

    Attributes:
        data: TYX dask array, one chunk per frame, in the file's dtype.
        source: The path or glob that it was read from, for messages.
        pixel_size_um: (row, column) pixel size from the file's metadata, if any.
        frame_interval_min: Minutes per frame from the metadata, if any.
        frame_times_min: Minutes of each frame after the first, where the file has a
            time stamp per frame.
        movie: Movie id of the experiment sheet.
        channel: Name of the channel (or role, for ready masks) in ``globals.yml``.
    """

    data: da.Array
    source: str
    pixel_size_um: tuple[float, float] | None = None
    frame_interval_min: float | None = None
    movie: str = "movie"
    channel: str = "image"
    frame_times_min: tuple[float, ...] | None = None


def select(
    raw: RawChannel | da.Array | np.ndarray, calibration: Calibration
) -> da.Array:
    """The image range of a movie, cropped lazily; one chunk per frame.

    Args:
        raw: A whole TYX channel, or masks that cover the whole channel.
        calibration: Says which frames, rows and columns are analysed.

    Raises:
        InputError: The stack does not cover the frames or pixels of the range.
    """
    stack = raw.data if isinstance(raw, RawChannel) else as_frames(raw)
    source = raw.source if isinstance(raw, RawChannel) else "array"
    _check_extent(stack.shape, source, calibration)
    frames = _as_slice(calibration.source_frames)
    rows = slice(*calibration.y_range) if calibration.y_range else slice(None)
    columns = slice(*calibration.x_range) if calibration.x_range else slice(None)
    return as_frames(stack[frames, rows, columns])


def _check_extent(shape: Sequence[int], source: str, calibration: Calibration) -> None:
    expected = calibration.source_shape or (
        None,
        None if calibration.y_range else calibration.height_px,
        None if calibration.x_range else calibration.width_px,
    )
    wrong = any(
        want is not None and have != want
        for have, want in zip(shape, expected, strict=True)
    )
    if wrong or max(calibration.source_frames) >= shape[0]:
        wanted = " x ".join("any" if n is None else str(n) for n in expected)
        raise InputError(
            f"The stack of {' x '.join(map(str, shape))} (T x Y x X) does not fit the "
            f"movie's raw channels of {wanted}",
            where=source,
            fix="give a stack with the same frames and pixels as the raw channels",
        )


def _as_slice(frames: tuple[int, ...]) -> slice | list[int]:
    """Evenly spaced frames as a slice, which dask takes without a shuffle."""
    step = frames[1] - frames[0] if len(frames) > 1 else 1
    even = range(frames[0], frames[0] + step * len(frames), step or 1)
    if step > 0 and tuple(even) == frames:
        return slice(frames[0], frames[-1] + 1, step)
    return list(frames)
