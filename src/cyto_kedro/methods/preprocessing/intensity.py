"""Pixel-by-pixel changes of intensity: percentile normalisation, gamma, merging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cyto_kedro.core.params import Params


class PercentileNormalise(Params):
    """Stretch so that the lower percentile becomes 0 and the upper one 1."""

    name: Literal["percentile_normalise"] = "percentile_normalise"
    lp: float = Field(default=5.0, ge=0, le=100, description="lower percentile (%)")
    up: float = Field(default=95.0, ge=0, le=100, description="upper percentile (%)")
    over: Literal["movie", "frame"] = Field(
        default="movie",
        description="percentiles of the whole movie (keeps changes over time), or of "
        "each frame (evens out bleaching)",
    )
    clip: bool = Field(default=True, description="limit the result to 0 to 1")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lp >= self.up:
            raise ValueError("lp must be below up")
        return self


class Gamma(Params):
    """Brighten (gamma < 1) or darken (gamma > 1) the middle of the range."""

    name: Literal["gamma"] = "gamma"
    gamma: float = Field(default=1.0, gt=0, le=10, description="exponent")
    gain: float = Field(default=1.0, gt=0, le=1e6, description="factor")
    scale: float = Field(
        default=1.0,
        gt=0,
        description="intensity that stays as it is at gain 1 (grey values); 1 after "
        "normalisation",
    )


@dataclass(frozen=True)
class Stretch:
    """``(x - low) / (high - low)``, limited to [0, 1] if ``clip``.

    Where ``low`` and ``high`` coincide the limit is taken: 0 up to there, 1 above.
    """

    low: float
    high: float
    clip: bool

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Stretched values in the dtype of ``values``."""
        span = self.high - self.low
        if not span > 0:
            return (values > self.high).astype(values.dtype)
        # In float64: the range may be narrow and far from zero.
        scaled = np.subtract(values, self.low, dtype=np.float64)
        scaled /= span
        if self.clip:
            np.clip(scaled, 0, 1, out=scaled)
        return scaled.astype(values.dtype, copy=False)


@dataclass(frozen=True)
class Power:
    """``gain * scale * (x / scale) ** gamma``; negative intensities count as 0."""

    gamma: float
    gain: float
    scale: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values after the power law, in their dtype."""
        positive = np.maximum(values, 0)
        if self.gamma != 1:
            positive = self.scale * (positive / self.scale) ** self.gamma
        return self.gain * positive


#: Maps grey values (any shape, floating point) to new ones, each for itself.
Curve = Stretch | Power


def through(plane: np.ndarray, curves: Sequence[Curve]) -> np.ndarray:
    """Send a frame through curves; returns float32.

    8- and 16-bit frames go through a table with one entry per possible grey value.
    """
    if plane.dtype.kind == "u" and plane.dtype.itemsize <= 2:
        from cyto_kedro.methods.preprocessing._kernels import look_up

        native = plane.astype(plane.dtype.newbyteorder("="), copy=False)
        flat = np.ascontiguousarray(native).reshape(-1)
        return look_up(flat, _table(native.dtype, tuple(curves))).reshape(plane.shape)
    single = plane.dtype.kind == "f" and plane.dtype.itemsize <= 4
    values = plane.astype(np.float32 if single else np.float64, copy=False)
    return _apply(values, curves).astype(np.float32, copy=False)


@lru_cache(maxsize=8)
def _table(dtype: np.dtype, curves: tuple[Curve, ...]) -> np.ndarray:
    """Result for each grey value of ``dtype``; the same for many frames of a movie."""
    levels = np.arange(int(np.iinfo(dtype).max) + 1, dtype=np.float64)
    table = _apply(levels, curves).astype(np.float32)
    table.flags.writeable = False
    return table


def _apply(values: np.ndarray, curves: Sequence[Curve]) -> np.ndarray:
    for curve in curves:
        values = curve(values)
    return values


def merge(planes: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Weighted mean of the same frame in several channels, float32.

    Args:
        planes: YX images of one shape.
        weights: One per plane, at least 0; they are divided by their sum.

    Raises:
        ValueError: The numbers of planes and weights differ, or no weight is positive.
    """
    if len(planes) != len(weights) or not sum(weights) > 0:
        raise ValueError("one weight per channel is needed, with a positive sum")
    total = np.zeros(planes[0].shape, np.float64)
    for plane, weight in zip(planes, weights, strict=True):
        total += (weight / sum(weights)) * plane
    return total.astype(np.float32)
