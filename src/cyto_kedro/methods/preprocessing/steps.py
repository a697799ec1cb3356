"""The ordered steps that a channel's frames go through after registration.

Steps see the valid part of a frame only, so that the empty margins which registration
leaves never enter a percentile or a background. Integer images keep their dtype
(rounded, clipped) through background and denoise; normalisation and gamma make float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import dask.array as da
import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import INTENSITY_RANGE
from cyto_kedro.methods.preprocessing.background import (
    BACKGROUNDS,
    ConstantBackground,
    GaussianBackground,
    PercentileBackground,
    RollingBallBackground,
    TophatBackground,
)
from cyto_kedro.methods.preprocessing.denoise import (
    DENOISERS,
    AntsDenoise,
    GaussianDenoise,
    MedianDenoise,
    NoDenoise,
    NonLocalMeansDenoise,
)
from cyto_kedro.methods.preprocessing.intensity import (
    Curve,
    Gamma,
    PercentileNormalise,
    Power,
    Stretch,
    through,
)
from cyto_kedro.methods.preprocessing.percentiles import (
    array_percentiles,
    movie_percentiles,
)

Range = tuple[float, float]


class Background(Params):
    """Subtract the background."""

    name: Literal["background"] = "background"
    method: Annotated[
        ConstantBackground
        | PercentileBackground
        | GaussianBackground
        | TophatBackground
        | RollingBallBackground,
        Field(discriminator="name"),
    ] = Field(description="what counts as background")


class Denoise(Params):
    """Remove noise."""

    name: Literal["denoise"] = "denoise"
    method: Annotated[
        NoDenoise
        | MedianDenoise
        | GaussianDenoise
        | NonLocalMeansDenoise
        | AntsDenoise,
        Field(discriminator="name"),
    ] = Field(description="noise filter")


Step = Annotated[
    Background | Denoise | PercentileNormalise | Gamma, Field(discriminator="name")
]


@dataclass(frozen=True)
class StepKind:
    """How a step works.

    Attributes:
        options: Its parameters.
        filter: Frame -> frame, for a step that keeps the dtype.
        curve: Frame and the movie's range -> curve, for a step that maps each grey
            value for itself; the frame is looked at only if ``reads_frame``.
        reads_frame: Whether the curve depends on the frame.
        needs_movie: Whether the range of the whole movie has to be measured first.
    """

    options: type[Params]
    filter: Callable[[np.ndarray, Any], np.ndarray] | None = None
    curve: Callable[[np.ndarray, Any, Range | None], Curve] | None = None
    reads_frame: Callable[[Any], bool] = lambda options: False
    needs_movie: Callable[[Any], bool] = lambda options: False


def _subtract(plane: np.ndarray, step: Background) -> np.ndarray:
    found = BACKGROUNDS[step.method.name].estimate(plane, step.method)
    return as_dtype(np.subtract(plane, found), plane.dtype)


def _denoise(plane: np.ndarray, step: Denoise) -> np.ndarray:
    return as_dtype(DENOISERS[step.method.name].apply(plane, step.method), plane.dtype)


def _normalise(
    plane: np.ndarray, step: PercentileNormalise, measured: Range | None
) -> Curve:
    if step.over == "frame":
        low, high = array_percentiles(plane, [step.lp, step.up]).tolist()
    elif measured is None:
        raise ValueError("the intensity range of the movie was not measured")
    else:
        low, high = measured
    return Stretch(low, high, step.clip)


def _power(plane: np.ndarray, step: Gamma, measured: Range | None) -> Curve:
    return Power(step.gamma, step.gain, step.scale)


STEPS: dict[str, StepKind] = {
    "background": StepKind(Background, filter=_subtract),
    "denoise": StepKind(Denoise, filter=_denoise),
    "percentile_normalise": StepKind(
        PercentileNormalise,
        curve=_normalise,
        reads_frame=lambda step: step.over == "frame",
        needs_movie=lambda step: step.over == "movie",
    ),
    "gamma": StepKind(Gamma, curve=_power),
}


def process(
    plane: np.ndarray, steps: Sequence[Any], ranges: dict[int, Range]
) -> np.ndarray:
    """One frame's valid part through all steps.

    Args:
        plane: YX image without invalid pixels; not changed.
        steps: Step options in order.
        ranges: Movie-wide (low, high) by position of the step, where one needs it.

    Returns:
        YX image: the input's dtype, or float32 after normalisation or gamma.
    """
    if plane.size == 0:
        return plane
    curves: list[Curve] = []
    for index, step in enumerate(steps):
        kind = STEPS[step.name]
        if curves and (kind.filter is not None or kind.reads_frame(step)):
            plane, curves = through(plane, curves), []
        if kind.filter is not None:
            plane = kind.filter(plane, step)
        elif kind.curve is not None:
            curves.append(kind.curve(plane, step, ranges.get(index)))
    return through(plane, curves) if curves else plane


def keeps_dtype(steps: Sequence[Any]) -> bool:
    """Whether the steps leave integers integers."""
    return all(STEPS[step.name].filter is not None for step in steps)


def measure_ranges(
    stack: da.Array | np.ndarray,
    steps: Sequence[Any],
    prepare: Callable[[int, np.ndarray], np.ndarray],
) -> pd.DataFrame:
    """Table INTENSITY_RANGE of the steps that need the whole movie's percentiles.

    Args:
        stack: TYX stack before registration.
        steps: Step options in order.
        prepare: Frame index and plane -> the registered frame's valid part.
    """
    rows: list[dict[str, float]] = []
    for index, step in enumerate(steps):
        if not STEPS[step.name].needs_movie(step):
            continue
        known, before = _ranges_of(rows), list(steps[:index])

        def pixels(
            frame: int,
            plane: np.ndarray,
            before: list[Any] = before,
            known: dict[int, Range] = known,
        ) -> np.ndarray:
            return process(prepare(frame, plane), before, known)

        low, high = movie_percentiles(stack, [step.lp, step.up], pixels).tolist()
        rows.append({"step": index, "lp": step.lp, "up": step.up} | _range(low, high))
    if not rows:
        return INTENSITY_RANGE.empty()
    return INTENSITY_RANGE.conform(pd.DataFrame(rows))


def ranges_of(table: pd.DataFrame) -> dict[int, Range]:
    """(low, high) by step position, from a table INTENSITY_RANGE."""
    return _ranges_of(table.to_dict(orient="records"))


def _ranges_of(rows: Sequence[dict[Any, Any]]) -> dict[int, Range]:
    return {int(r["step"]): (float(r["low"]), float(r["high"])) for r in rows}


def _range(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}


def as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values as ``dtype``; integers are rounded and clipped to its range."""
    if values.dtype == dtype:
        return values
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        # float64 cannot hold the largest 64-bit integers: clip below them.
        top = min(info.max, int(np.nextafter(float(info.max), 0)))
        return np.clip(np.rint(values), info.min, top).astype(dtype)
    return values.astype(dtype)
