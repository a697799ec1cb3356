"""Nodes of the tabulation pipeline."""

from __future__ import annotations

import dask.array as da
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tabulation import tabulate_movie
from cyto_kedro.pipelines.tabulation.params import TabulationParams


def tabulate(
    labels: da.Array,
    calibration: Calibration,
    drift: pd.DataFrame,
    options: TabulationParams,
    *images: da.Array,
    role: str,
    own_channel: str,
    channels: tuple[str, ...],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the cells of one role in every channel.

    Args:
        labels: TYX labels of the role.
        calibration: Geometry and time base.
        drift: Table DRIFT.
        options: What gets a row.
        images: TYX image of each channel.
        role: Cell type.
        own_channel: The role's own channel.
        channels: Names of ``images``.

    Returns:
        Tables DETECTIONS and FRAME_COUNTS.
    """
    return tabulate_movie(
        labels,
        dict(zip(channels, images, strict=True)),
        calibration,
        drift,
        role=role,
        own_channel=own_channel,
        min_area_px=options.min_area_px,
    )
