"""What one pixel and one frame mean in physical units."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from cyto_kedro.core.params import Params


class Calibration(Params):
    """Geometry and time base of one movie after cropping to its image range.

    It is written once by the ingest pipeline and read by every later node, so that
    no node guesses a pixel size. Frames are 0-based integers; frame ``i`` was taken
    ``frame_times_min[i]`` minutes after frame 0.
    """

    movie: str = Field(description="movie id of the experiment sheet")
    channels: tuple[str, ...] = Field(description="channel names in catalog order")
    n_frames: int = Field(ge=1, description="number of frames T")
    height_px: int = Field(ge=1, description="rows Y (px)")
    width_px: int = Field(ge=1, description="columns X (px)")
    pixel_size_y_um: float = Field(gt=0, description="row spacing (um)")
    pixel_size_x_um: float = Field(gt=0, description="column spacing (um)")
    frame_times_min: tuple[float, ...] = Field(
        description="time of each frame after the first (min), strictly increasing"
    )
    source_frames: tuple[int, ...] = Field(
        description="index of each frame in the raw file, for looking things up there"
    )
    source_shape: tuple[int, int, int] | None = Field(
        default=None, description="T, Y, X of the raw channels before cropping"
    )
    y_range: tuple[int, int, int] | None = Field(
        default=None, description="raw rows analysed: start, stop, step; null = all"
    )
    x_range: tuple[int, int, int] | None = Field(
        default=None, description="raw columns analysed: start, stop, step; null = all"
    )

    @model_validator(mode="after")
    def _one_time_per_frame(self) -> Self:
        for name in ("frame_times_min", "source_frames"):
            if len(getattr(self, name)) != self.n_frames:
                raise ValueError(f"{name} needs {self.n_frames} entries, one per frame")
        if self.n_frames > 1 and not (np.diff(self.frame_times_min) > 0).all():
            raise ValueError("frame_times_min must increase strictly")
        return self

    @property
    def spacing_um(self) -> tuple[float, float]:
        """(row, column) spacing in um, the order of ``scipy.ndimage`` sampling."""
        return self.pixel_size_y_um, self.pixel_size_x_um

    @property
    def pixel_area_um2(self) -> float:
        """Area of one pixel in um2."""
        return self.pixel_size_y_um * self.pixel_size_x_um

    @cached_property
    def times_min(self) -> np.ndarray:
        """(T,) float64 time of each frame in minutes."""
        return np.asarray(self.frame_times_min, dtype=np.float64)

    @property
    def frame_interval_min(self) -> float:
        """Median time between frames in minutes; NaN for a single frame."""
        if self.n_frames < 2:
            return float("nan")
        return float(np.median(np.diff(self.times_min)))

    @classmethod
    def regular(
        cls,
        shape: tuple[int, int, int],
        pixel_size_um: float = 1.0,
        frame_interval_min: float = 1.0,
        channels: tuple[str, ...] = ("image",),
        movie: str = "movie",
    ) -> Calibration:
        """Square pixels and a constant interval: the usual case, and the tests'."""
        n_frames, height, width = shape
        return cls(
            movie=movie,
            channels=channels,
            n_frames=n_frames,
            height_px=height,
            width_px=width,
            pixel_size_y_um=pixel_size_um,
            pixel_size_x_um=pixel_size_um,
            frame_times_min=tuple(i * frame_interval_min for i in range(n_frames)),
            source_frames=tuple(range(n_frames)),
        )
