"""How fast a quantity changes along each track: slopes of lines through windows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import FEATURES
from cyto_kedro.methods.features.operations import Operand, operand_table

_POINT = ["track_id", "frame"]


class Gradient(Params):
    """A feature that is the rate of change of a column."""

    feature: str = Field(min_length=1, description="name of the new feature")
    source: Operand = Field(description="column of a table with one row per point")
    window_frames: int = Field(
        default=5,
        ge=3,
        description="frames around a point that the line is fitted to; an even number "
        "counts as the next odd one",
    )


def gradient_table(
    tables: Mapping[str, pd.DataFrame], wanted: Gradient
) -> pd.DataFrame:
    """Table FEATURES of one gradient, per minute.

    Least-squares slope over the known points of the track within half a window of
    frames, by the real times of the frames. At the ends of a track the window holds
    fewer points and none is made up, so that a line keeps its slope up to both ends.
    NaN with a single known point.

    Args:
        tables: Tables by ``<role>.<table>``.
        wanted: Column and window.

    Raises:
        ConfigError: The table or column does not exist, or has no tracks over time.
    """
    source = operand_table(tables, wanted.source)
    if not {*_POINT, "time_min"} <= {*source}:
        raise ConfigError(
            f"'{wanted.source.table}' has no points of tracks over time",
            where=f"features.gradients: {wanted.feature}",
            fix="take a column of tracks, kinematics or viability",
        )
    rows = source.sort_values(_POINT, ignore_index=True)
    values = rows["value"].to_numpy(np.float64, na_value=np.nan)
    slope = slopes(
        rows["track_id"].to_numpy(np.int64),
        rows["frame"].to_numpy(np.int64),
        rows["time_min"].to_numpy(np.float64),
        values,
        wanted.window_frames // 2,
    )
    table = rows.assign(feature=wanted.feature, role=wanted.source.role, value=slope)
    if "label" not in table:
        table["label"] = pd.array([pd.NA] * len(table), dtype="Int64")
    return FEATURES.conform(table[list(FEATURES.columns)])


def slopes(
    track: np.ndarray,
    frame: np.ndarray,
    time_min: np.ndarray,
    values: np.ndarray,
    half: int,
) -> np.ndarray:
    """(N,) slope per minute through the points within ``half`` frames of each.

    Args:
        track: (N,) track ids, sorted; ``frame`` sorted within each track.
        frame: (N,) frame of each point.
        time_min: (N,) time of each point.
        values: (N,) quantity; NaN = unknown.
        half: Frames to each side.
    """
    n = len(values)
    known = np.isfinite(values)
    level = np.where(known, values, 0.0)
    sums = np.zeros((5, n))  # count, t, v, t t, t v about the point itself
    for step in range(-half, half + 1):
        own = np.arange(max(0, -step), min(n, n - step))
        other = own + step
        near = (track[other] == track[own]) & known[other]
        near &= np.abs(frame[other] - frame[own]) <= half
        own, other = own[near], other[near]
        t = time_min[other] - time_min[own]
        v = level[other] - level[own]
        sums[:, own] += np.stack([np.ones(len(own)), t, v, t * t, t * v])
    count, t, v, tt, tv = sums
    spread = count * tt - t * t
    enough = known & (count > 1) & (spread > 0)
    return np.divide(count * tv - t * v, spread, out=np.full(n, np.nan), where=enough)
