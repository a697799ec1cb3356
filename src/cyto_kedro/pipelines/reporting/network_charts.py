"""Snapshots of who is near whom and who touches whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.cells import MovieCells
from cyto_kedro.methods.networks.graphs import contact_edges, position_edges
from cyto_kedro.pipelines.networks.params import NetworksParams
from cyto_kedro.pipelines.reporting.style import INK, blank_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def snapshots(
    tracks: dict[str, pd.DataFrame],
    contacts: dict[str, pd.DataFrame],
    options: NetworksParams,
    calibration: Calibration,
    colours: dict[str, str],
    count: int = 3,
) -> Figure:
    """Neighbours (thin) and contacts (thick) in the first, middle and last frame.

    Args:
        tracks: TRACKS by role.
        contacts: CONTACTS by pair.
        options: Edge limits.
        calibration: Geometry and time base.
        colours: Colour of each role.
        count: Frames to show.
    """
    frames = np.unique(np.linspace(0, calibration.n_frames - 1, count).round())
    height_um = calibration.height_px * calibration.pixel_size_y_um
    width_um = calibration.width_px * calibration.pixel_size_x_um
    with blank_figure(9.4, 3.2 * min(height_um / width_um, 1.5) + 0.5) as drawn:
        panels = drawn.subplots(1, len(frames), squeeze=False)[0]
        for axes, frame in zip(panels, frames.astype(int), strict=True):
            cells = MovieCells.of(_at(tracks, frame))
            near = position_edges(cells, calibration.n_frames, options)[0]
            touching = contact_edges(cells, _at(contacts, frame))
            _edges(axes, cells, near.ends, "#b8c2cb", 0.7)
            _edges(axes, cells, touching.ends, INK, 2.0)
            for role, table in _at(tracks, frame).items():
                axes.plot(
                    table["x_um"], table["y_um"], "o", ms=4.5, color=colours[role],
                    mec="white", mew=0.5, label=role,
                )  # fmt: skip
            minutes = calibration.times_min[frame]
            axes.set(title=f"{minutes:.3g} min: {len(touching.ends)} contacts")
            axes.set(xlim=(0, width_um), ylim=(height_um, 0), aspect="equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
        panels[0].legend(fontsize=7.5, loc="lower left", framealpha=0.85, frameon=True)
    return drawn


def _at(tables: dict[str, pd.DataFrame], frame: int) -> dict[str, pd.DataFrame]:
    return {name: t[t["frame"] == frame] for name, t in tables.items()}


def _edges(
    axes: Axes, cells: MovieCells, ends: np.ndarray, colour: str, width: float
) -> None:
    from matplotlib.collections import LineCollection

    points = np.stack([cells.x_um, cells.y_um], axis=1)
    axes.add_collection(
        LineCollection(list(points[ends]), colors=colour, linewidths=width, zorder=1)
    )
