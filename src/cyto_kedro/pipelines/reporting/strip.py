"""The movie strip: frames with outlines of all cells and the tails of their tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.pipelines.reporting.style import contrast, figure, overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Width of a frame on paper (inches).
_PANEL_IN = 3.1


def movie_strip(
    calibration: Calibration,
    images: dict[str, Any],
    labels: dict[str, Any],
    tracks: dict[str, pd.DataFrame],
    colours: dict[str, str],
    *,
    n_frames: int,
    tail_frames: int,
    scale_bar_um: float,
) -> Figure:
    """Evenly spaced frames side by side.

    Args:
        calibration: Geometry and time base.
        images: TYX image shown for each role.
        labels: TYX uint32 masks of each role.
        tracks: Tracks of each role.
        colours: Colour of each role.
        n_frames: Frames to show.
        tail_frames: Length of the track tails.
        scale_bar_um: Length of the scale bar.
    """
    count = min(n_frames, calibration.n_frames)
    shown = np.unique(np.linspace(0, calibration.n_frames - 1, count).astype(int))
    limits = {
        role: contrast(np.stack([compute_frame(image, int(f)) for f in shown]))
        for role, image in images.items()
    }
    columns = min(len(shown), 3)
    rows = -(-len(shown) // columns)
    aspect = calibration.height_px / calibration.width_px
    width, height = _PANEL_IN * columns, (_PANEL_IN * aspect + 0.22) * rows
    with figure(width, height) as (drawn, first):
        first.remove()
        grid = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        for axes, frame in zip(grid, shown, strict=False):
            _show(axes, int(frame), images, labels, limits, colours)
            for role, table in tracks.items():
                _tails(axes, table, int(frame), tail_frames, colours[role], calibration)
            minutes = calibration.times_min[frame]
            axes.set_title(f"{minutes:.3g} min (frame {frame})", fontsize=9)
        _scale_bar(grid[0], calibration, scale_bar_um)
    return drawn


def _show(
    axes: Axes,
    frame: int,
    images: dict[str, Any],
    labels: dict[str, Any],
    limits: dict[str, tuple[float, float]],
    colours: dict[str, str],
) -> None:
    from matplotlib.colors import to_rgb
    from skimage.segmentation import find_boundaries

    planes = {role: compute_frame(image, frame) for role, image in images.items()}
    if not planes:
        return
    canvas = overlay(planes, limits, colours)
    for role, stack in labels.items():
        edge = find_boundaries(compute_frame(stack, frame), mode="inner")
        canvas[edge] = 255 * (0.35 + 0.65 * np.asarray(to_rgb(colours[role])))
    axes.imshow(canvas, interpolation="antialiased")
    axes.set_axis_off()


def _tails(
    axes: Axes,
    tracks: pd.DataFrame,
    frame: int,
    length: int,
    colour: str,
    calibration: Calibration,
) -> None:
    from matplotlib.collections import LineCollection

    recent = tracks[tracks["frame"].between(frame - length, frame)]
    alive = recent.loc[recent["frame"] == frame, "track_id"]
    recent = recent[recent["track_id"].isin(alive)].sort_values(["track_id", "frame"])
    x = recent["x_um"].to_numpy() / calibration.pixel_size_x_um
    y = recent["y_um"].to_numpy() / calibration.pixel_size_y_um
    track = recent["track_id"].to_numpy()
    same = np.flatnonzero(track[1:] == track[:-1])
    points = np.stack([x, y], axis=1)
    segments = np.stack([points[same], points[same + 1]], axis=1)
    axes.add_collection(LineCollection(list(segments), colors="white", lw=1.8))
    axes.add_collection(LineCollection(list(segments), colors=colour, lw=1.0))


def _scale_bar(axes: Axes, calibration: Calibration, length_um: float) -> None:
    length = length_um / calibration.pixel_size_x_um
    margin = 0.04 * calibration.width_px
    y = calibration.height_px - margin
    axes.plot([margin, margin + length], [y, y], color="white", lw=3)
    axes.text(
        margin + length / 2,
        y - 0.6 * margin,
        f"{length_um:g} µm",
        color="white",
        ha="center",
        va="bottom",
        fontsize=8,
    )
