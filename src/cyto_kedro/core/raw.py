"""What a raw channel looks like to the ingest pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array as da


@dataclass(frozen=True)
class RawChannel:
    """One lazily read channel of one movie, before cropping.

    Attributes:
        data: TYX dask array, one chunk per frame, in the file's dtype.
        source: The path or glob that it was read from, for messages.
        pixel_size_um: (row, column) pixel size from the file's metadata, if any.
        frame_interval_min: Minutes per frame from the metadata, if any.
    """

    data: da.Array
    source: str
    pixel_size_um: tuple[float, float] | None = None
    frame_interval_min: float | None = None
