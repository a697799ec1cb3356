"""Detections for tracker tests, from positions alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def make() -> Make:
    """Factory of detections."""
    return detections


@pytest.fixture
def field() -> Calibration:
    """Ten thousand frames of 1000 x 1000 um."""
    return Calibration.regular((10_000, 1000, 1000))


@pytest.fixture
def trackmate(real_data: Path) -> Path:
    """TrackMate's own results."""
    return real_data / "trackmate_reference"
