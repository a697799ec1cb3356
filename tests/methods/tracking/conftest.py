"""Detections for tracker tests, from positions alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DETECTIONS
from tables import filled

Make = Callable[..., pd.DataFrame]


def detections(frame, y, x, label=None, **columns) -> pd.DataFrame:
    """A complete DETECTIONS table; labels count within each frame unless given."""
    frame = np.asarray(frame, dtype=np.int64)
    if label is None:
        label = pd.Series(frame).groupby(frame).cumcount().to_numpy() + 1
    place = {"y_um": y, "x_um": x, "y": y, "x": x}
    given = {"frame": frame, "label": label, "time_min": frame * 1.0}
    return filled(DETECTIONS, place | given | columns)


def masks(table: pd.DataFrame, half: int = 4, shape=(1000, 1000)) -> da.Array:
    """Lazy TYX masks: a square of 2 half + 1 pixels (of 1 um) around each cell."""
    by_frame = dict(list(table.dropna(subset=["y_um", "x_um"]).groupby("frame")))
    n_frames = int(table["frame"].max()) + 1 if len(table) else 1

    def draw(block_info=None):
        frame = block_info[None]["chunk-location"][0]
        plane = np.zeros(shape, np.uint32)
        cells = by_frame.get(frame, table.iloc[:0])
        for y, x, label in cells[["y_um", "x_um", "label"]].itertuples(index=False):
            row, column = round(y), round(x)
            top, left = max(row - half, 0), max(column - half, 0)
            plane[top : row + half + 1, left : column + half + 1] = label
        return plane[np.newaxis]

    chunks = ((1,) * n_frames, *((length,) for length in shape))
    return da.map_blocks(draw, chunks=chunks, dtype=np.uint32, meta=np.empty((0, 0, 0)))


@pytest.fixture
def make() -> Make:
    """Factory of detections."""
    return detections


@pytest.fixture
def draw() -> Callable[..., da.Array]:
    """Masks of detections."""
    return masks


@pytest.fixture
def field() -> Calibration:
    """Ten thousand frames of 1000 x 1000 um."""
    return Calibration.regular((10_000, 1000, 1000))


@pytest.fixture
def trackmate(real_data: Path) -> Path:
    """TrackMate's own results."""
    return real_data / "trackmate_reference"
