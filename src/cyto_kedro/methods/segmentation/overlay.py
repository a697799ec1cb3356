"""Outlines of all cells drawn over an image, to look at before trusting a number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Okabe & Ito 2008: told apart with any colour vision, none of them grey.
PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2")


def outlines(
    image: np.ndarray,
    labels_by_role: Mapping[str, np.ndarray],
    *,
    colours: Mapping[str, str] | None = None,
    percentiles: tuple[float, float] = (1.0, 99.8),
    gamma: float = 0.7,
    zoom: int = 1,
) -> np.ndarray:
    """A grey image with a one-pixel outline around every cell.

    Args:
        image: YX image of any real dtype; NaN is drawn black.
        labels_by_role: YX masks per role, drawn in this order.
        colours: ``#rrggbb`` per role; missing roles take the next of the palette.
        percentiles: Grey values drawn black and white.
        gamma: Below 1 lifts dim cells.
        zoom: Whole-number magnification; the outlines stay one pixel wide.

    Returns:
        (zoom Y, zoom X, 3) uint8 RGB.
    """
    grey = _magnify(_stretched(image, percentiles) ** gamma, zoom)
    rgb = np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
    chosen = colours or {}
    for number, (role, labels) in enumerate(labels_by_role.items()):
        colour = chosen.get(role, PALETTE[number % len(PALETTE)])
        rgb[edges(_magnify(labels, zoom))] = _channels(colour)
    return rgb


def edges(labels: np.ndarray) -> np.ndarray:
    """Pixels of a cell that touch the background or a cell with a smaller id.

    Two touching cells thus share one line instead of two.
    """
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] > labels[:-1]
    edge[:-1] |= labels[:-1] > labels[1:]
    edge[:, 1:] |= labels[:, 1:] > labels[:, :-1]
    edge[:, :-1] |= labels[:, :-1] > labels[:, 1:]
    return edge


def _stretched(image: np.ndarray, percentiles: tuple[float, float]) -> np.ndarray:
    values = image.astype(np.float32)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.zeros(image.shape, np.float32)
    low, high = np.percentile(finite, percentiles)
    if high <= low:
        return np.zeros(image.shape, np.float32)
    scaled = np.nan_to_num((values - low) / (high - low), nan=0, posinf=1, neginf=0)
    clipped: np.ndarray = np.clip(scaled, 0, 1)
    return clipped


def _magnify(image: np.ndarray, zoom: int) -> np.ndarray:
    return image if zoom == 1 else image.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _channels(colour: str) -> tuple[int, int, int]:
    code = colour.removeprefix("#")
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)
