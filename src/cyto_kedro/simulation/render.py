"""Cells to masks and light, each cell in its bounding box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cyto_kedro.simulation.history import Snapshot
from cyto_kedro.simulation.shapes import outline_coordinate, reach

_BATCH = 128
_WAVES = 3
_TEXTURE = 0.07


@dataclass(frozen=True)
class Looks:
    """What stays the same about each cell; row = id - 1.

    Attributes:
        brightness: (N,) factor around 1.
        waves: (N, 3, 2) wave vectors of the texture (rad/um).
        phases: (N, 3) phases of the texture.
        nucleus: (N, 2) row, column of the nucleus / radius.
        nuclear_signal: Signal of the nucleus / signal of the cytoplasm.
    """

    brightness: np.ndarray
    waves: np.ndarray
    phases: np.ndarray
    nucleus: np.ndarray
    nuclear_signal: float

    @classmethod
    def draw(
        cls,
        count: int,
        brightness_cv: float,
        radius_um: float,
        nuclear_signal: float,
        random: np.random.Generator,
    ) -> Looks:
        """Looks of ``count`` cells of one role."""
        angle = random.uniform(0, 2 * np.pi, (count, _WAVES))
        length = radius_um * random.uniform(0.5, 1.1, (count, _WAVES))
        wave = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        return cls(
            brightness=np.exp(brightness_cv * random.standard_normal(count)),
            waves=wave * (2 * np.pi / length)[..., None],
            phases=random.uniform(0, 2 * np.pi, (count, _WAVES)),
            nucleus=0.22 * random.standard_normal((count, 2)).clip(-1.5, 1.5),
            nuclear_signal=nuclear_signal,
        )


@dataclass(frozen=True)
class Boxes:
    """N cells in boxes of S x S pixels.

    Attributes:
        rows: (N,) rows of the snapshot.
        corner: (N, 2) pixel of the box's first row and column in the image.
        dy_um: (N, S, 1) row distance from the centre.
        dx_um: (N, 1, S) column distance.
        inside: (N, S, S) distance / outline radius, below 1 in the cell.
        outline_um: (N, S, S) outline radius in the direction of the pixel.
    """

    rows: np.ndarray
    corner: np.ndarray
    dy_um: np.ndarray
    dx_um: np.ndarray
    inside: np.ndarray
    outline_um: np.ndarray


def boxes(
    cells: Snapshot, drift_px: np.ndarray, pixel_um: float, shape: tuple[int, int]
) -> Iterator[Boxes]:
    """Boxes of the cells that reach into the image, some at a time."""
    place = cells.centre_um / pixel_um + drift_px
    far = reach(cells.radius_um, cells.modes) / pixel_um + 1
    seen = (place + far[:, None] >= 0).all(axis=1)
    seen &= (place - far[:, None] <= np.array(shape) - 1).all(axis=1)
    visible = np.flatnonzero(seen)
    for start in range(0, len(visible), _BATCH):
        rows = visible[start : start + _BATCH]
        half = int(np.ceil(far[rows].max()))
        steps = np.arange(2 * half + 1)
        corner = np.floor(place[rows]).astype(int) - half
        offset = corner[:, :, None] + steps - place[rows][:, :, None]
        dy, dx = offset[:, 0, :, None] * pixel_um, offset[:, 1, None, :] * pixel_um
        inside, outline = outline_coordinate(
            dy, dx, cells.radius_um[rows], cells.modes[rows]
        )
        yield Boxes(rows, corner, dy, dx, inside, outline)


def masks(
    cells: Snapshot, drift_px: np.ndarray, pixel_um: float, shape: tuple[int, int]
) -> np.ndarray:
    """YX uint32 labels = cell ids; where two cells overlap, the nearer outline wins."""
    labels = np.zeros(shape, np.uint32)
    depth = np.ones(shape, np.float32)
    for box in boxes(cells, drift_px, pixel_um, shape):
        for row, corner, inside in zip(box.rows, box.corner, box.inside, strict=True):
            image, part = windows(corner, inside.shape, shape)
            deeper = inside[part] < depth[image]
            depth[image][deeper] = inside[part][deeper]
            labels[image][deeper] = cells.ids[row]
    return labels


def light(
    cells: Snapshot,
    looks: Looks,
    drift_px: np.ndarray,
    pixel_um: float,
    shape: tuple[int, int],
    dim_signal: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Sharp YX float32 images of the live dye and the death dye, peak about 1."""
    live, dye = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    seen = np.where(cells.dimmed, dim_signal, 1.0)
    for box in boxes(cells, drift_px, pixel_um, shape):
        ids = cells.ids[box.rows] - 1
        body, nucleus = _body(box, looks, ids, cells.radius_um[box.rows])
        strength = (cells.live * seen)[box.rows] * looks.brightness[ids]
        stained = cells.dye[box.rows]
        for n, corner in enumerate(box.corner):
            image, part = windows(corner, body.shape[1:], shape)
            live[image] += np.float32(strength[n]) * body[n][part]
            if stained[n] > 0:
                dye[image] += np.float32(stained[n]) * nucleus[n][part]
    return live, dye


def _body(
    box: Boxes, looks: Looks, ids: np.ndarray, radius_um: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N, S, S) cytoplasmic dye and the death dye, which prefers the nucleus."""
    # The outline's pixels are covered in part: no stair steps, sub-pixel positions.
    step = np.float32(abs(box.dx_um[0, 0, 1] - box.dx_um[0, 0, 0]))
    covered = np.clip((1 - box.inside) * box.outline_um / step + 0.5, 0, 1)
    dome = np.sqrt(np.maximum(1 - box.inside**2, 0))
    texture = np.ones_like(covered)
    dy, dx = box.dy_um.astype(np.float32), box.dx_um.astype(np.float32)
    waves, phases = looks.waves[ids].astype(np.float32), looks.phases[ids]
    for n in range(_WAVES):
        along = waves[:, n, 0, None, None] * dy + waves[:, n, 1, None, None] * dx
        phase = phases[:, n, None, None].astype(np.float32)
        texture += np.float32(_TEXTURE) * np.cos(along + phase)
    middle = (looks.nucleus[ids] * radius_um[:, None]).astype(np.float32)
    width = (0.5 * radius_um).astype(np.float32)[:, None, None]
    far = (dy - middle[:, 0, None, None]) ** 2 + (dx - middle[:, 1, None, None]) ** 2
    nucleus = np.exp(-((far / width**2) ** 2))
    body = (0.45 + 0.55 * dome) * texture
    body *= 1 - np.float32(1 - looks.nuclear_signal) * nucleus
    return covered * body, covered * (0.35 + 0.65 * nucleus)


def windows(
    corner: np.ndarray, size: tuple[int, ...], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a box lies in the image and which part of the box is in it."""
    image, part = [], []
    for start, length, limit in zip(corner, size, shape, strict=True):
        low, high = max(start, 0), min(start + length, limit)
        image.append(slice(low, max(high, low)))
        part.append(slice(low - start, max(high, low) - start))
    return (image[0], image[1]), (part[0], part[1])
