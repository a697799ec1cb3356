"""Which part of which frames shows an event, read without the rest of the movie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.frames import over_frames


@dataclass(frozen=True)
class Scene:
    """A square that follows one cell over some frames.

    Attributes:
        key: Name of the event.
        frames: Frames shown, ascending.
        y0: First row of the square in each frame (px); may lie outside the image.
        x0: First column in each frame (px).
        size_px: Rows and columns of the square.
    """

    key: str
    frames: tuple[int, ...]
    y0: tuple[int, ...]
    x0: tuple[int, ...]
    size_px: int


def frames_around(
    frame: int,
    calibration: Calibration,
    before_min: float,
    after_min: float,
    count: int,
) -> tuple[int, ...]:
    """About ``count`` frames around ``frame``, evenly spaced.

    The frame itself is always among them; the movie's ends cut the span.

    Args:
        frame: Frame of the event.
        calibration: Time base.
        before_min: Span before it (min).
        after_min: Span after it (min).
        count: Frames wanted, at least 1.
    """
    times = calibration.times_min
    here = float(times[frame])
    first = int(np.searchsorted(times, here - before_min - 1e-9))
    last = int(np.searchsorted(times, here + after_min + 1e-9, side="right")) - 1
    if count == 1:
        return (frame,)
    # Spaced alike on both sides, so that the event's own frame is one of them.
    span = max(last - first, 1)
    step = max(1.0, span / (count - 1))
    back = np.arange(0, (frame - first) / step + 1e-9) * step
    ahead = np.arange(0, (last - frame) / step + 1e-9) * step
    chosen = np.concatenate([frame - back, frame + ahead])
    return tuple(int(f) for f in np.unique(np.rint(chosen)))


def scene_of(
    key: str,
    track: pd.DataFrame,
    frames: Sequence[int],
    calibration: Calibration,
    size_um: float,
) -> Scene:
    """A square around a cell; where it was not seen its place is interpolated.

    Args:
        key: Name of the event.
        track: Rows of TRACKS of this cell.
        frames: Frames to show.
        calibration: Pixel size.
        size_um: Side of the square (um).
    """
    seen = track.sort_values("frame")
    size = max(8, round(size_um / min(calibration.spacing_um)))
    corners = []
    for column, spacing in zip(("y_um", "x_um"), calibration.spacing_um, strict=True):
        at = np.interp(frames, seen["frame"], seen[column]) / spacing
        corners.append(tuple(int(v) for v in np.rint(at - size / 2)))
    return Scene(key, tuple(frames), corners[0], corners[1], size)


def read_crops(
    scenes: Sequence[Scene], stacks: Mapping[str, Any]
) -> dict[str, dict[str, np.ndarray]]:
    """Crops of every scene from every stack: ``{key: {stack: (n, s, s)}}``.

    Each frame is read once, however many scenes show it, and no other frame is read.
    Outside the image a crop is 0.

    Args:
        scenes: What to show.
        stacks: TYX stacks of one shape by name.
    """
    wanted: dict[int, list[tuple[Scene, int]]] = {}
    for scene in scenes:
        for position, frame in enumerate(scene.frames):
            wanted.setdefault(frame, []).append((scene, position))
    found = {
        scene.key: {
            name: np.zeros((len(scene.frames), scene.size_px, scene.size_px), s.dtype)
            for name, s in stacks.items()
        }
        for scene in scenes
    }

    def cut(frame: int, *planes: np.ndarray) -> None:
        # Threads write to different positions of arrays that are there already.
        for scene, position in wanted[frame]:
            for name, plane in zip(stacks, planes, strict=True):
                y, x = scene.y0[position], scene.x0[position]
                _copy(plane, y, x, found[scene.key][name][position])

    if wanted and stacks:
        for _ in over_frames(cut, *stacks.values(), frames=sorted(wanted)):
            pass
    return found


def inside(scene: Scene, drift: pd.DataFrame) -> np.ndarray:
    """Pixels of a scene's crops that hold data: (n, s, s) bool.

    Args:
        scene: What is shown.
        drift: Table DRIFT, which knows what registration left of each frame.
    """
    step = np.arange(scene.size_px)
    y = np.asarray(scene.y0)[:, None] + step
    x = np.asarray(scene.x0)[:, None] + step
    valid = drift.set_index("frame").loc[list(scene.frames)]
    y0, y1, x0, x1 = (
        valid[f"valid_{edge}"].to_numpy()[:, None] for edge in ("y0", "y1", "x0", "x1")
    )
    rows, columns = (y >= y0) & (y < y1), (x >= x0) & (x < x1)
    return rows[:, :, None] & columns[:, None, :]


def _copy(plane: np.ndarray, y0: int, x0: int, out: np.ndarray) -> None:
    """Fill ``out`` with the part of ``plane`` at (y0, x0) that exists."""
    height, width = plane.shape
    y, x = max(y0, 0), max(x0, 0)
    y1, x1 = min(y0 + out.shape[0], height), min(x0 + out.shape[1], width)
    if y < y1 and x < x1:
        out[y - y0 : y1 - y0, x - x0 : x1 - x0] = plane[y:y1, x:x1]


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` positions, evenly spaced, first and last kept."""
    if count <= most:
        return list(range(count))
    if most <= 0:
        return []
    return [int(p) for p in np.unique(np.linspace(0, count - 1, most).round())]
