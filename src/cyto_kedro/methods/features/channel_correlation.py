"""Correlation of channels, pixel by pixel: bleed-through, and markers that go along."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd

from cyto_kedro.core.frames import over_frames
from cyto_kedro.core.schemas import CHANNEL_CORRELATION

Stack = da.Array | np.ndarray
WHOLE = "image"


def channel_correlation(
    images: Mapping[str, Stack],
    labels: Mapping[str, Stack],
    drift: pd.DataFrame,
    times_min: np.ndarray,
) -> pd.DataFrame:
    """Table CHANNEL_CORRELATION of every frame, pair of channels and region.

    Pearson's r, and the slope of the regression of channel b on channel a, over the
    pixels of the image and over those inside the masks of each role. Pixels without
    data after registration are left out. NaN with fewer than two pixels or where a
    channel does not vary.

    Args:
        images: TYX image by channel.
        labels: TYX masks by role.
        drift: Table DRIFT, which names the valid part of each frame.
        times_min: (T,) time of each frame.
    """
    channels, roles = tuple(images), tuple(labels)
    if len(channels) < 2:
        return CHANNEL_CORRELATION.empty()
    bounds = ["valid_y0", "valid_y1", "valid_x0", "valid_x1"]
    window = dict(zip(drift["frame"], drift[bounds].to_numpy(int), strict=True))

    def measure(frame: int, *planes: np.ndarray) -> list[dict[str, Any]]:
        y0, y1, x0, x1 = window[frame]
        cut = [plane[y0:y1, x0:x1] for plane in planes]
        pictures, masks = cut[: len(channels)], cut[len(channels) :]
        regions = {WHOLE: np.ones(cut[0].shape, bool)}
        regions |= {role: mask > 0 for role, mask in zip(roles, masks, strict=True)}
        start = {"frame": frame, "time_min": float(times_min[frame])}
        return [
            start | row
            for name, inside in regions.items()
            for row in _region(name, channels, pictures, inside)
        ]

    found = over_frames(measure, *images.values(), *labels.values())
    rows = [row for frame in found for row in frame]
    return CHANNEL_CORRELATION.conform(
        pd.DataFrame(rows, columns=list(CHANNEL_CORRELATION.columns))
    )


def _region(
    name: str,
    channels: tuple[str, ...],
    pictures: list[np.ndarray],
    inside: np.ndarray,
) -> list[dict[str, Any]]:
    """One row per pair of channels."""
    values = np.array([picture[inside] for picture in pictures], dtype=np.float64)
    n_px = values.shape[1]
    # Centred first: sums of squares of large intensities would lose the digits.
    centred = values - values.mean(axis=1, keepdims=True) if n_px else values
    products = centred @ centred.T
    rows = []
    for a, b in combinations(range(len(channels)), 2):
        along, across = products[a, a], products[a, b]
        both = np.sqrt(along * products[b, b])
        rows.append(
            {
                "channel_a": channels[a],
                "channel_b": channels[b],
                "region": name,
                "n_px": n_px,
                "pearson": np.clip(across / both, -1, 1) if both > 0 else np.nan,
                "slope": across / along if along > 0 else np.nan,
            }
        )
    return rows
