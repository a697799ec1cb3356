"""Movies with analytically known drift."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


def spots(shape, places, radii, heights, offset=100.0):
    """Sum of Gaussian spots evaluated at their exact positions: no resampling."""
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    places, radii = np.asarray(places, float), np.asarray(radii, float)
    along_y = np.exp(-((rows[None] - places[:, :1]) ** 2) / (2 * radii[:, None] ** 2))
    along_x = np.exp(
        -((columns[None] - places[:, 1:]) ** 2) / (2 * radii[:, None] ** 2)
    )
    return offset + (along_y * np.asarray(heights)[:, None]).T @ along_x


def drifting(
    shifts,
    size=200,
    count=70,
    noise=20.0,
    seed=0,
    motion=0.0,
    still=None,
    dtype=np.uint16,
):
    """Movie whose frame t has to be moved by ``shifts[t]`` to lie on frame 0.

    The first ``still`` spots never move on their own, the others walk randomly.
    """
    rng = np.random.default_rng(seed)
    places = rng.uniform(-40, size + 40, (count, 2))
    radii, heights = rng.uniform(3, 6, count), rng.uniform(80, 300, count)
    still = count if still is None else still
    frames = []
    for shift in np.asarray(shifts, float):
        image = spots((size, size), places - shift, radii, heights)
        image = image + rng.normal(0, noise, image.shape)
        frames.append(np.clip(np.rint(image), 0, 65535).astype(dtype))
        places[still:] += rng.normal(0, motion, (count - still, 2))
    return np.stack(frames)


@pytest.fixture
def make_spots() -> Callable[..., np.ndarray]:
    return spots


@pytest.fixture
def make_drifting() -> Callable[..., np.ndarray]:
    return drifting


def placed(move, frames, size=256, count=None, noise=20.0, seed=0):
    """Movie in which a cell at ``p`` on the reference lies at ``move(p, t)``."""
    rng = np.random.default_rng(seed)
    count = count or size * size // 500
    places = rng.uniform(-40, size + 40, (count, 2))
    radii, heights = rng.uniform(3, 6, count), rng.uniform(80, 300, count)
    movie = []
    for frame in range(frames):
        image = spots((size, size), move(places, frame), radii, heights)
        movie.append(image + rng.normal(0, noise, image.shape))
    return np.clip(np.rint(np.stack(movie)), 0, 65535).astype(np.uint16)


def field_error(transform, move, frame, shape, rim=8):
    """Distance in px, over the field, of where pixels are read and where they lie."""
    lines = [np.arange(rim, size - rim, 8) for size in shape]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
    rows, columns = grid.T
    read = transform.sources(shape)[:, rows, columns].T
    return np.hypot(*(read - move(grid.astype(float), frame)).T)


@pytest.fixture
def make_placed() -> Callable[..., np.ndarray]:
    return placed


@pytest.fixture
def error_px() -> Callable[..., np.ndarray]:
    return field_error
