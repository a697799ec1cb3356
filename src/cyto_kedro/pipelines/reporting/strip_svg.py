"""A strip of images around an event, with outlines, as SVG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.methods.reporting.crops import Scene
from cyto_kedro.pipelines.reporting.style import contrast, overlay
from cyto_kedro.pipelines.reporting.svg import Drawing

WIDTH = 940
_GAP = 4
_TOP = 20  # room for the titles
_LARGEST = 200
# The cells that the event is about; further ones get thin outlines.
_MAIN = 2


@dataclass(frozen=True)
class Strip:
    """What a strip shows.

    Attributes:
        scene: Frames and squares.
        crops: ``image:<role>``, ``labels:<role>`` and ``marker`` (n, s, s).
        valid: Pixels of the crops that hold data (n, s, s).
        masks: Label in each frame of the scene by (role, track), 0 where not seen; the
            two that matter most first.
        titles: Words above each image.
        bold: Frame whose title stands out, if any.
    """

    scene: Scene
    crops: dict[str, np.ndarray]
    valid: np.ndarray
    masks: dict[tuple[str, int], list[int]]
    titles: tuple[str, ...]
    bold: int | None = None


def draw_strip(
    drawing: Drawing, strip: Strip, colours: dict[str, str], pixel_um: float
) -> float:
    """Cells in their colours, below them the death marker in grey, if there is one.

    Returns:
        The lower edge.
    """
    n = len(strip.scene.frames)
    side = min((WIDTH - (n - 1) * _GAP) / n, _LARGEST)
    rows = _pictures(strip, colours)
    for column, title in enumerate(strip.titles):
        x = column * (side + _GAP)
        bold = strip.scene.frames[column] == strip.bold
        drawing.text(x + side / 2, 14, title, 12, anchor="middle", bold=bold)
        for row, pictures in enumerate(rows):
            y = _TOP + row * (side + _GAP)
            drawing.image(pictures[column], x, y, side, side)
            drawing.clipped(x, y, side, side)
            _outlines(drawing, strip, column, colours, (x, y, side))
            drawing.unclipped()
    scale = side / strip.scene.size_px / pixel_um
    bar = 10 if side / scale < 80 else 20
    drawing.rectangle(8, _TOP + side - 12, bar * scale, 3, "#ffffff")
    drawing.text(8, _TOP + side - 16, f"{bar} µm", 11, "#ffffff")
    if len(rows) > 1:
        drawing.text(8, _TOP + side + _GAP + 14, "death marker", 11, "#ffffff")
    return _TOP + len(rows) * (side + _GAP)


def labels_of(tracks: pd.DataFrame, track: int, scene: Scene) -> list[int]:
    """Label of a track in each frame of a scene, 0 where it was not seen."""
    own = tracks[tracks["track_id"] == track].set_index("frame")["label"]
    return [int(own.get(frame, 0)) for frame in scene.frames]


def _pictures(strip: Strip, colours: dict[str, str]) -> list[list[np.ndarray]]:
    """Rows of YX3 uint8 images, one per frame of the scene."""
    images = {
        name.removeprefix("image:"): crop
        for name, crop in strip.crops.items()
        if name.startswith("image:")
    }
    limits = {role: contrast(crop, strip.valid) for role, crop in images.items()}
    frames = range(len(strip.scene.frames))
    rows = [
        [overlay({r: c[i] for r, c in images.items()}, limits, colours) for i in frames]
    ]
    marker = strip.crops.get("marker")
    if marker is not None:
        white = {"marker": "#ffffff"}
        limits = {"marker": contrast(marker, strip.valid)}
        rows.append([overlay({"marker": marker[i]}, limits, white) for i in frames])
    return rows


def _outlines(
    drawing: Drawing,
    strip: Strip,
    column: int,
    colours: dict[str, str],
    at: tuple[float, float, float],
) -> None:
    """Outlines of the named cells in one image at (x, y, side)."""
    from skimage.measure import find_contours

    x, y, side = at
    scale = side / strip.scene.size_px
    for rank, ((role, _), labels) in enumerate(strip.masks.items()):
        if labels[column] == 0:
            continue
        mask = strip.crops[f"labels:{role}"][column] == labels[column]
        for contour in find_contours(np.pad(mask, 1).astype(float), 0.5):
            points = [
                (x + (c - 0.5) * scale, y + (r - 0.5) * scale) for r, c in contour[::2]
            ]
            width = 2.0 if rank < _MAIN else 0.9
            # White below the colour: seen on bright and dark cells alike.
            drawing.line(points, "#ffffff", width + 1.2, closed=True)
            drawing.line(points, colours[role], width, closed=True)
