"""Densities and networks as images, frame by frame, as pyCyto gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dask
import dask.array as da
import networkx as nx
import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.spatial.density import DensityOptions, density_map


def density_image(
    tracks: pd.DataFrame, calibration: Calibration, grid_px: int
) -> da.Array:
    """TYX float32, cells per mm2 in each frame on a grid of ``grid_px`` pixels.

    A frame without cells is 0.
    """
    pixel = calibration.pixel_size_y_um
    rows = max(round(calibration.height_px / grid_px), 1)
    columns = max(round(calibration.width_px / grid_px), 1)
    options = DensityOptions(grid_um=grid_px * pixel, windows=1)
    alone = Calibration.regular(
        (1, calibration.height_px, calibration.width_px),
        pixel,
        calibration.frame_interval_min,
    )
    by_frame = dict(iter(tracks.groupby("frame")))

    def plane(frame: int) -> np.ndarray:
        if frame not in by_frame:
            return np.zeros((rows, columns), np.float32)
        cells = by_frame[frame].assign(frame=0)
        values = density_map(cells, alone, options)["cells_per_mm2"]
        if values.empty:
            return np.zeros((rows, columns), np.float32)
        return values.to_numpy(np.float32).reshape(rows, columns)

    return _stack(plane, (calibration.n_frames, rows, columns))


def network_image(
    graphs: Sequence[nx.Graph],
    tracks: Mapping[str, pd.DataFrame],
    calibration: Calibration,
) -> da.Array:
    """TYX float32: lines between joined cells, as bright as they are long (um).

    Args:
        graphs: One per frame; nodes are labels, or ``role/label``.
        tracks: Table of each role; the only one under ``""`` where nodes are labels.
        calibration: Size of the image.
    """
    places: dict[int, dict[Any, tuple[int, int]]] = {}
    for role, table in tracks.items():
        cells = table[["frame", "label", "i", "j"]].dropna()
        for frame, label, i, j in cells.itertuples(index=False):
            name = f"{role}/{label}" if role else int(label)
            places.setdefault(int(frame), {})[name] = round(i), round(j)
    shape = (calibration.height_px, calibration.width_px)

    def plane(frame: int) -> np.ndarray:
        from skimage.draw import line

        image, known = np.zeros(shape, np.float32), places.get(frame, {})
        for a, b, length in graphs[frame].edges.data("length_um"):
            if a in known and b in known:
                at = line(*known[a], *known[b])
                inside = (at[0] < shape[0]) & (at[1] < shape[1])
                image[at[0][inside], at[1][inside]] = length
        return image

    return _stack(plane, (calibration.n_frames, *shape))


def _stack(plane: Callable[[int], np.ndarray], shape: tuple[int, int, int]) -> da.Array:
    made = [
        da.from_delayed(dask.delayed(plane)(frame), shape[1:], np.float32)
        for frame in range(shape[0])
    ]
    return da.stack(made)
