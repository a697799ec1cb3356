"""Kernel density of cell positions over the field of view."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import DENSITY

_MM2_PER_UM2 = 1e-6
#: A reflected kernel this wide (in sides of the image) is even to 1e-19.
_EVEN = 3.0


class DensityOptions(Params):
    """How positions become a density."""

    bandwidth_um: float | None = Field(
        default=None,
        gt=0,
        description="standard deviation of the kernel (um); null = Scott's rule with "
        "the number of tracks",
    )
    grid_um: float = Field(
        default=20.0, gt=0, description="spacing of the map's grid (um), about"
    )
    windows: int = Field(
        default=4, ge=1, description="maps over the movie, each of as many frames"
    )


def density_map(
    tracks: pd.DataFrame, calibration: Calibration, options: DensityOptions
) -> pd.DataFrame:
    """Table DENSITY: cells per mm2 on a grid, mean over the frames of each window.

    The Gaussian kernel is reflected at the edges of the image, so that no cell is lost
    and the edge is not thinned out: the map's mean is the number of cells per area.
    Positions are binned to the grid, and each bin gets the mean of the kernel over its
    area. Scott's rule, ``sd n^(-1/6)`` per axis in 2D
    (1992, doi:10.1002/9780470316849), takes for n the number of tracks: points of one
    cell are not independent.

    Args:
        tracks: Columns track_id, frame, y_um, x_um; a point without finite position is
            left out.
        calibration: Size of the image and time of each frame.
        options: Bandwidth, grid, windows.
    """
    height = calibration.height_px * calibration.pixel_size_y_um
    width = calibration.width_px * calibration.pixel_size_x_um
    size_um = np.array([height, width])
    shape = np.maximum(np.round(size_um / options.grid_um).astype(int), 1)
    cell_um = size_um / shape
    place = tracks[["y_um", "x_um"]].to_numpy(np.float64)
    known = np.isfinite(place).all(axis=1)
    place, seen = place[known], tracks.loc[known, "frame"].to_numpy()
    if not len(place):
        return DENSITY.empty()
    n_tracks = tracks.loc[known, "track_id"].nunique()
    bandwidth = _bandwidths(place, n_tracks, options.bandwidth_um)
    at = np.clip((place / cell_um).astype(int), 0, shape - 1)
    blur_y, blur_x = (
        _spread(int(n), float(sigma))
        for n, sigma in zip(shape, bandwidth / size_um, strict=True)
    )
    maps = []
    frames = np.arange(calibration.n_frames)
    for number, window in enumerate(np.array_split(frames, options.windows)):
        if not len(window):
            continue
        inside = (seen >= window[0]) & (seen <= window[-1])
        counts = np.zeros(shape)
        np.add.at(counts, tuple(at[inside].T), 1.0)
        smooth = blur_y.T @ counts @ blur_x
        density = smooth / (len(window) * cell_um.prod() * _MM2_PER_UM2)
        maps.append(_rows(number, window, density, cell_um, bandwidth, calibration))
    return DENSITY.conform(pd.concat(maps, ignore_index=True))


def _bandwidths(place: np.ndarray, n_tracks: int, given_um: float | None) -> np.ndarray:
    """Standard deviation of the kernel along y and x (um); 0 where nothing varies."""
    if given_um is not None:
        return np.full(2, given_um)
    return np.asarray(place.std(axis=0) * n_tracks ** (-1 / 6))


def _spread(size: int, sigma: float) -> np.ndarray:
    """(size, size) share of a kernel at each bin's centre that falls into each bin.

    Args:
        size: Bins along this side of the image.
        sigma: Standard deviation as a share of the side.
    """
    from scipy.special import ndtr

    if sigma == 0:
        return np.eye(size)
    if sigma > _EVEN:
        return np.full((size, size), 1 / size)
    edges = np.arange(size + 1) / size
    centre = (np.arange(size) + 0.5) / size
    reach = int(np.ceil(8 * sigma)) + 1
    share = np.zeros((size, size))
    # The part beyond an edge is that of the cell's mirror image on this side of it.
    for side in range(-reach, reach + 1):
        image = side + (centre if side % 2 == 0 else 1 - centre)
        share += np.diff(ndtr((edges - image[:, np.newaxis]) / sigma), axis=1)
    # What lies further away than all images that were summed is below 1e-14.
    return share / share.sum(axis=1, keepdims=True)


def _rows(
    number: int,
    window: np.ndarray,
    density: np.ndarray,
    cell_um: np.ndarray,
    bandwidth: np.ndarray,
    calibration: Calibration,
) -> pd.DataFrame:
    row, column = np.indices(density.shape)
    mean = density.mean()
    return pd.DataFrame(
        {
            "window": number,
            "start_min": calibration.times_min[window[0]],
            "end_min": calibration.times_min[window[-1]],
            "y_um": (row.ravel() + 0.5) * cell_um[0],
            "x_um": (column.ravel() + 0.5) * cell_um[1],
            "cells_per_mm2": density.ravel(),
            "relative": density.ravel() / (mean if mean > 0 else np.nan),
            "bandwidth_y_um": bandwidth[0],
            "bandwidth_x_um": bandwidth[1],
        }
    )
