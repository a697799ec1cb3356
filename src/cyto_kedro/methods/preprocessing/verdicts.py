"""What a field of residual displacements means, and what would take it out.

Cells that crawl displace blocks too, but each its own way, whereas a stretched or
rotated image displaces neighbours alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.methods.preprocessing.fits import (
    LEAST_PLACES,
    Kind,
    linear,
    robust_linear,
)

_LEAST_NEIGHBOURS = 2
_REMEDIES = {
    "rigid": "a rotation",
    "affine": "a rotation with stretch or shear",
    "deformable": "a deformation",
}
_LEAST_FREE = 10  # displacements that an affine motion leaves unexplained
_COHERENT = 0.5  # share of the motion that the neighbours foretell


@dataclass(frozen=True)
class Limits:
    """What is judged: side of a block (px), least share known, what matters (px)."""

    block_px: int
    min_reliable: float
    limit_px: float


def misplaced(found: pd.DataFrame) -> list[tuple[list[int], str]]:
    """Frames of RESIDUAL_MOTION that a registration should still move, and what to do.

    Returns:
        For each kind of fault its frames and a sentence that names the parameters.
    """
    told = []
    shifted = found.loc[found["verdict"] == "shifted", "frame"].tolist()
    if shifted:
        told.append(
            (
                shifted,
                "The whole image is still displaced: switch "
                "preprocessing.registration on, or look at the drift's quality.",
            )
        )
    deformed = found[found["verdict"] == "deformed"]
    if len(deformed):
        counts = deformed["transform_needed"].value_counts()
        usual = next(
            (k for k in _REMEDIES if counts.get(k, 0) == counts.max()), "deformable"
        )
        told.append(
            (
                deformed["frame"].tolist(),
                f"Places move alike but not as a whole ({_REMEDIES[usual]}): set "
                "preprocessing.registration.method to {name: block_correlation, "
                f"transform: {usual}}}.",
            )
        )
    return told


def judged(field: np.ndarray, reliable: float, limits: Limits) -> dict[str, Any]:
    """The columns of RESIDUAL_MOTION that a field of displacements decides.

    Args:
        field: (rows, columns, 2) dy, dx of blocks in px, NaN where unknown.
        reliable: Share of the image that the known blocks cover.
        limits: What matters.
    """
    known = field[np.isfinite(field).all(axis=2)]
    names = ("common_dy_px", "common_dx_px", "rms_px", "p95_px", "coherence")
    if not len(known):
        unknown = {"verdict": "unknown", "transform_needed": "unknown"}
        return dict.fromkeys(names, float("nan")) | unknown
    common = np.median(known, axis=0)
    local = np.hypot(*(known - common).T)
    p95 = float(np.percentile(local, 95))
    alike = _alike(field - common)
    values = (*common.tolist(), float(np.sqrt(np.mean(local**2))), p95, alike)
    verdict = _verdict(float(np.hypot(*common)), p95, alike, reliable, limits)
    needed = {"shifted": "translation", "unknown": "unknown"}.get(verdict, "none")
    # A rotation shows as a common shift too where one side of the image is empty.
    if verdict in ("deformed", "shifted") and alike >= _COHERENT:
        needed = transform_needed(field, limits)
    told = {"verdict": verdict, "transform_needed": needed}
    return dict(zip(names, values, strict=True)) | told


def _verdict(
    common_px: float,
    p95: float,
    alike: float,
    reliable: float,
    limits: Limits,
) -> str:
    if reliable < limits.min_reliable:
        return "unknown"
    if common_px >= limits.limit_px:
        return "shifted"
    if p95 < limits.limit_px:
        return "aligned"
    if np.isnan(alike):
        return "unknown"
    return "deformed" if alike >= _COHERENT else "own_motion"


def transform_needed(field: np.ndarray, limits: Limits) -> str:
    """The least transform that takes a (rows, columns, 2) displacement out.

    ``translation``, ``rigid`` or ``affine`` if 95 % of the blocks then lie within the
    limit, else ``deformable``.
    """
    places = (np.indices(field.shape[:2]).reshape(2, -1).T + 0.5) * limits.block_px
    known = np.isfinite(field).all(axis=2).ravel()
    source, moves = places[known], field.reshape(-1, 2)[known]
    kinds: tuple[Kind, ...] = ("translation", "rigid", "affine")
    for kind in kinds:
        if len(source) <= LEAST_PLACES[kind]:
            break
        matrix, shift = robust_linear(source, source + moves, kind)
        misfit = source @ matrix.T + shift - source - moves
        if np.percentile(np.hypot(*misfit.T), 95) < limits.limit_px:
            return kind
    return "deformable"


def _alike(field: np.ndarray) -> float:
    """The larger of coherence and linear share; NaN where neither is known.

    Neighbours' medians are off at the edges, where a turn moves blocks the most.
    """
    both = [s for s in (coherence(field), linear_share(field)) if np.isfinite(s)]
    return max(both) if both else float("nan")


def coherence(field: np.ndarray) -> float:
    """Share of the squared displacement that the neighbours' median foretells.

    Near 1 for a smooth deformation; about 0 or negative where blocks move at random;
    NaN where too few neighbours are known or nothing moves.

    Args:
        field: (rows, columns, 2) displacements, NaN where unknown.
    """
    rows, columns = field.shape[:2]
    edged = np.pad(field, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    steps = [(dy, dx) for dy, dx in product(range(3), repeat=2) if (dy, dx) != (1, 1)]
    around = np.stack([edged[dy : dy + rows, dx : dx + columns] for dy, dx in steps])
    enough = np.isfinite(around).all(axis=3).sum(axis=0) >= _LEAST_NEIGHBOURS
    compared = np.isfinite(field).all(axis=2) & enough
    vectors = field[compared]
    moved = float(np.sum(vectors**2))
    if not moved > 0:
        return float("nan")
    misfit = vectors - np.nanmedian(around[:, compared], axis=0)
    return 1 - float(np.sum(misfit**2)) / moved


def linear_share(field: np.ndarray) -> float:
    """Share of the squared displacement that one affine motion of all blocks explains.

    Adjusted for the six numbers that it is free to choose: 0 on average for blocks
    that move at random; NaN for too few blocks or where nothing moves.

    Args:
        field: (rows, columns, 2) displacements, NaN where unknown.
    """
    known = np.isfinite(field).all(axis=2)
    source, moves = np.argwhere(known).astype(np.float64), field[known]
    free = 2 * len(source) - 6
    total = float(np.sum(moves**2))
    if free < _LEAST_FREE or not total > 0:
        return float("nan")
    matrix, shift = linear(source, source + moves, np.ones(len(source)), "affine")
    misfit = source @ matrix.T + shift - source - moves
    return 1 - (float(np.sum(misfit**2)) / free) / (total / (2 * len(source)))
